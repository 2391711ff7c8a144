"""What a program computes on: devices, their precision, XLA, determinism.

`prepare` comes before anything computes, `log` before work that takes long.
"""

import ctypes
import glob
import logging
import os
import re
from typing import NamedTuple

import keras
import tensorflow as tf

from nct_tf import units

_logger = logging.getLogger(__name__)

# What NVIDIA calls the generation of a card; from these on it has units for
# the type. TensorFlow converts to float32 and back where it has none.
_HAS_FLOAT16 = (7, 0)
_HAS_BFLOAT16 = (8, 0)

# What Linux calls a processor's units for a type.
_CPU_UNITS = {
  "bfloat16": ("amx_bf16", "avx512_bf16"),
  "float16": ("amx_fp16", "avx512_fp16"),
}

# Results of CUDA's functions that a machine without a GPU may give.
_CUDA_STUB = 34
_CUDA_NO_DEVICE = 100


class Device(NamedTuple):
  """Something that computes.

  Attributes:
    kind: str, `CPU`, `GPU` or `TPU`.
    name: str, what its maker calls it; empty where that is not known.
    memory: int, bytes, of a GPU; None where that is not known.
    compute_capability: pair of int, the generation of a GPU of NVIDIA's; None
      for others.
  """

  kind: str
  name: str = ""
  memory: int | None = None
  compute_capability: tuple[int, int] | None = None

  def __str__(self):
    return self.name or self.kind

  def has_units(self, precision):
    """Returns whether it computes in `bfloat16` or `float16` by itself."""
    if self.kind == "CPU":
      return bool(_units_of_cpu(precision))
    if self.kind == "TPU":
      return precision == "bfloat16"
    needed = _HAS_BFLOAT16 if precision == "bfloat16" else _HAS_FLOAT16
    return self.compute_capability is None or self.compute_capability >= needed


def prepare(deterministic=False, seed=0):
  """Makes ready what must be so before TensorFlow computes anything.

  GPUs give memory as it is needed, not all of it at once.

  Args:
    deterministic: bool, whether all operations are to give the same bits
      whenever they run. It stays so until the process ends.
    seed: int, of Python's, NumPy's and TensorFlow's random numbers; set only if
      `deterministic`.
  """
  for gpu in tf.config.get_visible_devices("GPU"):
    try:
      tf.config.experimental.set_memory_growth(gpu, True)
    except (RuntimeError, ValueError):
      break  # Somebody else has computed here, or has divided the card.
  if deterministic:
    # Without a seed, TensorFlow would refuse random numbers from now on.
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def find(strategy=None):
  """Returns the devices of this process that a strategy computes on.

  Args:
    strategy: a `tf.distribute.Strategy`; if it is None, the current one.

  Returns:
    list of `Device`, the like of which may repeat.
  """
  strategy = strategy or tf.distribute.get_strategy()
  gpus = tf.config.get_visible_devices("GPU")
  try:
    names = strategy.extended.worker_devices
  except RuntimeError:  # That of TensorFlow itself: its first device.
    names = ("/GPU:0",) if gpus else ("/CPU:0",)
  found = []
  for name in names:
    spec = tf.DeviceSpec.from_string(name)
    if spec.device_type == "GPU":
      # A card may be divided into several devices of TensorFlow's.
      found.append(_gpu(gpus[min(spec.device_index, len(gpus) - 1)]))
    elif spec.device_type == "CPU":
      found.append(Device("CPU", _read_cpuinfo("model name")))
    else:
      found.append(Device(spec.device_type))
  return found


def use_xla(jit_compile, strategy=None):
  """Returns whether steps are compiled by XLA: bool.

  Args:
    jit_compile: str, `auto`, `true` or `false`; `auto` compiles for GPUs and
      TPUs.
    strategy: see `find`.
  """
  if jit_compile == "auto":
    return all(each.kind != "CPU" for each in find(strategy))
  return jit_compile == "true"


def choose_precision(mixed_precision, strategy=None):
  """Returns a precision that is not `auto`: str.

  Args:
    mixed_precision: str, `auto` or one that is returned as it is; `auto` is
      `bfloat16` where all devices are GPUs with units for it, else `none`.
    strategy: see `find`.
  """
  if mixed_precision != "auto":
    return mixed_precision
  has_units = all(
    each.kind == "GPU" and each.has_units("bfloat16") for each in find(strategy)
  )
  return "bfloat16" if has_units else "none"


def log(mixed_precision="none", jit_compile=None, strategy=None):
  """Logs what a program computes on, and how, and what is amiss.

  Args:
    mixed_precision: str, not `auto`.
    jit_compile: see `use_xla`; None where nobody asks for XLA.
    strategy: see `find`.
  """
  for line in describe(mixed_precision, jit_compile, strategy):
    _logger.info("%s", line)
  for line in find_warnings(mixed_precision, strategy):
    _logger.warning("%s", line)


def describe(mixed_precision="none", jit_compile=None, strategy=None):
  """Returns what a program computes on, and how: list of lines.

  Args:
    mixed_precision: see `log`, as for the others.
    jit_compile: str.
    strategy: a `tf.distribute.Strategy`.
  """
  found = find(strategy)
  lines = [
    f"Device: {_describe_all(found)}",
    f"Precision: {_describe_precision(mixed_precision, found)}",
  ]
  if jit_compile is not None:
    lines.append(f"XLA: {_describe_xla(jit_compile, found, strategy)}")
  return lines


