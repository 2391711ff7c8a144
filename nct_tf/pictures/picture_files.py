"""Which files are pictures, and where they are."""

import os

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")


def walk(folder):
  """Finds the files in a folder and below it, also through links.

  The names of one folder, and those of the folders still to come, are held at a
  time.

  Args:
    folder: str or `pathlib.Path`.

  Yields:
    pairs: str, a path that begins with `folder`, and bool, whether it is a
    picture by its name. It is not if its name begins with a dot or has none of
    the `SUFFIXES`, in whatever case, or if it is a device or a pipe. Folders
    come only if they are passed over, as no pictures: one whose name begins
    with a dot, one that cannot be listed, and a link to a folder that it is
    in. The files of a folder come in the order of their names, then those of
    each folder in it.
  """
  waiting = [(os.fspath(folder), frozenset())]
  while waiting:
    parent, above = waiting.pop()
    try:
      here = _identity(parent)
      entries = [] if here in above else list_folder(parent)
    except OSError:
      yield parent, False
      continue
    if here in above:
      yield parent, False
    folders = []
    for entry in entries:
      if is_folder(entry):
        folders.append((entry.path, above | {here}))
      else:
        yield entry.path, _is_picture(entry)
    waiting += reversed(folders)


def _identity(folder):
  stat = os.stat(folder)
  return stat.st_dev, stat.st_ino


def list_folder(folder):
  """Returns what is in a folder: list of `os.DirEntry`, ordered by name.

  Raises:
    OSError: if it cannot be listed.
  """
  with os.scandir(folder) as entries:
    return sorted(entries, key=lambda entry: entry.name)


def is_folder(entry):
  """Returns whether an `os.DirEntry` is a folder that pictures may be in."""
  try:
    return entry.is_dir() and not _is_hidden(entry)
  except OSError:  # Like a link to itself.
    return False


def _is_hidden(entry):
  return entry.name.startswith(".")


def _is_picture(entry):
  # A link that leads nowhere has a picture's name: to open it tells why not.
  is_file = entry.is_symlink() or entry.is_file()
  has_suffix = entry.name.lower().endswith(SUFFIXES)
  return is_file and has_suffix and not _is_hidden(entry)
