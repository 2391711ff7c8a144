"""D2L: labels are mixed with predictions once the features need more room."""

import itertools
import logging

import numpy as np
from scipy.spatial import distance
import tensorflow as tf

from nct_tf import errors
from nct_tf.methods import correction_options, mixup
from nct_tf.models import classifier, weights

_logger = logging.getLogger(__name__)

_D2L_STREAM = 7  # Of random numbers, see `Classifier.step_seed`.
_BATCH_SIZE = 128
_NUM_BATCHES = 10
_NUM_NEIGHBOURS = 20
_WINDOW = 5  # Epochs that a dimension is compared with.
_NUM_DEVIATIONS = 2
_TINY = 1e-8
_INIT_SHARE = 1 / 3


class D2LModel(classifier.Classifier):
  """One network that learns from labels and then from its predictions, too.

  It minimises `alpha * CE(label) + (1 - alpha) * CE(predicted class)`.
  At the begin of each epoch the local intrinsic dimension (LID) of the features
  is measured, in ten batches of random training examples. Alpha is 1 up to the
  turning point: the first epoch, after `d2l_init_epochs` and five more, whose
  LID is two standard deviations above the mean of the five before. There the
  network gets back the weights that the epoch before began with; the
  optimizer's state stays. From then on alpha is
  `exp(-epoch / num_epochs * LID / lowest LID so far)`.

  The features are what the network's last layer takes, without augmentation.
  The authors' code has had symmetric cross entropy before the turning point
  since 2019; here it is cross entropy, as in the paper.

  Args:
    network1: a `keras.Model` that gives logits [batch, num_classes]; see
      `models.features`.
    seed: int, of which examples are measured.
    **kwargs: fields of `correction_options.D2L`, and see `Classifier`.

  References:
    Ma et al., "Dimensionality-Driven Learning with Noisy Labels", ICML 2018,
    Equations 4, 6 and 7, Algorithm 1.
  """

  Options = correction_options.D2L

  def network_losses(self, logits, targets):
    """The cross entropy with label and likeliest class."""
    (plain,) = classifier.plain_losses(logits, targets)
    predicted = tf.argmax(logits[0], axis=-1, output_type=tf.int32)
    loss = mixup.mixed_cross_entropy(
      logits[0],
      targets["label"],
      predicted,
      tf.convert_to_tensor(self.alpha),
    )
    return [plain._replace(loss=loss)]

  def evaluation_losses(self, logits, targets):
    """The cross entropy."""
    return classifier.plain_losses(logits, targets)

  def phases(self, num_epochs):
    """One, in which there can be a turning point."""
    first = self._first_turn(num_epochs)
    if first >= num_epochs:
      # By default, the first turn comes later in a longer training.
      least = next(
        each
        for each in itertools.count(first + 1)
        if self._first_turn(each) < each
      )
      num_init = self._first_turn(least) - _WINDOW
      raise errors.InvalidInputError(
        f"Argument `num_epochs` must be at least {least}: labels may be mixed "
        f"{_WINDOW} epochs after `d2l_init_epochs`={num_init}. Received: "
        f"num_epochs={num_epochs}, "
        f"d2l_init_epochs={self.options.d2l_init_epochs}"
      )
    return super().phases(num_epochs)

  def _first_turn(self, num_epochs):
    """Returns the first epoch, from 0, that labels may be mixed in."""
    num_init = self.options.d2l_init_epochs
    if num_init is None:
      num_init = round(_INIT_SHARE * num_epochs)
    return num_init + _WINDOW

  def schedules(self, num_epochs):
    """The weight of the labels, and the local intrinsic dimension."""

    def dimension(_):
      return float(self.recall("dimensions")[-1])

    def weight(epoch):
      if self.recall("turning_point") < 0:
        return 1.0
      return alpha(
        epoch / num_epochs,
        dimension(epoch),
        float(self.recall("lowest_dimension")),
      )

    return {"alpha": weight, "lid": dimension}

  def state(self, num_examples, num_classes, batch_size):
    """Dimensions, the turning point, and the weights of the epoch before.

    A dimension of 0 stands for one that is not known.
    """
    del num_examples, num_classes, batch_size
    return {
      "dimensions": tf.Variable(tf.zeros([_WINDOW + 1]), trainable=False),
      "lowest_dimension": tf.Variable(0.0, trainable=False),
      "turning_point": tf.Variable(-1.0, trainable=False),
      "weights_before": tf.Variable(
        tf.zeros([weights.vector_size(self)]), trainable=False
      ),
    }

  def before_training(self, training_set):
    """Measures the features of the untrained network."""
    self._measure(0, training_set)
    self._keep_weights()

  def passes(self, num_epochs):
    """That of the examples that are measured, before each epoch."""
    num_examples = self.remembered["num_examples"]
    return num_epochs * _num_measured(num_examples) / num_examples

  def between_epochs(self, epoch, training_set):
    """Measures the features that the next epoch begins with."""
    has_turned = self.recall("turning_point") >= 0
    if epoch + 1 == training_set.num_epochs:
      if not has_turned:
        _logger.info(
          "No turning point was found: all epochs learned the given labels"
        )
      return
    self._measure(epoch + 1, training_set)
    if has_turned:
      return
    may_turn = epoch + 1 >= self._first_turn(training_set.num_epochs)
    dimensions = self.recall("dimensions")
    if may_turn and rises(dimensions):
      self.example_state["turning_point"].assign(epoch + 1)
      _logger.info(
        "After epoch %d the local intrinsic dimension is %.2f, after a mean of "
        "%.2f: the weights of the epoch before come back, and from now on "
        "labels are mixed with predictions",
        epoch + 1,
        dimensions[-1],
        dimensions[:-1].mean(),
      )
    else:
      self._keep_weights()

  def begin_epoch(self, epoch):
    """Brings the weights of the epoch before back, at the turning point."""
    if epoch == self.recall("turning_point"):
      weights.from_vector(self, self.recall("weights_before"))

  def _keep_weights(self):
    self.example_state["weights_before"].assign(weights.to_vector(self))

  def _measure(self, epoch, training_set):
    """Adds the dimension at the begin of an epoch to what is remembered."""
    rng = np.random.default_rng([_D2L_STREAM, self.seed, epoch])
    dimension = _mean_dimension(rng, training_set)
    before = self.recall("dimensions")
    if not dimension:
      dimension = before[-1]
      _logger.warning(
        "At the begin of epoch %d the features have no local intrinsic "
        "dimension, as too many are alike: that of the epoch before counts",
        epoch + 1,
      )
    self.example_state["dimensions"].assign([*before[1:], dimension])
    lowest = self.recall("lowest_dimension")
    if dimension and not 0 < lowest <= dimension:
      self.example_state["lowest_dimension"].assign(dimension)


