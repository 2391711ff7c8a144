"""What the device is, and how fast it multiplies matrices and moves memory."""

import os
import time

import tensorflow as tf

from nct_tf import units
from nct_tf.system import devices

# What is multiplied where networks compute with `--mixed_precision`.
DTYPES = {"none": "float32", "bfloat16": "bfloat16", "float16": "float16"}

_SIDES = {"CPU": (1024, 2048, 4096), "GPU": (2048, 4096, 8192, 16384)}
_NUM_FLOATS = {"CPU": 2**26, "GPU": 2**28}
# A measurement is the best of some groups of calls.
_NUM_GROUPS = 5
_GROUP_SECONDS = 0.2
_MAX_CALLS = 200
# Where a product takes longer, larger ones are not tried.
_LONG_SECONDS = 0.5


def describe(mixed_precision="none"):
  """Measures the device that a step is made on.

  Args:
    mixed_precision: str, of a `TrainConfig`; its products are measured beside
      those in float32 and bfloat16.

  Returns:
    dict ready for JSON: `name`; `kind`, `GPU` or `CPU`; `num_devices`, of GPUs,
    or of the processors that this process may use; `mixed_precision`, which is
    not `auto`; `uses_tf32`, whether
    products of float32 are made in TF32; `matmul_flops_per_second`, dict from
    the name of a data type to the best rate over matrices of several sizes;
    `copied_bytes_per_second`, of a large sum `a += b`, which reads two arrays
    and writes one.
  """
  devices.prepare()  # Other processes need memory of the card, too.
  kind = "GPU" if is_gpu() else "CPU"
  mixed_precision = devices.choose_precision(mixed_precision)
  dtypes = dict.fromkeys(("float32", "bfloat16", DTYPES[mixed_precision]))
  return {
    "name": str(devices.find()[0]),
    "kind": kind,
    "num_devices": len(tf.config.list_physical_devices("GPU"))
    or len(os.sched_getaffinity(0)),
    "mixed_precision": mixed_precision,
    "uses_tf32": is_gpu()
    and tf.config.experimental.tensor_float_32_execution_enabled(),
    "matmul_flops_per_second": {
      dtype: _matmul_rate(dtype, _SIDES[kind]) for dtype in dtypes
    },
    "copied_bytes_per_second": _copy_rate(_NUM_FLOATS[kind]),
  }


def is_gpu():
  """Returns whether a step is made on a GPU."""
  return bool(tf.config.list_physical_devices("GPU"))


def _matmul_rate(dtype, sides):
  """Returns the best rate of products of square matrices, in FLOP/s."""
  rates = []
  for side in sides:
    # Of this size, products of products stay as large as they are.
    factor = tf.random.normal([side, side], stddev=side**-0.5)
    factor = tf.cast(factor, dtype)

    def multiply(number, factor=factor):
      product = factor
      for _ in range(number):
        product = tf.matmul(product, factor)
      return product[0, 0]

    seconds = _best_seconds(multiply)
    rates.append(2 * side**3 / seconds)
    if seconds > _LONG_SECONDS:
      break
  return max(rates)


def _copy_rate(num_floats):
  """Returns the rate of `a += b`, in bytes that are read or written."""
  total = tf.Variable(tf.zeros([num_floats]))
  added = tf.ones([num_floats])

  def add(number):
    for _ in range(number):
      total.assign_add(added)
    return total.sparse_read([0])

  return 3 * 4 * num_floats / _best_seconds(add)


def _best_seconds(function):
  """Returns the least seconds of one of a function's calls.

  Args:
    function: of how many calls are made. It returns a tensor that is known when
      all of them are done: it is read once for all, as a GPU would wait.
  """
  function(1).numpy()
  once = _seconds(function, 1)
  number = max(1, min(_MAX_CALLS, int(_GROUP_SECONDS / once)))
  times = [_seconds(function, number) for _ in range(_NUM_GROUPS)]
  return min(once, *times)


def _seconds(function, number):
  begin = time.perf_counter()
  function(number).numpy()
  return (time.perf_counter() - begin) / number


def format_device(device):
  """Returns a line on what `describe` measured.

  Args:
    device: its dict.
  """
  rates = [
    f"{_dtype_name(device, dtype)} {units.operations(rate)}/s"
    for dtype, rate in device["matmul_flops_per_second"].items()
  ]
  number = device["num_devices"]
  count = f"{number} {device['kind']}{'' if number == 1 else 's'}"
  if device["kind"] == "CPU":
    count = f"{number} processor{'' if number == 1 else 's'}"
  return (
    f"{device['name']}, {count}; matrix products: {', '.join(rates)}; memory "
    f"{units.num_bytes(device['copied_bytes_per_second'])}/s"
  )


def _dtype_name(device, dtype):
  return "TF32" if dtype == "float32" and device["uses_tf32"] else dtype
