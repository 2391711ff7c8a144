"""Chooses where a dataset's images are kept, and manages the cache folder."""

import contextlib
import logging
import os
import pathlib
import shutil
import zipfile
import zlib

import numpy as np

from nct_tf import errors, units
from nct_tf.system import files

_logger = logging.getLogger(__name__)

_MEMORY_SHARE = 1 / 4  # Batches, networks and other processes need the rest.
_DISK_MARGIN = 2**30  # Bytes.
_CGROUP_ROOT = "/sys/fs/cgroup"


def choose(num_bytes, num_missing_bytes, folder):
  """Chooses a mode by size, and logs why.

  Args:
    num_bytes: int, the size of all decoded images.
    num_missing_bytes: int, how much of that is not in the folder yet.
    folder: `pathlib.Path` of the cache; need not exist.

  Returns:
    str: `memory`, `disk` or `none`.
  """
  memory = available_memory()
  free = _free_space(folder)
  if num_bytes <= _MEMORY_SHARE * memory:
    mode, reason = "memory", "up to a quarter of"
  elif not num_missing_bytes or num_missing_bytes + _DISK_MARGIN <= free:
    mode, reason = "disk", "over a quarter of"
  else:
    mode, reason = "none", "over a quarter of"
  _logger.info(
    "--cache=%s: decoded images are %s, %s the %s of memory; %s are free in %s",
    mode,
    units.num_bytes(num_bytes),
    reason,
    units.num_bytes(memory),
    units.num_bytes(free),
    folder,
  )
  return mode


def available_memory():
  """Returns the bytes that this process may still take, or infinity."""
  limits = [float("inf"), *_cgroup_limits()]
  for line in _lines("/proc/meminfo"):
    name, _, value = line.partition(":")
    if name == "MemAvailable":
      limits.append(int(value.split()[0]) * 1024)
  return min(limits)


def _cgroup_limits():
  """Yields the memory limits of this process's cgroup and of those above."""
  for line in _lines("/proc/self/cgroup"):
    _, controllers, path = line.split(":", 2)
    if not controllers:
      root, name = _CGROUP_ROOT, "memory.max"
    elif "memory" in controllers.split(","):
      root, name = f"{_CGROUP_ROOT}/memory", "memory.limit_in_bytes"
    else:
      continue
    # In a container, a part of the path may exist only on the host: walk up to
    # the folders that exist.
    own = pathlib.Path(root, path.lstrip("/"))
    for folder in (own, *own.parents):
      if folder.is_relative_to(root):
        for value in _lines(folder / name):
          if value.isdigit():  # Or "max".
            yield int(value)


def _lines(path):
  """Returns the lines of a file of the kernel; none if it is not there."""
  try:
    return pathlib.Path(path).read_text(encoding="utf-8").splitlines()
  except OSError:
    return []


def _free_space(folder):
  """Returns how many bytes this user may write below a folder."""
  for path in (folder, *folder.parents):
    if path.exists():
      writable = os.access(path, os.W_OK | os.X_OK)
      return shutil.disk_usage(path).free if writable else 0
  return 0


def obtain(path, read, write):
  """Reads a file of the cache; makes it first if it is missing or damaged.

  One process at a time makes the files of a folder; others wait for it.

  Args:
    path: `pathlib.Path`, in the dataset's folder in the cache.
    read: function from `path` to a value, or to None if the file is damaged.
    write: function that takes a binary file and writes to it.

  Returns:
    the value that `read` returns.

  Raises:
    InvalidInputError: if the cache cannot be read or written.
  """
  folder = path.parent
  with usable(folder):
    value = _read(path, read)
    if value is None:
      with lock(folder):
        value = _read(path, read)  # Another process may have made it.
        if value is None:
          files.write_atomically(path, write)
          value = read(path)
  return value


@contextlib.contextmanager
def usable(folder):
  """Raises `InvalidInputError` if a folder of the cache cannot be used."""
  try:
    yield
  except OSError as error:
    raise errors.InvalidInputError(
      f"Cache folder {folder.parent} cannot be used ({error.strerror}): give "
      "another one as --cache_dir"
    ) from error


def read_arrays(path, names):
  """Reads an npz file for `obtain`.

  Args:
    path: `pathlib.Path`.
    names: sequence of str, of the arrays in it.

  Returns:
    dict from name to array; None if the file is damaged.
  """
  try:
    with np.load(path) as arrays:
      return {name: arrays[name] for name in names}
  except (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
    return None


def _read(path, read):
  if not path.exists():
    return None
  value = read(path)
  if value is None:
    _logger.warning("%s is damaged and is made anew", path)
  return value


@contextlib.contextmanager
def lock(folder):
  """Locks a folder of the cache, which is made, against other processes."""
  folder.mkdir(parents=True, exist_ok=True)
  _remove_leftovers(folder.parent)
  with contextlib.ExitStack() as stack:
    path = folder / ".lock"
    try:
      stack.enter_context(files.lock(path, wait=False))
    except BlockingIOError:
      _logger.info("Waiting for another process, which makes %s", folder)
      stack.enter_context(files.lock(path))
    yield


def _remove_leftovers(cache):
  """Deletes unfinished files of processes that were killed."""
  for path in cache.glob("*/.lock"):
    # A process that is still making something holds the lock.
    with (
      contextlib.suppress(OSError),
      files.lock(path, wait=False),
    ):
      for leftover in path.parent.glob(".*.tmp"):
        leftover.unlink()
