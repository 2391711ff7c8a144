"""An exponential moving average of a model's weights."""

import contextlib

import tensorflow as tf

from nct_tf.models import weights


class WeightAverage:
  """Follows the weights of a model's networks, moving statistics included.

  After step n (from 0) `average += (1 - d) * (weight - average)` with
  `d = min(decay, (1 + n) / (10 + n))`: at first the average follows closely,
  and forgets the random weights that it began with. Where they begin anew, so
  does n. Weights that are integers, such as counters, are taken as they are.

  The averages are kept once for all replicas.

  Args:
    model: a `Classifier`.
    decay: float in [0, 1).

  Attributes:
    weights: dict as of `training_weights.network_weights`, of the averages.
  """

  def __init__(self, model, decay):
    self._model = model
    self._decay = decay
    self._begin = tf.Variable(0.0, dtype=tf.float64, trainable=False)
    self._sources = weights.network_weights(model)
    self.weights = {
      name: [
        tf.Variable(tf.convert_to_tensor(variable), trainable=False)
        for variable in variables
      ]
      for name, variables in self._sources.items()
    }

  def update(self, step):
    """Follows the weights.

    Args:
      step: integer scalar, the number of the step in the whole training.
    """
    step = tf.cast(step, tf.float64) - self._begin
    decay = tf.minimum(
      tf.constant(self._decay, tf.float64), (1 + step) / (10 + step)
    )
    share = tf.cast(1.0 - decay, tf.float32)
    for average, source in self._pairs():
      if average.dtype.is_floating:
        average.assign_add(share * (tf.convert_to_tensor(source) - average))
      else:
        average.assign(tf.convert_to_tensor(source))

  def count_from(self, begin):
    """Has n count from a step; no average changes.

    It is in no checkpoint, as it is a function of how far the training is.

    Args:
      begin: int, the number of the step in the whole training.
    """
    self._begin.assign(begin)

  def restart(self):
    """Takes the weights as they are for the averages."""
    for average, source in self._pairs():
      average.assign(tf.convert_to_tensor(source))

  @contextlib.contextmanager
  def swapped(self):
    """Within this, the model has the averages for its weights."""
    before = [tf.identity(source) for _, source in self._pairs()]
    self._assign([average for average, _ in self._pairs()])
    try:
      yield
    finally:
      self._assign(before)

  def _assign(self, values):
    for (_, source), value in zip(self._pairs(), values, strict=True):
      source.assign(value)
    weights.spread_to_replicas(self._model)

  def _pairs(self):
    return [
      pair
      for name, averages in self.weights.items()
      for pair in zip(averages, self._sources[name], strict=True)
    ]
