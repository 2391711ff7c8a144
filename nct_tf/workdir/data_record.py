"""What a run's data were, kept in a file."""

import dataclasses
import hashlib
import zipfile

import numpy as np

from nct_tf import errors
from nct_tf.datasets import image_dataset

_SEPARATOR = "\0"  # No path has it.


@dataclasses.dataclass(frozen=True)
class Split:
  """The examples of a split, in order.

  Attributes:
    ids: sequence of str [num_examples], their names.
    labels: int64 array [num_examples], as the dataset gives them.
    digests: `digests.DTYPE` array [num_examples], of their pictures; None for a
      published dataset.
  """

  ids: tuple
  labels: np.ndarray
  digests: np.ndarray | None


@dataclasses.dataclass(frozen=True)
class DataRecord:
  """What an `ImageDataset` is, without its pictures.

  Attributes:
    published: str, see `ImageDataset`.
    class_names: tuple of str.
    image_shape: tuple of three ints.
    splits: dict from `train`, `test` and, of a dataset that has its own,
      `validation` to `Split`.
  """

  published: str
  class_names: tuple
  image_shape: tuple
  splits: dict


def of_dataset(dataset):
  """Returns the `DataRecord` of an `ImageDataset`."""
  splits = {
    split: Split(
      dataset.split_ids(split),
      getattr(dataset, f"{split}_labels"),
      dataset.split_digests(split),
    )
    for split in image_dataset.SPLITS
    if getattr(dataset, f"{split}_labels") is not None
  }
  return DataRecord(
    published=dataset.published,
    class_names=tuple(dataset.class_names),
    image_shape=tuple(map(int, dataset.image_shape)),
    splits=splits,
  )


def write(file, record):
  """Writes a `DataRecord` to a binary file."""
  arrays = {
    "published": np.array(record.published),
    "class_names": np.array(record.class_names),
    "image_shape": np.array(record.image_shape),
    "splits": np.array(list(record.splits)),
  }
  for name, split in record.splits.items():
    # As one text: an array of texts takes the length of the longest for each.
    ids = _SEPARATOR.join(split.ids).encode("utf-8", "surrogateescape")
    arrays[f"{name}_ids"] = np.frombuffer(ids, np.uint8)
    arrays[f"{name}_labels"] = split.labels
    if split.digests is not None:
      arrays[f"{name}_digests"] = split.digests
  np.savez_compressed(file, **arrays)


def read(path):
  """Returns the `DataRecord` in a file; None if there is no file.

  Args:
    path: `pathlib.Path`.

  Raises:
    InvalidInputError: if the file is no such record.
  """
  try:
    with np.load(path) as arrays:
      return DataRecord(
        published=str(arrays["published"]),
        class_names=tuple(arrays["class_names"].tolist()),
        image_shape=tuple(arrays["image_shape"].tolist()),
        splits={
          name: _read_split(arrays, name) for name in arrays["splits"].tolist()
        },
      )
  except FileNotFoundError:
    return None
  except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
    raise errors.InvalidInputError(
      f"{path}, which says what the run's data were, cannot be read: {error}"
    ) from error


def _read_split(arrays, name):
  text = arrays[f"{name}_ids"].tobytes().decode("utf-8", "surrogateescape")
  return Split(
    tuple(text.split(_SEPARATOR)),
    arrays[f"{name}_labels"],
    arrays.get(f"{name}_digests"),
  )


def fingerprint(record, split, index, labels):
  """Returns a SHA-256 of pictures with their labels, in hexadecimal digits.

  It depends neither on the order nor on the names of the examples.

  Args:
    record: a `DataRecord`.
    split: str, one of its `splits`.
    index: integer array [num_examples], which of the split's examples.
    labels: integer array [num_examples], what their labels are.
  """
  digests = record.splits[split].digests
  if digests is None:
    name = f"{record.published}/{split}"
    pictures = np.array([f"{name}/{n}".encode() for n in index.tolist()])
  else:
    pictures = digests[index]
  result = hashlib.sha256()
  numbers = {name: number for number, name in enumerate(record.class_names)}
  for name, number in sorted(numbers.items()):
    own = np.sort(pictures[labels == number]).tolist()
    result.update(repr((name, own)).encode("utf-8", "surrogateescape"))
  return result.hexdigest()
