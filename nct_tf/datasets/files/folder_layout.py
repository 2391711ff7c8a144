"""What the folders at the top of a dataset are: classes, or splits of it."""

import pathlib

from nct_tf import errors
from nct_tf.datasets.files import findings, split_names
from nct_tf.pictures import picture_files


def find_splits(root, accepted=()):
  """Finds the folders of splits, if there are any above those of classes.

  They are splits if all folders with pictures have names of splits, and folders
  of classes in them that the split for training has too.

  Args:
    root: `pathlib.Path` of a folder.
    accepted: names of `data.ACCEPTABLE_FINDINGS`. With `split_names`, such
      folders are classes.

  Returns:
    dict from each of `split_names.SPLITS` that is there to its `pathlib.Path`;
    empty if the folders are those of classes.

  Raises:
    InvalidInputError: if they may be either, or if a split has two folders.
  """
  folders = subfolders(root)
  if findings.SPLIT_NAMES in accepted or not any(
    split_names.find(folder.name) for folder in folders
  ):
    return {}
  folders = [folder for folder in folders if _has_pictures(folder)]
  splits = [split_names.find(folder.name) for folder in folders]
  if not any(splits):
    return {}
  classes = {folder: _class_names(folder) for folder in folders}
  if not all(splits):
    named = [
      folder for folder, split in zip(folders, splits, strict=True) if split
    ]
    if any(classes[folder] for folder in named):
      raise _ambiguous(root, folders, named, classes)
    return {}
  result = dict(zip(splits, folders, strict=True))
  if len(result) < len(folders):
    raise errors.InvalidInputError(
      f"Dataset folder:{root} must have one folder for each split. Received: "
      f"{_names(folders)}"
    )
  known = classes.get(result.get(split_names.TRAIN), set())
  if not all(classes[folder] & known for folder in folders):
    raise _ambiguous(root, folders, folders, classes)
  return result


def subfolders(folder):
  """Returns the folders in a folder that pictures may be in.

  Args:
    folder: `pathlib.Path`.

  Returns:
    list of `pathlib.Path`, ordered by name, without hidden ones; empty if the
    folder cannot be listed.
  """
  try:
    entries = picture_files.list_folder(folder)
  except OSError:
    return []
  return [
    pathlib.Path(entry.path)
    for entry in entries
    if picture_files.is_folder(entry)
  ]


def _has_pictures(folder):
  return any(is_picture for _, is_picture in picture_files.walk(folder))


def _class_names(folder):
  """Returns the names of the folders with pictures in a folder: a set."""
  return {inner.name for inner in subfolders(folder) if _has_pictures(inner)}


def _ambiguous(root, folders, named, classes):
  """Returns the error that names both readings.

  Args:
    root: `pathlib.Path`.
    folders: list of `pathlib.Path`, those at the top that have pictures.
    named: list of those that have a split's name.
    classes: dict from each of `folders` to the set of the folders in it.
  """
  insides = [
    f"{folder.name}/ with {_shorten(sorted(classes[folder]))}"
    if classes[folder]
    else f"{folder.name}/ without folders of classes"
    for folder in named
  ]
  unused = [folder for folder in folders if folder not in named]
  dropped = f", and {_names(unused)} not used" if unused else ""
  return errors.InvalidInputError(
    f"Dataset folder:{root} can be read in two ways: its folders are splits "
    f"({'; '.join(insides)}){dropped}; or they are the classes "
    f"{_names(folders)}. Splits must all have the folders of the same classes. "
    "Move or rename folders, or give --accept_findings="
    f"{findings.SPLIT_NAMES} if they are classes"
  )


def _names(folders):
  return _shorten([folder.name for folder in folders])


def _shorten(names):
  shown = ", ".join(names[: findings.NUM_SHOWN])
  more = len(names) - findings.NUM_SHOWN
  return shown + (f" and {more} more" if more > 0 else "")
