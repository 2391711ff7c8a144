"""A user's own pictures: a folder for each class, or a CSV file."""

import dataclasses
import hashlib
import logging
import os
import pathlib

import numpy as np

from nct_tf.datasets import image_dataset
from nct_tf.datasets.files import (
  class_checks,
  findings as findings_lib,
  listings,
  picture_index,
  picture_source,
)
from nct_tf.datasets.storage import image_cache, image_keeping

LISTERS = {"folder": listings.list_folder, "csv": listings.list_csv}

_logger = logging.getLogger(__name__)

_MAX_UNREADABLE = 0.1
# The networks are made for images of 32x32 pixels. Their time grows with the
# square of the side.
_MAX_CHOSEN_SIZE = 64


@dataclasses.dataclass(frozen=True)
class Examined:
  """Own pictures, after all checks.

  Attributes:
    name: str, the value of --dataset.
    root: `pathlib.Path`, the folder that paths are relative to.
    paths: list of str, without the pictures that are left out.
    labels: int64 array [num_examples], the given labels.
    clean_labels: int64 array [num_examples], or None.
    entries: list of `picture_index.Entry`.
    is_test: bool array [num_examples].
    class_names: tuple of str.
    findings: list of `findings.Finding`.
  """

  name: str
  root: pathlib.Path
  paths: list
  labels: np.ndarray
  clean_labels: np.ndarray | None
  entries: list
  is_test: np.ndarray
  class_names: tuple
  findings: list

  def part(self, mask):
    """Returns the pictures for which `mask` is True."""
    keep = np.flatnonzero(mask)
    return dataclasses.replace(
      self,
      paths=[self.paths[index] for index in keep],
      entries=[self.entries[index] for index in keep],
      labels=self.labels[mask],
      clean_labels=_take(self.clean_labels, mask),
      is_test=self.is_test[mask],
    )


def _take(values, mask):
  return None if values is None else values[mask]


def examine(name, test_fraction, cache_dir=None):
  """Lists, opens and checks a dataset.

  Args:
    name: str, `folder:PATH` or `csv:FILE`.
    test_fraction: float in (0, 1), the share that is held out as the test
      split if the dataset has none.
    cache_dir: str, the folder for the index of the pictures; None for
      `image_cache.default_folder`.

  Returns:
    an `Examined`. If one of its findings refuses the dataset, some checks may
    not have been made.

  Raises:
    InvalidInputError: if there is nothing to examine.
  """
  kind, _, path = name.partition(":")
  listing = LISTERS[kind](path)
  entries = picture_index.obtain(
    listing.root, listing.paths, _folder(name, path, cache_dir)
  )
  readable = np.array([not entry.error for entry in entries])
  class_names = listings.order_class_names(
    label
    for label, entry in zip(listing.labels, entries, strict=True)
    if not entry.error
  )
  numbers = {name: number for number, name in enumerate(class_names)}
  findings = [
    *listing.findings,
    *class_checks.find_unprintable(listing.class_names),
    *class_checks.find_alike(listing.class_names),
    *_find_unreadable(listing, entries),
    *_find_empty(listing, numbers),
    *_find_unknown(listing.clean_labels or [], numbers),
  ]
  has_splits = listing.splits is not None
  examined = Examined(
    name=name,
    root=listing.root,
    paths=listing.paths,
    labels=_to_numbers(listing.labels, numbers),
    clean_labels=_to_numbers(listing.clean_labels, numbers),
    entries=entries,
    is_test=np.array(listing.splits) == "test"
    if has_splits
    else np.zeros(len(entries), bool),
    class_names=tuple(class_names),
    findings=findings,
  ).part(readable)
  if any(finding.is_refused for finding in findings):
    return examined
  return _check_splits(examined, has_splits, test_fraction)


def _to_numbers(labels, numbers):
  """Returns labels as an int64 array, 0 for an unknown class; None for None."""
  if labels is None:
    return None
  return np.array([numbers.get(label, 0) for label in labels], np.int64)


def _folder(name, path, cache_dir):
  absolute = os.path.abspath(path)
  key = hashlib.sha256(os.fsencode(f"{name.partition(':')[0]}:{absolute}"))
  stem = pathlib.Path(absolute).stem
  base = pathlib.Path(cache_dir or image_cache.default_folder())
  return base / f"{stem}-{key.hexdigest()[:16]}"


def _find_unreadable(listing, entries):
  unreadable = tuple(
    f"{path}: {entry.error}"
    for path, entry in zip(listing.paths, entries, strict=True)
    if entry.error
  )
  if not unreadable:
    return []
  too_many = len(unreadable) > _MAX_UNREADABLE * len(entries)
  return [
    findings_lib.Finding(
      f"Pictures that cannot be read, more than {_MAX_UNREADABLE:.0%} of all"
      if too_many
      else "Pictures that cannot be read, left out",
      unreadable,
      is_refused=too_many,
    )
  ]


def _find_empty(listing, numbers):
  clean_labels = listing.clean_labels or []
  empty = set(listing.class_names) - set(numbers) - set(clean_labels)
  if not empty:
    return []
  return [
    findings_lib.Finding(
      "Classes without a picture, left out", tuple(sorted(empty))
    )
  ]


