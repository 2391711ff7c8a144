"""Folders of a model's versions, as TF Serving watches them.

`BASE/3/` is version 3; names that are no whole number are passed over there.
A version appears under its name complete or not at all, and disappears whole,
whenever the process is killed.
"""

import contextlib
import os
import pathlib
import re
import shutil

from nct_tf import errors
from nct_tf.system import files

_LOCK_FILE = ".export.lock"
_TEMPORARY = ".tmp-"
_LEFTOVER = r"\.tmp-(removed-)?[0-9]+"

MAX_VERSION = 2**63 - 1  # TF Serving's, beyond which a name is no version.


@contextlib.contextmanager
def lock(base):
  """Lets one process at a time change the versions in a folder.

  Another one waits for its turn; a process that dies gives it free. What dead
  processes left half-done is deleted.

  Args:
    base: `pathlib.Path` of the folder of all versions.
  """
  with files.lock(base / _LOCK_FILE):
    for child in base.iterdir():
      if re.fullmatch(_LEFTOVER, child.name):
        _delete(child)
    yield


def find(base):
  """Returns the versions that stand: dict from int to path, ascending."""
  children = pathlib.Path(base).iterdir()
  versions = {
    int(child.name): child
    for child in children
    if re.fullmatch("[0-9]+", child.name) and int(child.name) <= MAX_VERSION
  }
  return dict(sorted(versions.items()))


def publish(base, write, version=None):
  """Adds a version. Needs `lock`.

  Args:
    base: `pathlib.Path` of the folder of all versions.
    write: function of the path to write to, which does not exist yet, and of
      the version.
    version: int, at least 1; None for the one after the highest.

  Returns:
    int, the version.

  Raises:
    InvalidInputError: if the version exists.
  """
  versions = find(base)
  version = version or max(versions, default=0) + 1
  if version > MAX_VERSION:
    raise errors.InvalidInputError(
      f"{base} has the highest version that there can be, {MAX_VERSION}: give "
      "another --version"
    )
  if version in versions:
    raise errors.InvalidInputError(
      f"Version {version} exists in {base} already: give another --version, "
      "or none for the next that is free"
    )
  temporary = base / f"{_TEMPORARY}{version}"
  try:
    write(temporary, version)
    files.sync_tree(temporary)
    os.rename(temporary, base / str(version))
    files.sync(base)
  finally:
    shutil.rmtree(temporary, ignore_errors=True)
  return version


def remove(path):
  """Removes a version. Needs `lock`."""
  # Deleting takes a while, and a server must not see half of it.
  hidden = path.with_name(f"{_TEMPORARY}removed-{path.name}")
  os.rename(path, hidden)
  _delete(hidden)


def _delete(path):
  if path.is_dir() and not path.is_symlink():
    shutil.rmtree(path)
  else:
    path.unlink()
