"""Schedules of the mimicry weight, target variability and learning rate.

They are pure functions from a 0-based epoch to a float. Nothing is remembered
from one epoch to the next, so a run that is resumed needs no replay.
"""

import math

from nct_tf import errors

# The paper ramps alpha up, and decays the learning rate, at 90 % of training.
_RAMPUP_FRACTION = 0.9


def default_rampup_epochs(num_epochs):
  """Returns 90 % of `num_epochs`, rounded down (section 4 of the paper)."""
  return int(_RAMPUP_FRACTION * num_epochs)


def sigmoid_rampup(epoch, rampup_epochs, steepness=0.65, max_value=0.9):
  """The weight of the mimicry loss, alpha_d, at an epoch.

  `max_value * exp(-steepness * (1 - epoch / rampup_epochs)**2)`, and
  `max_value` from `rampup_epochs` on.

  The paper writes exp(-beta (...)^2) and sets beta to -0.65, with which alpha
  would start above 1. `steepness` is minus that beta, so that alpha rises.

  Args:
    epoch: number of epochs done, 0-based, at least 0.
    rampup_epochs: the epoch at which `max_value` is reached, at least 0.
    steepness: how much lower alpha starts, at least 0.
    max_value: alpha_max, in [0, 1].

  Returns:
    float in [0, max_value].

  Raises:
    InvalidInputError: if an argument is out of range.

  References:
    Equation 4 of the paper.
  """
  errors.check_range("epoch", epoch, 0, float("inf"))
  errors.check_range("rampup_epochs", rampup_epochs, 0, float("inf"))
  errors.check_range("steepness", steepness, 0, float("inf"))
  errors.check_range("max_value", max_value, 0, 1)
  if epoch >= rampup_epochs:
    return float(max_value)
  phase = 1 - epoch / rampup_epochs
  return max_value * math.exp(-steepness * phase * phase)


def log_rampup(
  epoch, num_epochs, warmup_epochs=1, min_value=0.0, max_value=0.5
):
  """The target variability rate, r_d, at an epoch.

  `min_value` while `epoch <= warmup_epochs`, then
  `min_value + (max_value - min_value) * log(epoch - warmup_epochs)
  / log(num_epochs - warmup_epochs)`, and `max_value` from `num_epochs` on.

  As log(1) is 0, the first epoch after the warm-up still has `min_value`, and
  so has a fractional epoch before it. As epochs count from 0, the last one
  stays just below `max_value`.

  Args:
    epoch: number of epochs done, 0-based, at least 0.
    num_epochs: e_max, the number of epochs of the whole training, at least 1.
    warmup_epochs: e_w, at least 0.
    min_value: r_min, in [0, 1].
    max_value: r_max, in [min_value, 1].

  Returns:
    float in [min_value, max_value].

  Raises:
    InvalidInputError: if an argument is out of range.

  References:
    Equation 5 of the paper.
  """
  errors.check_range("epoch", epoch, 0, float("inf"))
  errors.check_range("num_epochs", num_epochs, 1, float("inf"))
  errors.check_range("warmup_epochs", warmup_epochs, 0, float("inf"))
  errors.check_range("min_value", min_value, 0, 1)
  errors.check_range("max_value", max_value, min_value, 1)
  if epoch <= warmup_epochs:
    return float(min_value)
  if epoch >= num_epochs:
    return float(max_value)
  if epoch - warmup_epochs <= 1:  # A logarithm at most 0: nothing has risen.
    return float(min_value)
  progress = math.log(epoch - warmup_epochs) / math.log(
    num_epochs - warmup_epochs
  )
  return min_value + (max_value - min_value) * progress


def step_decay(epoch, initial_value, decay_epochs, decay_factor):
  """The learning rate at an epoch.

  `initial_value * decay_factor**n`, where n is the number of `decay_epochs`
  that have been reached.

  Args:
    epoch: number of epochs done, 0-based, at least 0.
    initial_value: the learning rate of epoch 0.
    decay_epochs: sequence of epochs at which the rate is multiplied.
    decay_factor: what it is multiplied by, in (0, 1].

  Returns:
    float.

  Raises:
    InvalidInputError: if an argument is out of range.

  References:
    Section 4 of the paper (x0.1 at epoch 180 of 200 for CIFAR).
  """
  errors.check_range("epoch", epoch, 0, float("inf"))
  errors.check_range("decay_factor", decay_factor, 0, 1, low_open=True)
  num_decays = sum(epoch >= decay_epoch for decay_epoch in decay_epochs)
  return initial_value * decay_factor**num_decays


