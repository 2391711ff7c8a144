"""The arrays of a NumPy archive, under the names that people give them."""

import zipfile
import zlib

import numpy as np

from nct_tf import errors
from nct_tf.datasets.files import findings as findings_lib, split_names

# What the images and the labels are called, by whom.
_NAMES = (
  ("images", "labels"),
  ("image", "label"),
  ("x", "y"),
  ("X", "y"),
  ("data", "target"),  # scikit-learn
  ("data", "labels"),
  ("arr_0", "arr_1"),  # numpy.savez without names
)
# The same for an archive with arrays for each split: of Keras, and MedMNIST.
_SPLIT_NAMES = ("x_{}", "y_{}"), ("{}_images", "{}_labels")
_MAX_CHANNELS = 4


def read(path):
  """Reads the arrays of an archive that a dataset uses.

  Args:
    path: str, an npz file. It has `images` and `labels`, or other names for
      them, see `docs/data.md`; they may be given for each split apart. It may
      have `clean_labels` and `split` as well.

  Returns:
    a pair: dict from `images`, `labels`, `clean_labels` and `split` to an array
    [num_examples, ...], without what is not there; list of
    `findings.Finding`, on what was read as what.

  Raises:
    InvalidInputError: if the file cannot be read, or has no such arrays.
  """
  name = f"npz:{path}"
  try:
    with np.load(path) as file:
      return _choose(name, file)
  except (
    OSError,
    ValueError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
  ) as error:
    raise errors.InvalidInputError(
      f"Dataset {name} cannot be read: {str(error).splitlines()[0]}"
    ) from error
  except (TypeError, AttributeError) as error:  # An npy file has no names.
    raise errors.InvalidInputError(
      f"Dataset {name} must be an npz archive of arrays"
    ) from error


def _choose(name, file):
  by_split = _find_splits(file.files)
  if by_split:
    arrays, used = _join(file, by_split)
  else:
    arrays, used = _find_whole(name, file)
  unused = [key for key in file.files if key not in used]
  findings = []
  if unused:
    findings.append(
      findings_lib.Finding("Arrays that are not used", tuple(unused))
    )
  if set(used) - {"images", "labels", "clean_labels", "split"}:
    text = "Arrays read as images and labels"
    findings.append(findings_lib.Finding(text, tuple(used)))
  return arrays, findings


def _find_whole(name, file):
  """Returns dict to arrays, and the list of the names that they have."""
  for images, labels in _NAMES:
    if images in file.files and labels in file.files:
      used = [images, labels]
      arrays = {"images": file[images], "labels": _flat(file[labels])}
      for key in ("clean_labels", "split"):
        if key in file.files:
          used.append(key)
          arrays[key] = _flat(file[key])
      return arrays, used
  raise errors.InvalidInputError(
    f"Dataset {name} must hold arrays images and labels (or x_train, y_train, "
    "x_test and y_test, as Keras has them). Received: "
    f"{', '.join(file.files) or 'none'}"
  )


def _find_splits(names):
  """Returns dict from split to the names of its images and labels, or {}."""
  for pattern in _SPLIT_NAMES:
    found = {}
    for word in split_names.KNOWN:
      pair = tuple(part.format(word) for part in pattern)
      if set(pair) <= set(names):
        found[split_names.find(word)] = pair
    if split_names.TRAIN in found:
      return found
  return {}


def _join(file, by_split):
  """Returns dict to arrays of all splits, and the list of their names."""
  images, labels, splits, used = [], [], [], []
  for split in split_names.SPLITS:
    if split in by_split:
      images.append(file[by_split[split][0]])
      labels.append(_flat(file[by_split[split][1]]))
      splits.append(np.full(len(images[-1]), split))
      used += by_split[split]
  arrays = {
    "images": np.concatenate(images),
    "labels": np.concatenate(labels),
    "split": np.concatenate(splits),
  }
  if len(by_split) == 1:
    del arrays["split"]
  return arrays, used


def _flat(column):
  """Returns an array [n] of one [n, 1], as Keras and MedMNIST have labels."""
  is_column = column.ndim == 2 and column.shape[1] == 1
  return column[:, 0] if is_column else column


def check(name, arrays, accepted=()):
  """Checks types and shapes.

  Args:
    name: str, of the dataset.
    arrays: dict of `read`.
    accepted: names of `data.ACCEPTABLE_FINDINGS`.

  Returns:
    a pair: the dict, whose images have four dimensions; list of
    `findings.Finding`.

  Raises:
    InvalidInputError: if an array does not have the form that is needed.
  """
  images = arrays["images"]
  if images.dtype != np.uint8 or images.ndim not in (3, 4) or not len(images):
    raise errors.InvalidInputError(
      f"Array images of dataset {name} must be uint8 [examples, height, width] "
      "or [examples, height, width, channels], pixels from 0 to 255. Received: "
      f"{images.dtype} {list(images.shape)}{_hint_pixels(images)}"
    )
  if images.ndim == 3:
    images = images[..., None]
  for key in arrays.keys() - {"images"}:
    _check_column(name, key, arrays[key], len(images))
  return {**arrays, "images": images}, _find_channels(images, accepted)


def _hint_pixels(images):
  is_share = images.dtype.kind == "f" and images.size and images.min() >= 0
  if is_share and images.max() <= 1:
    return ". Make them np.rint(255 * images).astype(np.uint8)"
  return ""


def _find_channels(images, accepted):
  height, width, channels = images.shape[1:]
  if channels <= _MAX_CHANNELS:
    return []
  text = f"{height}x{width} pixels of {channels} channels"
  remedy = "Make them [examples, height, width, channels]"
  if height in (1, 3, 4):
    text += ": are the channels first?"
    remedy = "Make them np.moveaxis(images, 1, -1)"
  return [
    findings_lib.refusal(text, (), remedy, findings_lib.CHANNELS, accepted)
  ]


def _check_column(name, key, values, num_examples):
  kinds = "U" if key == "split" else "iuU"
  if values.shape != (num_examples,) or values.dtype.kind not in kinds:
    raise errors.InvalidInputError(
      f"Array {key} of dataset {name} must be "
      + ("strings" if kinds == "U" else "integers or strings")
      + f" [{num_examples}], one an image. Received: {values.dtype} "
      f"{list(values.shape)}{_hint_labels(values)}"
    )
  if key == "split":
    _check_split(name, values)


def _hint_labels(values):
  if values.ndim == 2:
    return ". If a row has a 1 at its class: np.argmax(labels, axis=1)"
  if values.dtype.kind == "f" and values.size:
    num_missing = int(np.isnan(values).sum())
    if num_missing:
      return f"; {num_missing:,} of {len(values):,} are nan: missing labels?"
    if np.array_equal(values, np.rint(values)):
      return ". Make them labels.astype(int)"
  return ""


def _check_split(name, values):
  names = sorted(set(values.tolist()))
  splits = list(map(split_names.find, names))
  if None in splits or split_names.TRAIN not in splits:
    raise errors.InvalidInputError(
      f"Array split of dataset {name} must hold train, and may hold "
      f"validation and test ({', '.join(split_names.KNOWN)}). Received: "
      f"{', '.join(names)}"
    )