def _mean_dimension(rng, training_set):
  """Returns the mean LID of random examples: float, 0 if there is none."""
  num_examples = len(training_set.labels)
  size = min(num_examples, _BATCH_SIZE)
  count = _num_measured(num_examples)
  chosen = np.sort(rng.permutation(num_examples)[:count])
  features = training_set.features(chosen)[rng.permutation(count)]
  dimensions = np.concatenate(
    [
      intrinsic_dimension(batch, min(_NUM_NEIGHBOURS, size - 1))
      for batch in np.split(features, count // size)
    ]
  )
  known = dimensions[np.isfinite(dimensions)]
  return float(known.mean()) if len(known) else 0.0


def _num_measured(num_examples):
  """Returns how many examples are measured: ten batches, or what there is."""
  size = min(num_examples, _BATCH_SIZE)
  return size * min(num_examples // size, _NUM_BATCHES)


def intrinsic_dimension(features, num_neighbours):
  """Estimates the local intrinsic dimension at each of some points.

  `-k / sum(log(r_i / r_k + 1e-8))`, with the distances r_i to the k nearest
  others. With NumPy, not in a step.

  Args:
    features: float array [batch, channels].
    num_neighbours: int, k, below the number of points.

  Returns:
    float64 array [batch], above 0; NaN where the nearest others are all
    equally far away, such as at the same place.
  """
  features = np.asarray(features, np.float64)
  distances = np.sort(distance.cdist(features, features), axis=1)
  nearest = distances[:, 1 : num_neighbours + 1]
  farthest = distances[:, num_neighbours]
  is_apart = farthest > 0
  ratios = nearest / np.where(is_apart, farthest, 1)[:, None]
  total = np.log(ratios + _TINY).sum(axis=1)
  is_known = is_apart & (total < 0)
  return np.where(
    is_known, -num_neighbours / np.where(is_known, total, 1), np.nan
  )


def rises(dimensions):
  """Returns whether the last dimension stands out from those before: bool.

  Args:
    dimensions: float array, from first to last, 0 where it is not known.
  """
  *before, last = np.asarray(dimensions, np.float64)
  deviation = _NUM_DEVIATIONS * np.std(before)
  return bool(min(before) > 0 and last - np.mean(before) > deviation)


def alpha(progress, dimension, lowest):
  """Returns the weight of labels after the turning point: float in (0, 1].

  Args:
    progress: float, the epoch's number from 0 over the number of epochs.
    dimension: float, at the epoch's begin.
    lowest: float above 0, the lowest so far.
  """
  return float(np.exp(-progress * dimension / lowest))
