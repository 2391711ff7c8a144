"""Writes files whole or not at all, flushes them to disk, and locks them."""

import contextlib
import fcntl
import os
import pathlib
import tempfile


def cache_folder(chosen=None):
  """Returns the `pathlib.Path` of caches.

  Args:
    chosen: str, of --cache_dir; if it is None, the folder is in that of the
      user's caches.
  """
  if chosen:
    return pathlib.Path(chosen)
  base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
  return pathlib.Path(base) / "nct_tf"


def write_atomically(path, content):
  """Writes a file so that readers see either the whole old or new content.

  Args:
    path: `pathlib.Path`.
    content: str, or a function that takes a binary file and writes to it.
  """
  path = path.resolve()  # So that a link stays a link.
  temporary = path.with_name(f".{path.name}.tmp")
  try:
    with open(temporary, "wb") as file:
      if isinstance(content, str):
        file.write(content.encode("utf-8"))
      else:
        content(file)
      file.flush()
      os.fsync(file.fileno())
    os.replace(temporary, path)
  finally:
    temporary.unlink(missing_ok=True)
  sync(path.parent)


def make_writable(folder):
  """Makes a folder, if need be; raises `OSError` if no file can go there.

  Args:
    folder: str or path.
  """
  os.makedirs(folder, exist_ok=True)
  with tempfile.TemporaryFile(dir=folder):
    pass


def sync_tree(folder):
  """Flushes a folder and all that is in it to the disk.

  Args:
    folder: `pathlib.Path`.
  """
  for path in folder.rglob("*"):
    sync(path)
  sync(folder)


def sync(path):
  """Flushes one file, or the names in one folder, to the disk."""
  descriptor = os.open(path, os.O_RDONLY)
  try:
    os.fsync(descriptor)
  finally:
    os.close(descriptor)


@contextlib.contextmanager
def lock(path, wait=True):
  """Holds a lock, which is released if this process dies.

  Args:
    path: `pathlib.Path` of the lock's file, which is made if need be.
    wait: bool, whether to wait for another process that holds the lock.

  Raises:
    BlockingIOError: if another process holds the lock and `wait` is False.
    OSError: if the file system has no locks.
  """
  with open(path, "w", encoding="utf-8") as file:
    fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    yield
