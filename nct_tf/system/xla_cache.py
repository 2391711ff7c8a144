"""What XLA has compiled, kept on disk, so that a second start need not.

TensorFlow need not be imported for this, and must not be yet: it reads where to
keep things when it first looks at the devices, which some of its modules do at
import.
"""

import glob
import hashlib
from importlib import metadata
import logging
import os
import pathlib
import platform

from nct_tf.system import files

_logger = logging.getLogger(__name__)

_FLAGS = "TF_XLA_FLAGS"
_DIRECTORY = "--tf_xla_persistent_cache_directory"
_ENTRIES = "xla_compile_cache__*"


def enable(jit_compile, cache_dir=None):
  """Has XLA keep what it compiles, from when TensorFlow is first used.

  Each version of TensorFlow, and each kind of processor and of GPU, has a
  folder of its own, which is made when there is something to keep. With
  TensorFlow 2.15 nothing is kept: its XLA cannot write what it has compiled.
  Nor does anything change if the environment names a folder already.

  Args:
    jit_compile: str, see `options.run`; nothing is done for `false`.
    cache_dir: str, see there.
  """
  flags = os.environ.get(_FLAGS, "")
  version = _tensorflow_version()
  is_able = version is not None and not version.startswith("2.15")
  if jit_compile == "false" or not is_able or _DIRECTORY in flags:
    return
  folder = files.cache_folder(cache_dir).absolute() / "xla" / _name(version)
  if not _is_writable(folder):
    _logger.warning(
      "XLA keeps nothing of what it compiles: folder %s cannot be written to "
      "(--cache_dir names another)",
      folder,
    )
    return
  os.environ[_FLAGS] = f"{flags} {_DIRECTORY}={folder}".strip()


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


def _tensorflow_version():
  """Returns the version of the package tensorflow; None if it has another name.

  Its parts must not be mixed with those of another build.
  """
  try:
    return metadata.version("tensorflow")
  except metadata.PackageNotFoundError:
    return None


def _is_writable(folder):
  """Returns whether a folder can be made, and files in it."""
  existing = next(path for path in (folder, *folder.parents) if path.exists())
  return existing.is_dir() and os.access(existing, os.W_OK)


def _name(version):
  """Returns a folder's name for what a compiled program runs on."""
  hardware = [
    *_lines("/proc/cpuinfo", "flags")[:1],
    *(
      line
      for name in sorted(glob.glob("/proc/driver/nvidia/gpus/*/information"))
      for line in _lines(name, "Model")
    ),
  ]
  digest = hashlib.sha256("\n".join([platform.machine(), *hardware]).encode())
  return f"tensorflow-{version}-{digest.hexdigest()[:12]}"


def _lines(name, begin):
  """Returns the lines of a file of Linux's that begin so; none without it."""
  try:
    with open(name, encoding="utf-8") as file:
      return [line for line in file if line.startswith(begin)]
  except OSError:
    return []
