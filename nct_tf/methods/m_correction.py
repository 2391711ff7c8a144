"""M-correction: labels are corrected as far as their losses look wrong."""

import logging

import numpy as np
import tensorflow as tf

from nct_tf import losses
from nct_tf.methods import correction_options, mixup
from nct_tf.models import class_prior, classifier
from nct_tf.noise_estimation import beta_mixture

_logger = logging.getLogger(__name__)

_M_CORRECTION_STREAM = 6  # Of random numbers, see `Classifier.step_seed`.
_MIN_PROBABILITY = 1e-4
_MIN_TEMPERATURE = 0.001
# What the weight `stage` is; a hard correction has no dynamic mixup.
_MIXUP, _DYNAMIC_MIXUP, _CORRECTION = 0.0, 1.0, 2.0
# The published stages, as shares of the training: 105, 5 and up to 200 of 300
# epochs.
_MIXUP_SHARE = 0.35
_DYNAMIC_MIXUP_SHARE = 1 / 60
_SHARP_SHARE = 2 / 3


class MCorrectionModel(classifier.Classifier):
  """One network that learns from mixed images with corrected labels.

  The probability w that a label is wrong comes from the loss of the image as it
  is, by a mixture of two beta distributions, which is fitted to the losses of
  all training examples after each epoch. The target of an image is
  `(1 - w) * onehot(label) + w * q`, where q is the likeliest class of the image
  as it is (`hard`), or its softened prediction (`soft`). Images and targets are
  mixed as by mixup. A regulariser, of weight 1, keeps the mean prediction near
  equally frequent classes.

  There are stages: plain mixup; for `soft`, dynamic mixup, in which images are
  mixed by `(1 - w)` of both, and labels as by mixup; and the correction. In
  that of `soft`, images are mixed dynamically and targets in equal parts.

  Differently from the authors' code, the training examples are not augmented
  for the fit; the regulariser is over all classes, not over ten; and the loss
  that w comes from is that before moving statistics change in a step.

  Args:
    network1: a `keras.Model` that gives logits [batch, num_classes].
    seed: int, of shares and orders, which are a function of it and of the step.
    **kwargs: fields of `correction_options.MCorrection`, and see `Classifier`.

  References:
    Arazo et al., "Unsupervised Label Noise Modeling and Loss Correction", ICML
    2019, Equations 8 to 15.
  """

  Options = correction_options.MCorrection
  PARTS = ("cross_entropy", "regularizer", "wrong_probability")

  def prepare(self, images, targets):
    """Mixes the images of the batch, and their corrected labels."""
    pairs = mixup.Pairs(
      self.global_batch(targets),
      self.options.mixup_alpha,
      self.step_seed(_M_CORRECTION_STREAM, targets),
    )
    stage = tf.convert_to_tensor(self.stage)
    wrong, own_target = self._look(images, targets, stage)
    drawn = tf.fill(tf.shape(wrong), pairs.share)
    image_share = label_share = drawn
    if self.options.is_soft:
      dynamic = dynamic_share(wrong, pairs.of_other(wrong))
      image_share = tf.where(stage > _MIXUP, dynamic, drawn)
      label_share = tf.where(stage < _CORRECTION, drawn, 0.5)
    corrected = tf.where(
      stage < _CORRECTION,
      tf.one_hot(targets["label"], own_target.shape[-1]),
      own_target,
    )
    return pairs.mix(images, image_share), {
      **targets,
      "mixed_label": pairs.labels_of_other(targets["label"]),
      "label_share": image_share,
      "soft_label": pairs.mix(corrected, label_share),
      "wrong_probability": wrong,
    }

  def _look(self, images, targets, stage):
    """Looks at the images as they are, unless the stage is plain mixup.

    Networks that sum values up over replicas look at any stage.

    Returns:
      a pair: float32 [batch], the probability that the label is wrong; float32
      [batch, num_classes], the corrected label.
    """

    def look():
      (logits,) = self.logits(images, is_filled=False)
      loss = losses.cross_entropy(logits, targets["label"])
      wrong = self._wrong_probability(loss)
      (logits,) = self.logits(images, training=True)
      prediction = self._prediction(logits)
      return wrong, corrected_label(targets["label"], wrong, prediction)

    def skip():
      labels = targets["label"]
      num_classes = self.network1.output_shape[-1]
      return (
        tf.zeros_like(labels, tf.float32),
        tf.one_hot(labels, num_classes),
      )

    if self.sums_in_networks:
      return look()
    return tf.cond(stage > _MIXUP, look, skip)

  def _wrong_probability(self, loss):
    """Returns the probability that a label is wrong: float32 [batch]."""
    low, high = tf.unstack(
      tf.convert_to_tensor(self.example_state["loss_bounds"])
    )
    lookup = tf.convert_to_tensor(self.example_state["wrong_probabilities"])
    place = tf.clip_by_value((loss - low) / (high - low), 0.0, 1.0)
    index = tf.cast(place * beta_mixture.NUM_BINS, tf.int32)
    # Not a number is any integer. It is to end as a loss, not as an index.
    index = tf.clip_by_value(index, 0, beta_mixture.NUM_BINS - 1)
    found = tf.gather(lookup, index)
    return tf.clip_by_value(found, _MIN_PROBABILITY, 1 - _MIN_PROBABILITY)

  def _prediction(self, logits):
    """Returns what labels are corrected to: float32 [batch, num_classes]."""
    if self.options.is_soft:
      return tf.nn.softmax(logits / tf.convert_to_tensor(self.temperature))
    return tf.one_hot(tf.argmax(logits, axis=-1), logits.shape[-1])

  def network_losses(self, logits, targets):
    """The cross entropy with the mixed target, and the regulariser."""
    loss = tf.nn.softmax_cross_entropy_with_logits(
      targets["soft_label"], logits[0]
    )
    stage = tf.convert_to_tensor(self.stage)
    corrects = tf.cast(stage == _CORRECTION, tf.float32)
    regularizer = corrects * class_prior.divergence(tf.nn.softmax(logits[0]))
    cross_entropy = mixup.mixed_cross_entropy(
      logits[0],
      targets["label"],
      targets["mixed_label"],
      targets["label_share"],
    )
    return [
      classifier.NetworkLoss(
        loss,
        unlabelled=regularizer,
        parts={
          "cross_entropy": cross_entropy,
          "regularizer": regularizer,
          "wrong_probability": targets["wrong_probability"],
        },
      )
    ]

  def evaluation_losses(self, logits, targets):
    """The cross entropy of images as they are."""
    return classifier.plain_losses(logits, targets)

  def phases(self, num_epochs):
    """Mixup; for `soft`, dynamic mixup; and the correction."""
    begin, corrects_from = self._begins(num_epochs)
    option = "mixup_epochs"
    if self.options.is_soft:
      option += "` and `dynamic_mixup_epochs"
    classifier.check_ends_before(option, corrects_from, num_epochs)
    result = [classifier.Phase("mixup", begin)]
    if self.options.is_soft:
      result += [classifier.Phase("dynamic mixup", corrects_from - begin)]
    return [*result, classifier.Phase("correction", num_epochs - corrects_from)]

  def _begins(self, num_epochs):
    """Returns the epochs with which labels matter, and are corrected."""

    def choose(chosen, share):
      return chosen or max(1, round(share * num_epochs))

    begin = choose(self.options.mixup_epochs, _MIXUP_SHARE)
    if not self.options.is_soft:
      return begin, begin
    return begin, begin + choose(
      self.options.dynamic_mixup_epochs, _DYNAMIC_MIXUP_SHARE
    )

  def schedules(self, num_epochs):
    """The stage, the temperature, and the share of wrong labels found."""
    begin, corrects_from = self._begins(num_epochs)

    def stage(epoch):
      if epoch >= corrects_from:
        return _CORRECTION
      return _DYNAMIC_MIXUP if epoch >= begin else _MIXUP

    result = {
      "stage": stage,
      "wrong_share": lambda _: float(self.recall("mixture")[2, 1]),
    }
    if self.options.is_soft:
      count = self.options.sharpening_epochs or max(
        1, round(_SHARP_SHARE * num_epochs) - 1 - corrects_from
      )
      result["temperature"] = lambda epoch: falling_temperature(
        epoch - corrects_from, count
      )
    return result

  def state(self, num_examples, num_classes, batch_size):
    """The mixture of the losses (a, b, weights), and what steps need of it."""
    del num_examples, num_classes, batch_size
    bounds = np.array([0, 1], np.float32)
    return {
      "mixture": tf.Variable(tf.zeros([3, 2]), trainable=False),
      "loss_bounds": tf.Variable(bounds, trainable=False),
      "wrong_probabilities": tf.Variable(
        tf.zeros([beta_mixture.NUM_BINS]), trainable=False
      ),
    }

  def passes(self, num_epochs):
    """One before each epoch that needs the mixture."""
    return num_epochs - self._begins(num_epochs)[0]

  def between_epochs(self, epoch, training_set):
    """Fits the mixture to all examples' losses, if the next epoch needs it."""
    begin, _ = self._begins(training_set.num_epochs)
    if not begin <= epoch + 1 < training_set.num_epochs:
      return
    (logits,) = training_set.predict()
    found = beta_mixture.fit_losses(
      losses.cross_entropy(logits, training_set.labels).numpy()
    )
    if found.mixture is None:
      _logger.warning(
        "After epoch %d nearly all losses are alike: no label is corrected in "
        "the next one",
        epoch + 1,
      )
    elif epoch + 1 == begin:
      _logger.info(
        "After epoch %d: %.1f %% of the labels seem wrong; from now on they "
        "are corrected by their losses",
        epoch + 1,
        100 * found.mixture.weights[1],
      )
    state = self.example_state
    mixture = np.zeros([3, 2]) if found.mixture is None else found.mixture
    state["mixture"].assign(np.float32(mixture))
    state["loss_bounds"].assign(np.float32(found.bounds))
    state["wrong_probabilities"].assign(np.float32(found.lookup))


def corrected_label(labels, wrong, prediction):
  """Returns labels mixed with predictions: float32 [batch, num_classes].

  Args:
    labels: integer [batch].
    wrong: float32 [batch], the share of the prediction.
    prediction: float32 [batch, num_classes].
  """
  given = tf.one_hot(labels, prediction.shape[-1])
  return given + wrong[:, None] * (prediction - given)


def dynamic_share(wrong, other_wrong):
  """Returns the share of an image by how right both labels seem: like `wrong`.

  Args:
    wrong: float32 [batch], below 1: the probability that the label is wrong.
    other_wrong: float32 [batch], that of the image which it is mixed with.
  """
  return (1 - wrong) / ((1 - wrong) + (1 - other_wrong))


def falling_temperature(num_corrected, count):
  """Returns the temperature of predictions: float, from 1 to 0.001.

  Args:
    num_corrected: int, how many epochs have corrected labels before.
    count: int, how many epochs it falls; the last of them has the lowest.
  """
  done = min(max(num_corrected, 0) / max(count - 1, 1), 1)
  return 1 - (1 - _MIN_TEMPERATURE) * done
