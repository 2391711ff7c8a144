"""All that a run must save to go on exactly as if it had not been stopped."""

import math

import numpy as np
import tensorflow as tf

from nct_tf import distribution, errors
from nct_tf.models import weights
from nct_tf.workdir import checkpoints


class TrainingState:
  """Weights, optimizer, position and half-counted means, in one checkpoint.

  It also holds what a method remembers of the examples. Everything else is a
  function of the position: the data's order and augmentation, random draws, the
  schedules.

  Args:
    model: a compiled `Classifier`.
    average: a `weight_average.WeightAverage` of the model, or None.
    label_scores: a `label_scores.LabelScores`, or None.

  Attributes:
    position: `checkpoints.Position`, how far the weights are trained.
    means: float32 array, `metrics.Means.get_state` of the epoch so far.
    seconds: float, how long the epoch has taken so far.
  """

  def __init__(self, model, average=None, label_scores=None):
    self._model = model
    self._average = average
    self._start = None
    self.position = checkpoints.Position(0)
    self.means = model.means.get_state()
    self.seconds = 0.0
    strategy = model.distribute_strategy
    if hasattr(model.optimizer, "build"):
      # The optimizers of tensorflow-addons have no `build`. They make their
      # variables at their first step, and only then read the checkpoint.
      with strategy.scope():
        model.optimizer.build(model.trainable_variables)
    # One copy is written for all replicas, and one process writes it by itself.
    # To read moving statistics as a whole would gather them from all machines.
    self._position = tf.Variable([0, 0], dtype=tf.int64)
    self._means = tf.Variable(self.means)
    self._seconds = tf.Variable(0.0, dtype=tf.float64)
    remembered = {
      f"method_{name}": variable
      for name, variable in model.example_variables.items()
    }
    if label_scores:
      remembered["label_scores"] = label_scores.table.variable
    self._remembered = {
      name: distribution.local_components(strategy, variable)
      for name, variable in remembered.items()
    }
    self.checkpoint = tf.train.Checkpoint(
      optimizer=_optimizer_state(model.optimizer),
      position=self._position,
      means=self._means,
      seconds=self._seconds,
      **weights.trained_weights(model),
      **({"average": average.weights} if average else {}),
      **{name: first for name, (first, *_) in self._remembered.items()},
    )

  def write(self, directory):
    """Writes a checkpoint of `position`.

    Args:
      directory: `checkpoints.Checkpoints`.

    Raises:
      TrainingDivergedError: if a weight is not finite.
      StorageError: see `Checkpoints.write`.
    """
    if not self._is_finite():
      raise errors.TrainingDivergedError(
        f"A weight is no longer finite after {_describe(self.position)}: try "
        "a lower --learning_rate, or --mixed_precision=none. The last good "
        f"checkpoint: {directory.last() or 'none yet'}"
      )
    self._position.assign(self.position)
    self._means.assign(self.means)
    self._seconds.assign(self.seconds)
    directory.write(self.position, self.checkpoint)

  def _is_finite(self):
    sums = [
      tf.reduce_sum(tf.abs(tf.convert_to_tensor(variable)))
      for variable in self._model.trainable_variables
    ]
    return math.isfinite(float(tf.add_n(sums)))

  def read(self, directory, position):
    """Takes everything from the checkpoint of a position."""
    path = directory.find()[position]
    status = self.checkpoint.read(checkpoints.prefix(path))
    try:
      status.assert_existing_objects_matched()
    except AssertionError as error:
      raise errors.InvalidInputError(
        f"Checkpoint {path} is of another model: {error}"
      ) from error
    weights.spread_to_replicas(self._model)
    for first, *others in self._remembered.values():
      for other in others:
        other.assign(first)
    self.position = checkpoints.Position(*self._position.numpy().tolist())
    self.means = self._means.numpy()
    self.seconds = float(self._seconds)

  def keep_start(self):
    """Keeps the networks and the optimizer as they are, for `restart`."""
    self._start = {
      variable.ref(): variable.numpy() for variable in self._trained()
    }

  def restart(self):
    """Brings the networks and the optimizer back to what `keep_start` kept."""
    for variable in self._trained():
      # Some optimizers make their variables, of zeros, at their first step.
      variable.assign(self._start.get(variable.ref(), np.zeros(variable.shape)))
    weights.spread_to_replicas(self._model)

  def count_average_from(self, begin):
    """See `weight_average.WeightAverage.count_from`."""
    if self._average:
      self._average.count_from(begin)

  def restart_average(self):
    """Takes the weights as they are for their averages, if there are any."""
    if self._average:
      self._average.restart()

  def _trained(self):
    """Returns the variables that training changes: list of `tf.Variable`."""
    layers = weights.trained_weights(self._model).values()
    optimizer = self._model.optimizer.variables
    if callable(optimizer) and not isinstance(optimizer, list):
      optimizer = optimizer()  # Of tensorflow-addons.
    return [variable for layer in layers for variable in layer] + [
      distribution.tensorflow_variable(variable) for variable in optimizer
    ]


def _optimizer_state(optimizer):
  """Returns what a checkpoint holds of an optimizer."""
  if hasattr(optimizer, "scale_loss"):
    # The whole optimizer of Keras 3 would write the networks' weights again.
    return [
      distribution.tensorflow_variable(variable)
      for variable in optimizer.variables
    ]
  return optimizer


def _describe(position):
  return f"epoch {position.epoch}" + (
    f" and {position.step} steps" if position.step else ""
  )
