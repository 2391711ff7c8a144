"""Files and folders that are whole or not there."""

import contextlib
import fcntl
import os


def write_atomically(path, content):
  """Writes a file; whoever reads it sees the old or the new one whole.

  Args:
    path: `pathlib.Path`.
    content: str, or a function that writes to the binary file that it is
      given.
  """
  path = path.resolve()  # A link stays one.
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


def sync_tree(folder):
  """Has all of a folder written to the disk.

  Args:
    folder: `pathlib.Path`.
  """
  for path in folder.rglob("*"):
    sync(path)
  sync(folder)


def sync(path):
  """Has one file, or the names in one folder, written to the disk."""
  descriptor = os.open(path, os.O_RDONLY)
  try:
    os.fsync(descriptor)
  finally:
    os.close(descriptor)


@contextlib.contextmanager
def lock(path, wait=True):
  """Holds a lock that is given free when its process dies.

  Args:
    path: `pathlib.Path` of the lock's file, which is made if need be.
    wait: bool, whether to wait for another process that holds it.

  Raises:
    BlockingIOError: if another process holds it and this is not to wait.
    OSError: if the file system has no locks.
  """
  with open(path, "w", encoding="utf-8") as file:
    fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    yield