def _find_unknown(clean_labels, numbers):
  unknown = sorted(set(clean_labels) - set(numbers))
  if not unknown:
    return []
  return [
    findings_lib.Finding(
      "Clean labels must be labels that some picture was given",
      tuple(unknown),
      is_refused=True,
    )
  ]


def _check_splits(examined, has_splits, test_fraction):
  """Returns an `Examined` whose splits are chosen and duplicates handled."""
  digests = np.array([entry.digest for entry in examined.entries])
  findings = list(examined.findings)
  if not has_splits:
    is_test = class_checks.choose_test(examined.labels, digests, test_fraction)
    examined = dataclasses.replace(examined, is_test=is_test)
  in_both = ~examined.is_test & np.isin(digests, digests[examined.is_test])
  if in_both.any():
    findings.append(
      findings_lib.Finding(
        "Training pictures that are test pictures too, left out of training",
        tuple(examined.part(in_both).paths),
      )
    )
    examined, digests = examined.part(~in_both), digests[~in_both]
  findings += _find_repeated(examined, digests)
  findings += class_checks.find_few(
    examined.labels, examined.is_test, examined.class_names
  )
  return dataclasses.replace(examined, findings=findings)


def _find_repeated(examined, digests):
  """Finds pictures that occur more than once, with equal labels or not."""
  _, group, counts = np.unique(digests, return_inverse=True, return_counts=True)
  repeated = np.flatnonzero(counts[group] > 1)
  by_group = {}
  for index in repeated[np.argsort(group[repeated], kind="stable")]:
    by_group.setdefault(group[index], []).append(index)
  same, different = [], []
  for indices in by_group.values():
    names = " = ".join(examined.paths[index] for index in indices)
    labels = {examined.labels[index] for index in indices}
    (same if len(labels) == 1 else different).append(names)
  texts = (
    (different, "The same picture under different labels, kept"),
    (same, "The same picture more than once under one label, kept"),
  )
  return [
    findings_lib.Finding(text, tuple(names)) for names, text in texts if names
  ]


def load(name, test_fraction, image_size=None, cache=None, cache_dir=None):
  """Loads a user's own pictures.

  Args:
    name: str, `folder:PATH` or `csv:FILE`.
    test_fraction: float, see `examine`.
    image_size: int, the side in pixels to resize to. None keeps pictures that
      all have one size of up to 64x64; otherwise it chooses a side and logs it.
    cache: str, see `image_keeping.keep`.
    cache_dir: str, see `examine`.

  Returns:
    an `ImageDataset`. Its test labels are the clean ones if those are known.

  Raises:
    InvalidInputError: if the dataset is refused, see `examine`.
  """
  examined = examine(name, test_fraction, cache_dir)
  findings_lib.raise_refused(name, examined.findings)
  train = examined.part(~examined.is_test)
  test = examined.part(examined.is_test)
  true_labels = test.labels if test.clean_labels is None else test.clean_labels
  source = picture_source.PictureSource(
    {
      "train": _split(train, train.labels),
      "test": _split(test, true_labels),
    },
    _choose_shape(train.entries, examined.entries, image_size),
  )
  folder = _folder(name, name.partition(":")[2], cache_dir)
  folder = folder.with_name(f"{folder.name}-{source.fingerprint()}")
  images, labels, in_memory = image_keeping.keep(
    source, ["train", "test"], cache, folder
  )
  return image_dataset.ImageDataset(
    name=name,
    train_images=images[0],
    train_labels=labels[0],
    test_images=images[1],
    test_labels=labels[1],
    class_names=examined.class_names,
    train_clean_labels=train.clean_labels,
    train_ids=tuple(train.paths),
    train_files=tuple(source.splits["train"].paths),
    test_ids=tuple(test.paths),
    test_files=tuple(source.splits["test"].paths),
    test_labels_are_clean=test.clean_labels is not None,
    findings=tuple(examined.findings),
    counts_file=None if in_memory else folder / "train.counts.npz",
  )


def _split(examined, labels):
  return picture_source.Split(
    [examined.root / path for path in examined.paths], labels, examined.entries
  )


def _choose_shape(train_entries, entries, image_size):
  """Returns the shape that all pictures are brought to: three ints."""
  num_channels = max(entry.channels for entry in entries)
  if image_size is not None:
    return (image_size, image_size, num_channels)
  sizes = np.array([(entry.height, entry.width) for entry in train_entries])
  low, high = sizes.min(axis=0), sizes.max(axis=0)
  if (low == high).all() and high.max() <= _MAX_CHOSEN_SIZE:
    return (*high.tolist(), num_channels)
  size = int(min(np.median(sizes.min(axis=1)), _MAX_CHOSEN_SIZE))
  _logger.info(
    "--image_size=%d, the median of the pictures' shorter sides, but at most "
    "%d; they have %dx%d to %dx%d pixels",
    size,
    _MAX_CHOSEN_SIZE,
    *low[::-1],
    *high[::-1],
  )
  return (size, size, num_channels)
