"""Keras callbacks that set the values that depend on the epoch."""

import dataclasses

import keras

from nct_tf import errors
from nct_tf.methods import nct


class EpochSchedule(keras.callbacks.Callback):
  """Sets a value once an epoch, and logs it.

  Args:
    name: str, the key in the logs.
    schedule: a pure function from the 0-based epoch to a float.
    assign: a function that takes the float, such as a variable's `assign`.
  """

  def __init__(self, name, schedule, assign):
    super().__init__()
    self.name = name
    self.schedule = schedule
    self.assign = assign

  def on_epoch_begin(self, epoch, logs=None):
    self.assign(self.schedule(epoch))

  def on_epoch_end(self, epoch, logs=None):
    if logs is not None:
      logs[self.name] = self.schedule(epoch)


def model_schedules(model, num_epochs):
  """Returns the schedules of a method, for `fit` of its model.

  Args:
    model: a `models.classifier.Classifier`.
    num_epochs: int, of the whole training.

  Returns:
    list of `EpochSchedule`.
  """
  return _callbacks(model, model.schedules(num_epochs))


def set_last_epoch(model, num_epochs):
  """Gives what a method schedules the values of a training's last epoch.

  Args:
    model: a `models.classifier.Classifier`.
    num_epochs: int, of the whole training.
  """
  for each in model_schedules(model, num_epochs):
    each.on_epoch_begin(num_epochs - 1)


def _callbacks(model, schedules):
  """Returns an `EpochSchedule` for each weight of a model that has one."""
  return [
    EpochSchedule(name, schedule, getattr(model, name).assign)
    for name, schedule in schedules.items()
  ]


def concurrent_schedules(model, num_epochs, target_variability_max=None):
  """Returns the paper's schedules, for `fit` of a `ConcurrentModel`.

  Args:
    model: a `methods.nct.ConcurrentModel`.
    num_epochs: int, of the whole training.
    target_variability_max: float in [0, 1], which the share of random labels
      rises to; None for the model's own. With two classes it must stay well
      below 0.5. A random label is always the other class then, so at 0.5 the
      labels carry no information.

  Returns:
    list of two `EpochSchedule`, of `alpha` and `target_variability_rate`.

  Raises:
    InvalidInputError: if `target_variability_max` is above 0, but the model was
      made with 0.

  References:
    Equations 4 and 5 of the paper.
  """
  if target_variability_max is None:
    return model_schedules(model, num_epochs)
  if target_variability_max and not model.options.target_variability_max:
    raise errors.InvalidInputError(
      "Argument `target_variability_max` must be 0, as the model's own is. "
      f"Received: target_variability_max={target_variability_max}"
    )
  options = dataclasses.replace(
    model.options, target_variability_max=target_variability_max
  )
  return _callbacks(model, nct.schedules_of(options, num_epochs))


class LearningRateSchedule(EpochSchedule):
  """Sets the learning rate once an epoch, with the meaning PyTorch gives it.

  Keras keeps the rate inside the velocity of SGD, `v = m * v - rate * g`. After
  a drop of the rate, the old velocity would persist for some steps, much larger
  than the new gradients can correct. So the velocity is scaled along with the
  rate. Then every step is `rate * v` with `v = m * v + g`, as in PyTorch. Only
  an epoch at a rate of 0 leaves a velocity of 0.

  The velocity is scaled at the end of the epoch before the change. So a
  checkpoint, wherever in an epoch it was written, holds the velocity that the
  next step takes.

  Args:
    schedule: a pure function from the 0-based epoch to a float.
    optimizer: a Keras optimizer.
    velocities: a function without arguments that returns the optimizer's
      velocities, a list of variables.
  """

  def __init__(self, schedule, optimizer, velocities):
    super().__init__(
      "learning_rate",
      schedule,
      lambda rate: setattr(optimizer, "learning_rate", rate),
    )
    self.velocities = velocities

  def on_epoch_end(self, epoch, logs=None):
    super().on_epoch_end(epoch, logs)
    rate, following = self.schedule(epoch), self.schedule(epoch + 1)
    if following == rate:
      return
    # At a rate of 0 the velocity has nothing that could be scaled.
    ratio = following / rate if rate else 0.0
    for velocity in self.velocities():
      velocity.assign(velocity * ratio)
