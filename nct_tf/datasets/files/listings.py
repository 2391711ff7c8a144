"""Lists the pictures of a user's own dataset, and their labels.

Only folders and the CSV file are opened here.
"""

import dataclasses
import os
import pathlib

from nct_tf import errors
from nct_tf.datasets.files import findings as findings_lib
from nct_tf.system import csv_files

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")
SPLITS = ("train", "test")

_COLUMNS = ("path", "label", "split", "clean_label")


@dataclasses.dataclass(frozen=True)
class Listing:
  """The pictures of a dataset, in the order of its folders or its file.

  Attributes:
    root: `pathlib.Path`, the folder that paths are relative to.
    paths: list of str.
    labels: list of str, the given labels.
    splits: list of str, each `train` or `test`; None if they are still to be
      chosen.
    clean_labels: list of str, the labels known to be right; None if they are
      not known.
    class_names: list of str, all classes that the dataset names, those without
      a picture included.
    findings: list of `findings.Finding`.
  """

  root: pathlib.Path
  paths: list
  labels: list
  splits: list | None
  clean_labels: list | None
  class_names: list
  findings: list


def list_folder(path):
  """Lists a folder that has a folder for each class.

  If it has a folder `train`, the folders of the classes are in that, and in
  `test` if there is one, too.

  Args:
    path: str.

  Returns:
    a `Listing`; its paths are ordered by split, then class, then name.

  Raises:
    InvalidInputError: if there is no such folder, or no picture in it.
  """
  root = pathlib.Path(path)
  if not root.is_dir():
    raise errors.InvalidInputError(
      f"Dataset folder:{path} must be a folder with one folder for each class. "
      "There is no such folder"
    )
  tops = [root / split for split in SPLITS if (root / split).is_dir()]
  has_splits = root / "train" in tops
  paths, labels, splits, class_names, strays = [], [], [], [], []
  for top in tops if has_splits else [root]:
    for entry in sorted(top.iterdir()):
      if entry.name.startswith("."):
        continue
      if not entry.is_dir():
        strays.append(_relative(entry, root))
        continue
      class_names.append(entry.name)
      pictures, others = _walk(entry, root)
      strays += others
      paths += pictures
      labels += [entry.name] * len(pictures)
      splits += [top.name] * len(pictures)
  if has_splits:
    strays += [
      _relative(entry, root)
      for entry in sorted(root.iterdir())
      if entry not in tops and not entry.name.startswith(".")
    ]
  if not paths:
    raise errors.InvalidInputError(
      f"Dataset folder:{path} must have one folder for each class, with "
      f"pictures ({', '.join(SUFFIXES)}) in it. There is none"
    )
  return Listing(
    root=root,
    paths=paths,
    labels=labels,
    splits=splits if root / "test" in tops and has_splits else None,
    clean_labels=None,
    class_names=order_class_names(class_names),
    findings=_stray_findings(strays),
  )


def _walk(folder, root):
  """Returns the pictures below a folder, and its other files."""
  pictures, others = [], []
  for parent, folders, names in os.walk(folder):
    folders[:] = sorted(name for name in folders if not name.startswith("."))
    for name in sorted(names):
      if name.startswith("."):
        continue
      path = _relative(pathlib.Path(parent, name), root)
      is_picture = name.lower().endswith(SUFFIXES)
      (pictures if is_picture else others).append(path)
  return pictures, others


def _relative(path, root):
  return path.relative_to(root).as_posix()


def _stray_findings(strays):
  if not strays:
    return []
  return [
    findings_lib.Finding(
      f"No pictures ({', '.join(SUFFIXES)}) of a class, passed over",
      tuple(strays),
    )
  ]


def list_csv(path):
  """Lists the pictures that a CSV file names.

  Args:
    path: str, a file with a header. It must have the columns `path`, relative
      to the file's folder, and `label`. It may have the columns `split`,
      `train` or `test`, and `clean_label`, the label known to be right.

  Returns:
    a `Listing`.

  Raises:
    InvalidInputError: if the file, or a row of it, does not have that form.
  """
  name = f"csv:{path}"
  rows = csv_files.read(path, f"Dataset {name}", _COLUMNS[:2], _COLUMNS[2:])
  if not rows:
    raise errors.InvalidInputError(f"Dataset {name} has no rows")
  columns = {
    column: [row[column] for row in rows]
    for column in _COLUMNS
    if column in rows[0]
  }
  _check_rows(name, columns)
  splits = columns.get("split")
  if splits and "test" not in splits:
    splits = None
  clean_labels = columns.get("clean_label")
  if clean_labels and not any(clean_labels):
    clean_labels = None
  return Listing(
    root=pathlib.Path(path).parent,
    paths=columns["path"],
    labels=columns["label"],
    splits=splits,
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
    if split not in SPLITS:
      fail(row, f"column `split` must be train or test. Received: {split!r}")
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
