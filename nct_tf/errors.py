"""The errors of this package, by what the caller can do about them."""

import math
import os

# The exit code of a process that goes on when it is started again.
RESTART_CODE = os.EX_TEMPFAIL  # 75.


class InvalidInputError(ValueError):
  """An argument, a file or a dataset is not what it must be.

  Its text is one line that says what was wrong, where, and what would be
  right; scripts print it without a traceback.
  """


def check_range(name, value, low, high, *, low_open=False, high_open=False):
  """Raises `InvalidInputError` unless `value` lies between `low` and `high`.

  Args:
    name: str, the argument's name, for the message.
    value: a number.
    low: the lower bound.
    high: the upper bound; `float("inf")` for none.
    low_open: whether `low` itself is refused.
    high_open: whether `high` itself is refused.
  """
  above = value > low if low_open else value >= low
  below = value < high if high_open else value <= high
  below = below and math.isfinite(value)
  if not (above and below):
    left = "(" if low_open else "["
    right = ")" if high_open or high == float("inf") else "]"
    raise InvalidInputError(
      f"Argument `{name}` must be in {left}{low}, {high}{right}. "
      f"Received: {name}={value}"
    )


def check_choice(name, value, choices):
  """Raises `InvalidInputError` unless `value` is one of `choices`."""
  if value not in choices:
    raise InvalidInputError(
      f"Argument `{name}` must be one of {', '.join(choices)}. "
      f"Received: {name}={value}"
    )


class TrainingDivergedError(RuntimeError):
  """The loss is no longer a finite number."""


class DeviceError(RuntimeError):
  """A device is out of memory, gone, or XLA cannot compile for it."""


class StorageError(RuntimeError):
  """A file could not be written: the disk is full, or no longer there."""


class TrainingInterrupted(KeyboardInterrupt):  # noqa: N818 It is no error.
  """A run was stopped before its end, and goes on when it is started again.

  Like its base class, it is not caught by `except Exception`.
  """


class ServerError(RuntimeError):
  """A server cannot be reached, or does not answer as it should."""
