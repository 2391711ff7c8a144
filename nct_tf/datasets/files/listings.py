"""Lists the pictures of a user's own dataset, and their labels.

Only folders and the CSV file are opened here.
"""

import dataclasses
import pathlib

from nct_tf import errors
from nct_tf.datasets.files import (
  findings as findings_lib,
  folder_layout,
  split_names,
)
from nct_tf.pictures import picture_files
from nct_tf.system import csv_files

REQUIRED_COLUMNS = ("path", "label")
_COLUMNS = (*REQUIRED_COLUMNS, "split", "clean_label")


@dataclasses.dataclass(frozen=True)
class Listing:
  """The pictures of a dataset, in the order of its folders or its file.

  Attributes:
    root: `pathlib.Path`, the folder that paths are relative to.
    paths: list of str.
    labels: list of str, the given labels.
    splits: list of str, each one of `split_names.SPLITS`; None if the dataset
      has none.
    clean_labels: list of str, the labels known to be right; None if they are
      not known.
    class_names: list of str, all classes that the dataset names, those without
      a picture included.
    findings: list of `findings.Finding`, of what is passed over, and of what
      was read as what.
  """

  root: pathlib.Path
  paths: list
  labels: list
  splits: list | None
  clean_labels: list | None
  class_names: list
  findings: list


def list_folder(path, accepted=()):
  """Lists a folder that has a folder for each class.

  Folders of splits may stand above those of the classes; see
  `folder_layout.find_splits`. Links are followed.

  Args:
    path: str.
    accepted: names of `data.ACCEPTABLE_FINDINGS`.

  Returns:
    a `Listing`; its paths are in the order of `picture_files.walk`.

  Raises:
    InvalidInputError: if there is no such folder, or no picture in it, or if
      it can be read in two ways.
  """
  root = pathlib.Path(path)
  if not root.is_dir():
    raise errors.InvalidInputError(
      f"Dataset folder:{path} must be a folder with one folder for each class. "
      f"{_describe_no_folder(root)}"
    )
  by_split = folder_layout.find_splits(root, accepted)
  classes = _find_classes(root, by_split)
  paths, labels, splits, others = [], [], [], []
  for file, is_picture in picture_files.walk(root):
    name = pathlib.Path(file).relative_to(root).as_posix()
    split, label = _place(name, classes)
    if is_picture and label is not None:
      paths.append(name)
      labels.append(label)
      splits.append(split)
    else:
      others.append(name)
  if not paths:
    raise errors.InvalidInputError(
      f"Dataset folder:{path} must have one folder for each class, with "
      f"pictures ({', '.join(picture_files.SUFFIXES)}) in it. There is none"
    )
  return Listing(
    root=root,
    paths=paths,
    labels=labels,
    splits=splits if by_split else None,
    clean_labels=None,
    class_names=order_class_names(label for _, label in classes.values()),
    findings=[
      *_find_strays(others),
      *_find_inner_splits(paths, depth=2 if by_split else 1),
      *_say_splits(by_split),
    ],
  )


def _find_classes(root, by_split):
  """Returns dict from each class folder's path to its split and its class.

  Args:
    root: `pathlib.Path`.
    by_split: dict of `folder_layout.find_splits`.
  """
  tops = by_split or {split_names.TRAIN: root}
  return {
    folder.relative_to(root).as_posix(): (split, folder.name)
    for split, top in tops.items()
    for folder in folder_layout.subfolders(top)
  }


def _place(path, classes):
  """Returns the split and the class of a file; a pair of None if it has none.

  Args:
    path: str.
    classes: dict of `_find_classes`.
  """
  first, _, rest = path.partition("/")
  second = rest.partition("/")[0]
  return classes.get(first) or classes.get(f"{first}/{second}", (None, None))


def _describe_no_folder(root):
  if root.exists():
    return "It is a file"
  return "There is no such folder"