def find_warnings(mixed_precision="none", strategy=None):
  """Returns what somebody may not expect here: list of lines.

  Args:
    mixed_precision: str, not `auto`.
    strategy: see `find`.
  """
  warnings = []
  if problem := _why_no_gpu():
    warnings.append(problem)
  if mixed_precision != "none":
    without = [
      each for each in find(strategy) if not each.has_units(mixed_precision)
    ]
    if without:
      warnings.append(
        f"--mixed_precision={mixed_precision} is slower than none here: "
        f"{_describe(without[0])} has no units for it, and converts"
      )
  return warnings


def _describe_all(found):
  parts = []
  for device in dict.fromkeys(found):
    number, text = found.count(device), _describe(device)
    if number > 1 and device.kind == "CPU":
      text = f"{text}, as {number} devices"
    elif number > 1:
      text = f"{number} x {text}"
    parts.append(text)
  return ", ".join(parts)


def _describe(device):
  """Returns a device as text, with what is known of it."""
  facts = []
  if device.kind == "CPU":
    cores = _num_cores()
    facts.append(f"{cores} {'core' if cores == 1 else 'cores'}")
    found = _units_of_cpu("bfloat16")
    facts.append(
      f"bfloat16 by {', '.join(found)}" if found else "no bfloat16 units"
    )
  if device.memory is not None:
    facts.append(f"{units.num_bytes(device.memory)}, taken as needed")
  if device.compute_capability is not None:
    major, minor = device.compute_capability
    facts.append(f"compute capability {major}.{minor}")
  name = f"{device.kind} {device.name}".strip()
  return f"{name} ({'; '.join(facts)})" if facts else name


def _describe_precision(mixed_precision, found):
  if mixed_precision != "none":
    return f"{mixed_precision}; weights, losses and logits are float32"
  if not any(_uses_tf32(each) for each in found):
    return "float32"
  return (
    "float32, whose products are TF32 (10 bits of fraction), as is Keras' "
    "default on such a GPU; --mixed_precision=bfloat16 is faster"
  )


def _uses_tf32(device):
  return (
    device.compute_capability is not None
    and device.compute_capability >= _HAS_BFLOAT16
    and tf.config.experimental.tensor_float_32_execution_enabled()
  )


def _describe_xla(jit_compile, found, strategy):
  is_on = use_xla(jit_compile, strategy)
  if jit_compile != "auto":
    return f"{'on' if is_on else 'off'}, as --jit_compile={jit_compile} says"
  if is_on:
    return f"on, as this is a {found[0].kind} (--jit_compile=auto)"
  return "off, as it slows convolutions on CPUs down (--jit_compile=auto)"


def _gpu(physical_device):
  details = tf.config.experimental.get_device_details(physical_device)
  index = int(physical_device.name.rpartition(":")[2])
  memories = _cuda_memories()
  return Device(
    "GPU",
    details.get("device_name", ""),
    memories[index] if index < len(memories) else None,
    details.get("compute_capability"),
  )


def _num_cores():
  """Returns how many cores this process may use."""
  if hasattr(os, "sched_getaffinity"):
    return len(os.sched_getaffinity(0))
  return os.cpu_count()


def _read_cpuinfo(name):
  """Returns a line's value in /proc/cpuinfo; empty if there is none."""
  try:
    with open("/proc/cpuinfo", encoding="utf-8") as file:
      found = re.search(rf"^{name}\s*: (.*)$", file.read(), re.MULTILINE)
  except OSError:
    return ""
  return found.group(1).strip() if found else ""


def _units_of_cpu(precision):
  """Returns the names of the processor's units for a type: list of str."""
  flags = _read_cpuinfo("flags").split()
  return [name for name in _CPU_UNITS[precision] if name in flags]


def _load_cuda():
  """Returns the NVIDIA driver's library, or None.

  TensorFlow does not tell how much memory a card has. The driver counts the
  cards as TensorFlow does, while nvidia-smi may have them in another order.
  """
  try:
    return ctypes.CDLL("libcuda.so.1")
  except OSError:
    return None


def _cuda_memories():
  """Returns the bytes of each card that the driver shows: list of int."""
  cuda = _load_cuda()
  if cuda is None or cuda.cuInit(0):
    return []
  result = []
  for index in range(_count_cards(cuda)):
    device, memory = ctypes.c_int(), ctypes.c_size_t()
    if cuda.cuDeviceGet(ctypes.byref(device), index):
      break
    if cuda.cuDeviceTotalMem_v2(ctypes.byref(memory), device):
      break
    result.append(memory.value)
  return result


def _count_cards(cuda):
  number = ctypes.c_int()
  return 0 if cuda.cuDeviceGetCount(ctypes.byref(number)) else number.value


def _why_no_gpu():
  """Returns why TensorFlow sees no GPU where there is one, or None."""
  if tf.config.list_physical_devices("GPU"):
    return None
  cuda = _load_cuda()
  if cuda is None:
    return None
  code = cuda.cuInit(0)
  if code in (_CUDA_STUB, _CUDA_NO_DEVICE):
    # Whoever hides the cards wants none.
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    if hidden or not glob.glob("/dev/nvidia[0-9]*"):
      return None
  if code:
    return (
      f"No GPU is used: the NVIDIA driver does not start "
      f"({_cuda_text(cuda, code)}); nvidia-smi may tell more"
    )
  number = _count_cards(cuda)
  if not number:
    return None
  reason = "its CUDA libraries are not installed or do not load"
  if not tf.test.is_built_with_cuda():
    reason = "it is built without CUDA"
  return (
    f"No GPU is used: the NVIDIA driver shows {number}, TensorFlow "
    f"{tf.__version__} none; {reason} (`make environment` installs "
    "tensorflow[and-cuda] on a machine with a GPU)"
  )


def _cuda_text(cuda, code):
  text = ctypes.c_char_p()
  if cuda.cuGetErrorString(code, ctypes.byref(text)) or not text.value:
    return f"CUDA error {code}"
  return text.value.decode()
