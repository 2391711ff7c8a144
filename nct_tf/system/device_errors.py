"""What TensorFlow's errors about devices mean, in one line.

What this package raises while TensorFlow reads images for it comes as an error
of TensorFlow, too.
"""

import re
from typing import NamedTuple

import tensorflow as tf

from nct_tf import errors

# Kinds of failures.
MEMORY = "memory"
XLA = "xla"
LOST = "lost"
INPUT = "input"  # No device, but a file that it was to get.

_INPUT_SIGN = rf"\b{errors.InvalidInputError.__name__}: (.*)"
_NO_DISK = "No space left on device"

# The first one that is found in an error's text tells its kind. TensorFlow has
# no class of error for most of them.
_SIGNS = (
  (
    MEMORY,
    r"OOM when allocating|out of memory|OUT_OF_MEMORY|[Ff]ailed to allocate|"
    r"trying to allocate|ALLOC_FAILED|Dst tensor is not initialized",
  ),
  (
    XLA,
    r"unsupported operations? when trying to compile|[Ll]ibdevice|ptxas|"
    r"PTX compilation|XLA [Cc]ompilation|compile-time constant",
  ),
  (
    LOST,
    r"CUDA_ERROR_|CUDNN_STATUS_|CUBLAS_STATUS_|CUDA-capable|cuda\w+\(\)[^\n]* "
    r"failed|CUDA runtime implicit initialization|DNN library",
  ),
)
_MAX_LENGTH = 160


class Failure(NamedTuple):
  """Why a device did not do what it should.

  Attributes:
    kind: str, `MEMORY`, `XLA`, `LOST` or `INPUT`.
    text: str, a line without a full stop.
  """

  kind: str
  text: str


def explain(error):
  """Returns the `Failure` that an error tells of, or None if it is another.

  Args:
    error: an exception.
  """
  if not isinstance(error, tf.errors.OpError) or _NO_DISK in error.message:
    return None
  found = re.search(_INPUT_SIGN, error.message)
  if found:
    return Failure(INPUT, found[1])
  for kind, pattern in _SIGNS:
    found = re.search(pattern, error.message)
    if found:
      return Failure(kind, _TEXTS[kind](_text_at(error.message, found)))
  return None


def first_line(error):
  """Returns what an error of TensorFlow's says, without where it arose: str.

  Args:
    error: a `tf.errors.OpError`.
  """
  before, _, _ = error.message.partition("\n\t [[")
  return _without_marks((before.strip().splitlines() or [""])[-1])


def _text_at(message, found):
  """Returns the line of a match, without TensorFlow's own marks.

  Of a long one it returns its end, or what follows the match.
  """
  begin = message.rfind("\n", 0, found.start()) + 1
  line = message[begin:].splitlines()[0]
  if len(line) > _MAX_LENGTH:
    line = line[min(found.start() - begin, len(line) - _MAX_LENGTH) :]
  line = _without_marks(line)
  return line if len(line) <= _MAX_LENGTH else f"{line[:_MAX_LENGTH]}..."


def _without_marks(line):
  return re.sub(r"\{\{.*?\}\} ?|\[Op:.*|\[_XlaMust.*?\]", "", line).strip()


def _describe_memory(line):
  tensor = re.search(
    r"tensor with shape\s?(\[[\d,]*\]) and type (\w+) on \S*device:(\w+:\d+)",
    line,
  )
  device, reason = "The GPU", line
  if tensor:
    shape, kind, device = tensor.groups()
    reason = f"no room for a tensor of shape {shape} and type {kind}"
  text = f"{device} is out of memory ({reason})"
  if not device.startswith("CPU"):
    text += "; nvidia-smi shows whether other programs use it"
  return text


def _describe_xla(line):
  return f"XLA cannot compile this here ({line})"


def _describe_lost(line):
  return (
    f"The GPU is gone, in use, or does not fit TensorFlow ({line}); nvidia-smi "
    "shows whether it is there, and CUDA_VISIBLE_DEVICES=-1 does without it"
  )


_TEXTS = {MEMORY: _describe_memory, XLA: _describe_xla, LOST: _describe_lost}