def linear_decay(epoch, initial_value, begin_epoch, num_epochs):
  """The learning rate at an epoch: constant first, then falling to 0.

  `initial_value * (num_epochs - epoch) / (num_epochs - begin_epoch)` from
  `begin_epoch` on. The last epoch is one step above 0.

  Args:
    epoch: number of epochs done, 0-based, at least 0.
    initial_value: the learning rate up to `begin_epoch`.
    begin_epoch: the epoch from which it falls, at least 0.
    num_epochs: the number of epochs of the whole training, at least 1.

  Returns:
    float.

  Raises:
    InvalidInputError: if an argument is out of range.

  References:
    Han et al., Co-teaching, NeurIPS 2018: it falls from epoch 80 of 200.
  """
  errors.check_range("epoch", epoch, 0, float("inf"))
  errors.check_range("begin_epoch", begin_epoch, 0, float("inf"))
  errors.check_range("num_epochs", num_epochs, 1, float("inf"))
  if epoch < begin_epoch:
    return float(initial_value)
  if epoch >= num_epochs:
    return 0.0
  return initial_value * (num_epochs - epoch) / (num_epochs - begin_epoch)


def cosine_decay(
  epoch, initial_value, num_epochs, min_value=0.0, restarts=False
):
  """The learning rate at an epoch: half a cosine wave.

  `min_value + (initial_value - min_value) * (1 + cos(pi * epoch / num_epochs))
  / 2`, and `min_value` from `num_epochs` on, or with restarts the same again.

  Args:
    epoch: number of epochs done, 0-based, at least 0.
    initial_value: the learning rate of epoch 0.
    num_epochs: after how many epochs `min_value` is reached, at least 1.
    min_value: the lowest learning rate, in [0, initial_value].
    restarts: bool, whether it begins anew after `num_epochs`, again and again.

  Returns:
    float in [min_value, initial_value].

  Raises:
    InvalidInputError: if an argument is out of range.

  References:
    Loshchilov and Hutter, SGDR, ICLR 2017, Equation 5 with T_mult = 1.
  """
  errors.check_range("epoch", epoch, 0, float("inf"))
  errors.check_range("num_epochs", num_epochs, 1, float("inf"))
  errors.check_range("min_value", min_value, 0, initial_value)
  if restarts:
    epoch %= num_epochs
  if epoch >= num_epochs:
    return float(min_value)
  share = (1 + math.cos(math.pi * epoch / num_epochs)) / 2
  return min_value + (initial_value - min_value) * share


def time_decay(epoch, initial_value, decay):
  """The learning rate at an epoch: `initial_value / (1 + decay * epoch)`.

  The optimizers of Keras 1 and 2 had a `decay` per step; `decay` here is that
  times the steps of an epoch.

  Args:
    epoch: number of epochs done, 0-based, at least 0.
    initial_value: the learning rate of epoch 0.
    decay: float, at least 0.

  Returns:
    float.

  Raises:
    InvalidInputError: if an argument is out of range.
  """
  errors.check_range("epoch", epoch, 0, float("inf"))
  errors.check_range("decay", decay, 0, float("inf"))
  return initial_value / (1 + decay * epoch)


def exponential_decay(epoch, initial_value, decay_factor):
  """The learning rate at an epoch: `initial_value * decay_factor**epoch`.

  Args:
    epoch: number of epochs done, 0-based, at least 0.
    initial_value: the learning rate of epoch 0.
    decay_factor: what it is multiplied by after each epoch, in (0, 1].

  Returns:
    float.

  Raises:
    InvalidInputError: if an argument is out of range.
  """
  errors.check_range("epoch", epoch, 0, float("inf"))
  errors.check_range("decay_factor", decay_factor, 0, 1, low_open=True)
  return initial_value * decay_factor**epoch
