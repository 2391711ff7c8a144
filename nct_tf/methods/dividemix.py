"""DivideMix: labels that look wrong are guessed, not learned."""

import logging

import numpy as np
import tensorflow as tf

from nct_tf import distribution, losses as losses_lib
from nct_tf.methods import mixup
from nct_tf.methods.correction_options import ESTIMATED, DivideMix
from nct_tf.models import class_prior, classifier, example_table, global_batch
from nct_tf.noise_estimation import loss_division

_logger = logging.getLogger(__name__)

_DIVIDEMIX_STREAM = 8  # Of random numbers, see `Classifier.step_seed`.
_NUM_VIEWS = DivideMix.NUM_VIEWS
_TINY = 1e-12  # Of a class that is not predicted.
# Of wrong labels: up to the first of these rates, guessed labels have no weight
# by default, from the second on `_LAMBDA_U`.
_NOISE_RATES = (0.4, 0.5)
_LAMBDA_U = 25.0


class DivideMixModel(classifier.Classifier):
  """Two networks, each of which divides the examples for its peer.

  After the warm-up, and after each epoch from then on, each network divides the
  training set by its losses, see `loss_division`. A step takes two views of
  each example of a batch, augmented independently. Those that the peer finds
  right are labelled: their target is w y + (1 - w) p, where w is the peer's
  probability that the label y is right, and p the network's own prediction, a
  mean over both views. The target of the others is what both networks predict.
  Targets are sharpened; then all rows of the batch, an example's view each, are
  mixed with each other. The labelled ones minimise the cross entropy, the
  others `lambda_u` times the squared error, and all the divergence of the mean
  prediction from a uniform prior.

  The authors' code trains the networks one after the other, on batches of as
  many labelled as unlabelled examples, whose number is that of the labelled
  ones. Here both learn at once, from the same mixed images, and a batch has the
  shares that the data have. An epoch has every example once. So their batch of
  64 is one of 128 here; where half of the labels are right, an epoch has as
  many steps as theirs. In the warm-up, the two views of an example are both
  learned, so that its steps have as many rows, too. `lambda_u` rises from epoch
  to epoch, not from step to step.

  Args:
    network1: a `keras.Model` that gives logits [batch, num_classes].
    network2: another one.
    seed: int, of shares and orders of mixed images, and of the mixtures.
    **kwargs: fields of `correction_options.DivideMix`, and see `Classifier`.

  References:
    Li et al., "DivideMix: Learning with Noisy Labels as Semi-supervised
    Learning", ICLR 2020, Algorithm 1.
  """

  Options = DivideMix
  PARTS = ("cross_entropy", "labelled", "labelled_loss", "guessed_loss")

  def prepare(self, images, targets):
    """Makes targets for the views of the batch, and mixes the views.

    Args:
      images: float [batch, 2, ...], two views of each example; or [batch, ...],
        both views are the same then.
      targets: dict of `unpack`.

    Returns:
      a pair: float32 [2 * batch, ...], the views of the first example, those of
      the second one, and so on; the targets, and besides, a network each,
      `soft_labels`, list of float32 [2 * batch, num_classes], and
      `is_labelled`, list of float32 [batch].
    """
    images = self._views(images)
    divides = tf.convert_to_tensor(self.divides) > 0
    is_labelled = self.example_state["is_labelled"].gather(targets)
    is_labelled = tf.where(divides, is_labelled, tf.ones_like(is_labelled))
    soft_labels = self._soft_labels(images, targets, is_labelled, divides)
    pairs = mixup.Pairs(
      self._batch_of_views(targets),
      self.options.mixup_alpha,
      self.step_seed(_DIVIDEMIX_STREAM, targets),
    )
    share = tf.maximum(pairs.share, 1 - pairs.share)
    # In the warm-up nothing is mixed.
    share = tf.fill(tf.shape(targets["label"]), tf.where(divides, share, 1.0))
    of_views = _for_views(share)
    mixed_label = pairs.labels_of_other(_for_views(targets["label"]))
    return pairs.mix(images, of_views), {
      **targets,
      "soft_labels": tf.split(pairs.mix(soft_labels, of_views), 2, axis=1),
      "is_labelled": tf.unstack(is_labelled, axis=1),
      # Of the first view, which is measured.
      "mixed_label": _first_view(mixed_label),
      "label_share": share,
    }

  def _views(self, images):
    """Returns the batch's views as rows: float32 [2 * batch, ...]."""
    images = tf.cast(images, tf.float32)
    shape = self.network1.input_shape[1:]
    if images.shape.rank == 1 + len(shape):
      return _for_views(images)
    return tf.reshape(images, [-1, *images.shape[2:]])

  def _batch_of_views(self, targets):
    """Returns the `GlobalBatch` whose rows are views."""
    rows = {"label": _for_views(targets["label"])}
    if "position" in targets:
      view = tf.range(tf.size(rows["label"])) % _NUM_VIEWS
      rows["position"] = _NUM_VIEWS * _for_views(targets["position"]) + view
    batch_size = (self.remembered or {}).get("batch_size")
    return global_batch.GlobalBatch(
      rows, batch_size and _NUM_VIEWS * batch_size
    )

  def _soft_labels(self, images, targets, is_labelled, divides):
    """Returns the targets of views: float32 [2 * batch, 2 * num_classes].

    The first network's, then the second one's. In the warm-up they are the
    labels.
    """
    num_classes = self.network1.output_shape[-1]
    labels = tf.one_hot(targets["label"], num_classes)

    def guess():
      is_right = self.example_state["probability_right"].gather(targets)
      return tf.concat(
        self._guess(images, labels, is_right, is_labelled), axis=1
      )

    def as_given():
      return tf.concat([labels, labels], axis=1)

    if self.sums_in_networks:  # Replicas cannot sum up in one branch.
      result = tf.where(divides, guess(), as_given())
    else:
      result = tf.cond(divides, guess, as_given)
    return _for_views(result)

  def _guess(self, images, labels, is_right, is_labelled):
    """Returns each network's targets: list of float32 [batch, num_classes]."""
    own = [
      _mean_of_views(tf.nn.softmax(logits))
      for logits in self.logits(images, training=True)
    ]
    steady = [
      _mean_of_views(tf.nn.softmax(logits))
      for logits in self.logits(images, is_filled=False)
    ]
    temperature = self.options.sharpening_temperature
    return [
      tf.where(
        is_labelled[:, number, None] > 0,
        sharpen(refine(labels, own[number], is_right[:, number]), temperature),
        sharpen((own[number] + steady[1 - number]) / 2, temperature),
      )
      for number in range(2)
    ]

  def network_losses(self, logits, targets):
    """The cross entropy of labelled examples, and the error of the others."""
    return [
      self._network_loss(*of_network, targets)
      for of_network in zip(
        logits, targets["soft_labels"], targets["is_labelled"], strict=True
      )
    ]

  def _network_loss(self, logits, soft_labels, is_labelled, targets):
    log_p = tf.nn.log_softmax(logits)
    p = tf.exp(log_p)
    cross_entropy = -tf.reduce_sum(soft_labels * log_p, axis=1)
    error = tf.reduce_mean((p - soft_labels) ** 2, axis=1)
    labelled_loss = _among(is_labelled, _mean_of_views(cross_entropy))
    guessed_loss = _among(1 - is_labelled, _mean_of_views(error))
    divides = tf.convert_to_tensor(self.divides)
    penalty = divides * class_prior.divergence(p)
    negative_entropy = tf.reduce_sum(p * log_p, axis=1)
    penalty += (
      (1 - divides) * self.options.confidence_penalty * negative_entropy
    )
    weight = tf.convert_to_tensor(self.guessed_weight)
    return classifier.NetworkLoss(
      labelled_loss,
      unlabelled=weight * guessed_loss + _mean_of_views(penalty),
      parts={
        "cross_entropy": mixup.mixed_cross_entropy(
          _first_view(logits),
          targets["label"],
          targets["mixed_label"],
          targets["label_share"],
        ),
        "labelled": is_labelled,
        "labelled_loss": labelled_loss,
        "guessed_loss": guessed_loss,
      },
    )

  def record_training(self, values, logits, targets):
    """Records the logits of each example's first view; see `Classifier`."""
    first = [_first_view(each) for each in logits]
    return super().record_training(values, first, targets)

  def evaluation_losses(self, logits, targets):
    """The cross entropy of images as they are."""
    return classifier.plain_losses(logits, targets)

  def schedules(self, num_epochs):
    """Whether examples are divided, 0 or 1, and the weight of guessed ones."""
    warmup_epochs = self._warmup_epochs(num_epochs)
    rampup_epochs = self.options.lambda_u_rampup_epochs or max(
      1, round(num_epochs / 20)
    )

    def guessed_weight(epoch):
      if epoch <= warmup_epochs:
        return 0.0
      share = min(1.0, (epoch - warmup_epochs) / rampup_epochs)
      return share * self._lambda_u()

    return {
      "divides": lambda epoch: float(epoch >= warmup_epochs),
      "guessed_weight": guessed_weight,
    }

  def _warmup_epochs(self, num_epochs):
    return self.options.dividemix_warmup_epochs or max(
      1, round(num_epochs / 10)
    )

  def _lambda_u(self):
    if self.options.lambda_u != ESTIMATED:
      return float(self.options.lambda_u)
    low, high = _NOISE_RATES
    rate = float(self.recall("noise_rate"))
    return _LAMBDA_U * min(1.0, max(0.0, (rate - low) / (high - low)))

  def phases(self, num_epochs):
    """One, which is to be longer than the warm-up."""
    classifier.check_ends_before(
      "dividemix_warmup_epochs", self._warmup_epochs(num_epochs), num_epochs
    )
    return super().phases(num_epochs)

  def state(self, num_examples, num_classes, batch_size):
    """What each network is told of the labels; and losses of some epochs."""
    del num_classes
    number = self.options.loss_history_epochs

    def table(num_columns):
      return example_table.ExampleTable(num_examples, num_columns, batch_size)

    result = {
      "probability_right": table(2),
      "is_labelled": table(2),
      "noise_rate": tf.Variable(0.0, trainable=False),
    }
    for name in ("probability_right", "is_labelled"):
      result[name].set_state(np.ones([num_examples, 2], np.float32))
    if number > 1:
      result["loss_history"] = table(2 * number)
    return result

  def passes(self, num_epochs):
    """One after each epoch from the end of the warm-up on, but the last."""
    return num_epochs - self._warmup_epochs(num_epochs)

  def between_epochs(self, epoch, training_set):
    """Divides the training set, from the end of the warm-up on."""
    first = self._warmup_epochs(training_set.num_epochs) - 1
    if not first <= epoch < training_set.num_epochs - 1:
      return
    logits = training_set.predict()
    losses = self._normalized(logits, training_set.labels, epoch - first)
    divisions = [
      loss_division.divide(
        each, logits.shape[-1], self.options.clean_threshold, self.seed
      )
      for each in losses
    ]
    for name in ("probability_right", "is_labelled"):
      of_networks = [getattr(division, name) for division in divisions]
      # Each is told what the other has found.
      told = np.stack(of_networks[::-1], axis=1).astype(np.float32)
      self.example_state[name].set_state(told)
    noise_rate = 1 - np.mean([each.probability_right for each in divisions])
    self.example_state["noise_rate"].assign(noise_rate)
    _tell(epoch, divisions, is_first=epoch == first)

  def _normalized(self, logits, labels, number):
    """Returns each network's losses in [0, 1]: list of array [num_examples].

    Args:
      logits: float32 array [num_networks, num_examples, num_classes].
      labels: integer array [num_examples].
      number: int, how many times it has been called before.
    """
    current = [
      loss_division.normalize(losses_lib.cross_entropy(each, labels).numpy())
      for each in logits
    ]
    length = self.options.loss_history_epochs
    if length == 1:
      return current
    table = self.example_state["loss_history"]
    history = table.get_state().reshape([-1, len(current), length])
    history[:, :, number % length] = np.stack(current, axis=1)
    table.set_state(history.reshape([len(labels), -1]))
    means = history[:, :, : number + 1].mean(axis=2)
    return list(means.T)


