"""A copy of a folder of pictures, in which some have another class or are gone.

Everything else is copied as it is, also what the dataset leaves out.
"""

import os
import shutil

import tqdm

from nct_tf.datasets.files import findings, listings
from nct_tf.pictures import picture_files

_PROGRESS_DELAY_SECONDS = 2


class Folder:
  """A folder that can be copied with other labels.

  Args:
    path: str, see `listings.list_folder`.
    accepted: names of `data.ACCEPTABLE_FINDINGS`, see there.

  Attributes:
    ids: dict from each name of a picture to the one in `labels`.
    labels: dict from a picture's name, its path, to its given label.
    class_names: set of str.
    folders: set of `pathlib.Path`, where nothing may be written.
    splits: list of str, the split of each picture in `labels`; None if there
      are none.

  Raises:
    InvalidInputError: if there is no such dataset.
  """

  def __init__(self, path, accepted=()):
    listing = listings.list_folder(path, accepted)
    self._root = listing.root
    self._depth = 0 if listing.splits is None else 1
    self.labels = dict(zip(listing.paths, listing.labels, strict=True))
    self.ids = {path: path for path in self.labels}
    self.class_names = set(listing.class_names)
    self.splits = listing.splits
    parents = {os.path.dirname(path) for path in self.labels}
    self.folders = {
      (self._root / parent).resolve() for parent in (".", *parents)
    }

  def write(self, changes, place, links=False):
    """Writes the copy.

    Args:
      changes: dict from a picture's name to its new label, or None to leave it
        out.
      place: `pathlib.Path`, the copy, which must not exist.
      links: bool, whether the copy's files are symbolic links.

    Returns:
      list of `findings.Finding`, what has to be known of it.
    """
    others = sorted(set(_walk(self._root)) - self.labels.keys())
    targets, renamed = self._plan(changes, others)
    place.mkdir()
    for folder in sorted(set(map(self._class_folder, self.labels))):
      (place / folder).mkdir(parents=True, exist_ok=True)
    lost = []
    for source, target in tqdm.tqdm(
      targets.items(), desc="copying", delay=_PROGRESS_DELAY_SECONDS
    ):
      if not _copy(self._root / source, place / target, links):
        lost.append(source)
    return [
      *_find("Relabelled pictures whose name was taken, renamed", renamed),
      *_find(
        "Other files than pictures of a class, copied as they are",
        [path for path in others if path not in lost],
      ),
      *_find("Not copied, as they are no files that can be read", lost),
    ]

  def _plan(self, changes, others):
    """Chooses the path of each file of the copy.

    Returns:
      a pair: dict from old to new path; list of the new paths whose file had to
      get another name.
    """
    stay = [path for path in self.labels if path not in changes]
    targets = {path: path for path in (*others, *stay)}
    taken = set(targets)
    for path in targets:
      while (path := os.path.dirname(path)) not in taken:
        taken.add(path)  # A picture cannot have the name of a folder either.
    renamed = []
    for path in self.labels:
      if changes.get(path) is not None:
        wanted = self._path_in(path, changes[path])
        targets[path] = self._free_path(path, wanted, taken)
        taken.add(targets[path])
        if targets[path] != wanted:
          renamed.append(targets[path])
    return targets, renamed

  def _class_folder(self, path):
    return "/".join(path.split("/")[: self._depth + 1])

  def _path_in(self, path, label):
    parts = path.split("/")
    parts[self._depth] = label
    return "/".join(parts)

  def _free_path(self, path, wanted, taken):
    """Returns `wanted`, or a path beside it that also names the old class."""
    folder, name = os.path.split(wanted)
    prefix = f"{self.labels[path]}__"
    number = 1
    while wanted in taken:
      wanted = f"{folder}/{prefix}{name}"
      number += 1
      prefix = f"{self.labels[path]}__{number}__"
    return wanted


def _walk(root):
  """Yields the paths below a folder of all that is no folder, as str.

  Links to folders are followed as the dataset follows them, but not in hidden
  folders.

  Args:
    root: `pathlib.Path`.
  """
  for path, _ in picture_files.walk(root):
    if os.path.isdir(path) and not os.path.islink(path):
      for parent, folders, names in os.walk(path):
        links = [name for name in folders if os.path.islink(f"{parent}/{name}")]
        for name in (*links, *names):
          yield os.path.relpath(f"{parent}/{name}", root)
    else:
      yield os.path.relpath(path, root)


def _copy(source, target, links):
  """Copies or links a file; returns False if it cannot be read."""
  if not source.is_file() or not os.access(source, os.R_OK):
    return False
  target.parent.mkdir(parents=True, exist_ok=True)
  if links:
    target.symlink_to(os.path.realpath(source))
  else:
    shutil.copy2(source, target)
  return True


def _find(text, items):
  return [findings.Finding(text, tuple(items))] if items else []
