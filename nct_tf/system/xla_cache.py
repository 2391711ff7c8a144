"""What XLA has compiled, kept on disk, so that a second start need not."""

import hashlib
import os
import pathlib
import platform

import keras
import tensorflow as tf

from nct_tf.system import devices

_FLAGS = "TF_XLA_FLAGS"  # TensorFlow reads it when it first computes.
_DIRECTORY = "--tf_xla_persistent_cache_directory"
_ENTRIES = "xla_compile_cache__*"


def enable(cache_dir):
  """Has XLA keep what it compiles; call it before TensorFlow computes anything.

  Each version of TensorFlow, and each kind of device, has a folder of its own.
  On TensorFlow 2.15 nothing is kept: its XLA cannot write what it has compiled.
  Nor is anything changed if the environment names a folder already.

  Args:
    cache_dir: `pathlib.Path`, see `options.run`.

  Returns:
    `pathlib.Path` of the folder; None if nothing is kept.

  Raises:
    OSError: if the folder cannot be written.
  """
  flags = os.environ.get(_FLAGS, "")
  if keras.__version__.startswith("2.") or _DIRECTORY in flags:
    return None
  folder = pathlib.Path(cache_dir) / "xla" / _name()
  folder.mkdir(parents=True, exist_ok=True)
  probe = folder / f"writable-{os.getpid()}"
  probe.touch()
  probe.unlink()
  os.environ[_FLAGS] = f"{flags} {_DIRECTORY}={folder}".strip()
  return folder


def empty():
  """Deletes what is kept, as it cannot be read.

  Returns:
    bool, whether there was anything.
  """
  folder = os.environ.get(_FLAGS, "").rpartition(f"{_DIRECTORY}=")[2]
  entries = list(pathlib.Path(folder).glob(_ENTRIES)) if folder else []
  for entry in entries:
    entry.unlink(missing_ok=True)
  return bool(entries)


def _name():
  """Returns a folder's name for what a compiled program runs on."""
  machine = [platform.machine(), devices.cpu_flags()]
  found = [f"{each} {each.compute_capability}" for each in devices.find()]
  digest = hashlib.sha256("\n".join([*machine, *found]).encode()).hexdigest()
  return f"tensorflow-{tf.__version__}-{digest[:12]}"