def _tell(epoch, divisions, is_first):
  """Logs what the first division found, and what was unusual in any."""
  for number, division in enumerate(divisions, start=1):
    where = f"After epoch {epoch + 1}, network {number}"
    if division.remark:
      _logger.warning("%s: %s", where, division.remark)
    elif is_first:
      _logger.info(
        "%s finds %d of %d labels right",
        where,
        division.is_labelled.sum(),
        len(division.is_labelled),
      )


def sharpen(probabilities, temperature):
  """Returns `p**(1 / T) / sum(p**(1 / T))`: float32 [batch, num_classes].

  Args:
    probabilities: float32 [batch, num_classes].
    temperature: T, a float above 0.
  """
  log_p = tf.math.log(tf.maximum(probabilities, _TINY))
  return tf.nn.softmax(log_p / temperature)


def refine(labels, probabilities, is_right):
  """Returns `w * labels + (1 - w) * probabilities`: [batch, num_classes].

  Args:
    labels: float32 [batch, num_classes], one-hot.
    probabilities: float32 [batch, num_classes].
    is_right: float32 [batch], w.
  """
  w = is_right[:, None]
  return w * labels + (1 - w) * probabilities


def _among(chosen, values):
  """Returns values whose mean over the global batch is that of chosen ones.

  Args:
    chosen: float32 [batch], 0 or 1.
    values: float32 [batch].

  Returns:
    float32 [batch]; 0 for all if none is chosen.
  """
  number = distribution.sum_over_replicas(tf.reduce_sum(chosen))
  share = tf.math.divide_no_nan(global_batch.size(chosen), number)
  return chosen * values * share


# Rows are the views of the first example, then those of the second one.


def _for_views(values):
  """Returns each example's value for each of its views: [2 * batch, ...]."""
  return tf.repeat(values, _NUM_VIEWS, axis=0)


def _each_view(values):
  return tf.reshape(values, [-1, _NUM_VIEWS, *values.shape[1:]])


def _first_view(values):
  """Returns the value of each example's first view: [batch, ...]."""
  return _each_view(values)[:, 0]


def _mean_of_views(values):
  """Returns the mean of each example's views: [batch, ...]."""
  return tf.reduce_mean(_each_view(values), axis=1)
