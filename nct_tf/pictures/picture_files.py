"""Which files are pictures, and where they are."""

import os

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")


def walk(folder):
  """Finds the files in a folder and below it, also through links.

  Names that begin with a dot are skipped, of files and of folders. The names of
  one folder, and those of the folders still to come, are held at a time.

  Args:
    folder: str or `pathlib.Path`.

  Yields:
    pairs: str, a path that begins with `folder`, and bool, whether it is a
    picture by its name. It is not if it has none of the `SUFFIXES`, in
    whatever case, or is a device or a pipe. Folders come only if they are
    passed over, as no pictures: one that cannot be listed, and a link to a
    folder that it is in. The files of a folder come in the order of their
    names, then those of each folder in it.
  """
  waiting = [(os.fspath(folder), frozenset())]
  while waiting:
    parent, above = waiting.pop()
    try:
      here = _identity(parent)
      entries = [] if here in above else _list(parent)
    except OSError:
      yield parent, False
      continue
    if here in above:
      yield parent, False
    folders = []
    for entry in entries:
      if _is_folder(entry):
        folders.append((entry.path, above | {here}))
      else:
        yield entry.path, _is_picture(entry)
    waiting += reversed(folders)


def _identity(folder):
  stat = os.stat(folder)
  return stat.st_dev, stat.st_ino


def _list(folder):
  with os.scandir(folder) as entries:
    visible = [entry for entry in entries if not entry.name.startswith(".")]
  return sorted(visible, key=lambda entry: entry.name)


def _is_folder(entry):
  try:
    return entry.is_dir()
  except OSError:  # Like a link to itself.
    return False


def _is_picture(entry):
  # A link that leads nowhere has a picture's name: to open it tells why not.
  is_file = entry.is_symlink() or entry.is_file()
  return is_file and entry.name.lower().endswith(SUFFIXES)