def _find_strays(others):
  """Finds the files and folders that are passed over."""
  hidden = [path for path in others if path.rpartition("/")[2].startswith(".")]
  strays = [
    path for path in others if not path.rpartition("/")[2].startswith(".")
  ]
  suffixes = ", ".join(picture_files.SUFFIXES)
  texts = (
    (strays, f"No pictures ({suffixes}) of a class, passed over"),
    (hidden, "Hidden files and folders, passed over"),
  )
  return [
    findings_lib.Finding(text, tuple(paths)) for paths, text in texts if paths
  ]


def _find_inner_splits(paths, depth):
  """Finds folders inside of classes that have the names of splits."""
  inner = {
    "/".join(parts[: depth + 1])
    for parts in (path.split("/") for path in paths)
    if len(parts) > depth + 1 and split_names.find(parts[depth])
  }
  if not inner:
    return []
  return [
    findings_lib.Finding(
      "Folders in a class that have the name of a split, read as more pictures "
      "of the class (splits stand above classes)",
      tuple(sorted(inner)),
    )
  ]


def _say_splits(by_split):
  """Says which folder is which split, unless its name says it."""
  renamed = tuple(
    f"{folder.name}: {split}"
    for split, folder in by_split.items()
    if folder.name != split
  )
  if not renamed:
    return []
  return [findings_lib.Finding("Folders read as splits", renamed)]


def list_csv(path, accepted=()):
  """Lists the pictures that a CSV file names.

  Args:
    path: str, a file with a header. It must have the columns `path`, relative
      to the file's folder, and `label`. It may have the columns `split`, whose
      values are names of splits, see `split_names.find`, and `clean_label`, the
      label known to be right.
    accepted: unused.

  Returns:
    a `Listing`.

  Raises:
    InvalidInputError: if the file, or a row of it, does not have that form.
  """
  del accepted
  name = f"csv:{path}"
  rows = csv_files.read(path, f"Dataset {name}", REQUIRED_COLUMNS, _COLUMNS[2:])
  if not rows:
    raise errors.InvalidInputError(f"Dataset {name} has no rows")
  columns = {
    column: [row[column] for row in rows]
    for column in _COLUMNS
    if column in rows[0]
  }
  _check_rows(name, columns)
  splits = columns.get("split")
  clean_labels = columns.get("clean_label")
  if clean_labels and not any(clean_labels):
    clean_labels = None
  return Listing(
    root=pathlib.Path(path).parent,
    paths=columns["path"],
    labels=columns["label"],
    splits=splits and list(map(split_names.find, splits)),
    clean_labels=clean_labels,
    class_names=order_class_names(columns["label"] + (clean_labels or [])),
    findings=[],
  )


def _check_rows(name, columns):
  """Raises `InvalidInputError` if a row is invalid."""

  def fail(row, text):
    raise errors.InvalidInputError(f"Dataset {name}, row {row + 2}: {text}")

  seen = {}
  for row, path in enumerate(columns["path"]):
    if not path:
      fail(row, "column `path` is empty")
    if path in seen:
      fail(row, f"the path {path} is that of row {seen[path] + 2} already")
    seen[path] = row
  for row, label in enumerate(columns["label"]):
    if not label.strip():
      fail(row, "column `label` is empty")
  for row, split in enumerate(columns.get("split", [])):
    if split_names.find(split) is None:
      known = ", ".join(split_names.KNOWN)
      fail(row, f"column `split` must be one of {known}. Received: {split!r}")
  splits = {split_names.find(split) for split in columns.get("split", [])}
  if splits and split_names.TRAIN not in splits:
    raise errors.InvalidInputError(
      f"Dataset {name} must have training pictures: `split` must be train in "
      f"some rows. Received: {', '.join(sorted(splits))}"
    )
  clean_labels = columns.get("clean_label", [])
  if any(clean_labels):
    for row, label in enumerate(clean_labels):
      if not label.strip():
        fail(row, "column `clean_label` must be filled in all rows, or in none")


def order_class_names(labels):
  """Returns the distinct labels: numbers by their value, then the others."""

  def key(name):
    is_number = name.isascii() and name.isdigit()
    return (not is_number, int(name) if is_number else 0, name)

  return sorted(set(labels), key=key)
