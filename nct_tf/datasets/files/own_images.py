"""A user's own pictures: a folder for each class, or a CSV file."""

import dataclasses
import hashlib
import logging
import os
import pathlib

import numpy as np

from nct_tf import errors
from nct_tf.datasets import digests as digests_lib, image_dataset
from nct_tf.datasets.files import (
  class_checks,
  findings as findings_lib,
  listings,
  picture_index,
  picture_source,
  repeated_pictures,
  split_names,
)
from nct_tf.datasets.storage import image_keeping
from nct_tf.system import files as files_lib

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
    splits: array [num_examples] of str, each one of `split_names.SPLITS`.
    class_names: tuple of str.
    findings: list of `findings.Finding`.
  """

  name: str
  root: pathlib.Path
  paths: list
  labels: np.ndarray
  clean_labels: np.ndarray | None
  entries: list
  splits: np.ndarray
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
      splits=self.splits[mask],
    )

  def split(self, name):
    """Returns the pictures of one of `split_names.SPLITS`."""
    return self.part(self.splits == name)


def _take(values, mask):
  return None if values is None else values[mask]


def examine(name, test_fraction, cache_dir=None, accepted=()):
  """Lists, opens and checks a dataset.

  Args:
    name: str, `folder:PATH` or `csv:FILE`.
    test_fraction: float in (0, 1), the share that is held out as the test
      split if the dataset has none.
    cache_dir: str, the folder for the index of the pictures; None for
      `files.cache_folder`.
    accepted: names of `data.ACCEPTABLE_FINDINGS`, which do not refuse it.

  Returns:
    an `Examined`. If one of its findings refuses the dataset, some checks may
    not have been made.

  Raises:
    InvalidInputError: if there is nothing to examine.
  """
  kind, _, path = name.partition(":")
  listing = LISTERS[kind](path, accepted)
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
    *class_checks.find_bad_names(
      [*listing.labels, *_find_empty(listing, listing.labels)], accepted
    ),
    *_find_unreadable(listing, entries, accepted),
    *_report_empty(listing, numbers),
    *_find_unknown(listing.clean_labels or [], numbers),
    *class_checks.find_flat(
      listing.paths,
      [entry.low for entry in entries],
      # What cannot be read has been found already.
      [255 if entry.error else entry.high for entry in entries],
    ),
  ]
  examined = Examined(
    name=name,
    root=listing.root,
    paths=listing.paths,
    labels=_to_numbers(listing.labels, numbers),
    clean_labels=_to_numbers(listing.clean_labels, numbers),
    entries=entries,
    splits=np.array(listing.splits or [split_names.TRAIN] * len(entries)),
    class_names=tuple(class_names),
    findings=findings,
  ).part(readable)
  if any(finding.is_refused for finding in findings):
    return examined
  if split_names.TRAIN not in examined.splits:
    raise errors.InvalidInputError(
      f"Dataset {name} has no training picture that can be read"
    )
  return _check_splits(examined, test_fraction)


def _to_numbers(labels, numbers):
  """Returns labels as an int64 array, 0 for an unknown class; None for None."""
  if labels is None:
    return None
  return np.array([numbers.get(label, 0) for label in labels], np.int64)


def _folder(name, path, cache_dir):
  absolute = os.path.abspath(path)
  key = hashlib.sha256(os.fsencode(f"{name.partition(':')[0]}:{absolute}"))
  stem = pathlib.Path(absolute).stem
  base = files_lib.cache_folder(cache_dir)
  return base / f"{stem}-{key.hexdigest()[:16]}"


def _find_unreadable(listing, entries, accepted):
  unreadable = tuple(
    f"{path}: {entry.error}"
    for path, entry in zip(listing.paths, entries, strict=True)
    if entry.error
  )
  if not unreadable:
    return []
  if len(unreadable) <= _MAX_UNREADABLE * len(entries):
    text = "Pictures that cannot be read, left out"
    return [findings_lib.Finding(text, unreadable)]
  return [
    findings_lib.refusal(
      f"Pictures that cannot be read, more than {_MAX_UNREADABLE:.0%} of all",
      unreadable,
      "Mend or remove them",
      findings_lib.UNREADABLE,
      accepted,
    )
  ]


def _find_empty(listing, known):
  """Returns the classes that no picture has: list of str."""
  clean_labels = listing.clean_labels or []
  return sorted(set(listing.class_names) - set(known) - set(clean_labels))


def _report_empty(listing, numbers):
  empty = _find_empty(listing, numbers)
  if not empty:
    return []
  text = "Classes without a picture, left out"
  return [findings_lib.Finding(text, tuple(empty))]


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


def _check_splits(examined, test_fraction):
  """Returns an `Examined` whose splits are chosen and duplicates handled."""
  digests = np.array([entry.digest for entry in examined.entries])
  if split_names.TEST not in examined.splits:
    examined = _choose_test(examined, digests, test_fraction)
  is_kept, repeated = repeated_pictures.find(
    examined.paths, examined.labels, examined.splits, digests
  )
  examined = examined.part(is_kept)
  few = class_checks.find_few(
    examined.labels, examined.splits, examined.class_names
  )
  findings = [*examined.findings, *repeated, *few]
  return dataclasses.replace(examined, findings=findings)


def _choose_test(examined, digests, test_fraction):
  """Returns an `Examined` with a test split from the training pictures."""
  train = np.flatnonzero(examined.splits == split_names.TRAIN)
  splits = examined.splits.astype(object)
  splits[
    train[
      class_checks.choose_test(
        examined.labels[train], digests[train], test_fraction
      )
    ]
  ] = split_names.TEST
  return dataclasses.replace(examined, splits=splits.astype(str))


def load(
  name,
  test_fraction,
  image_size=None,
  cache=None,
  cache_dir=None,
  accepted=(),
):
  """Loads a user's own pictures.

  Args:
    name: str, `folder:PATH` or `csv:FILE`.
    test_fraction: float, see `examine`.
    image_size: int, the side in pixels to resize to. None keeps pictures that
      all have one size of up to 64x64; otherwise it chooses a side and logs it.
    cache: str, see `image_keeping.keep`.
    cache_dir: str, see `examine`.
    accepted: see there.

  Returns:
    an `ImageDataset`. Its validation and test labels are the clean ones if
    those are known.

  Raises:
    InvalidInputError: if the dataset is refused, see `examine`.
  """
  examined = examine(name, test_fraction, cache_dir, accepted)
  findings_lib.raise_refused(name, examined.findings)
  parts = {
    split: examined.split(split)
    for split in split_names.SPLITS
    if split in examined.splits
  }
  train, test = parts["train"], parts["test"]
  source = picture_source.PictureSource(
    {
      split: _split(part, is_known=split != "train")
      for split, part in parts.items()
    },
    _choose_shape(train.entries, examined.entries, image_size),
  )
  folder = _folder(name, name.partition(":")[2], cache_dir)
  folder = folder.with_name(f"{folder.name}-{source.fingerprint()}")
  images, labels, in_memory = image_keeping.keep(
    source, list(parts), cache, folder
  )
  images = dict(zip(parts, images, strict=True))
  labels = dict(zip(parts, labels, strict=True))
  return image_dataset.ImageDataset(
    name=name,
    train_images=images["train"],
    train_labels=labels["train"],
    validation_images=images.get("validation"),
    validation_labels=labels.get("validation"),
    test_images=images["test"],
    test_labels=labels["test"],
    class_names=examined.class_names,
    train_clean_labels=train.clean_labels,
    **{f"{split}_ids": tuple(part.paths) for split, part in parts.items()},
    **{
      f"{split}_files": tuple(files.paths)
      for split, files in source.splits.items()
    },
    **{
      f"{split}_digests": _digests(part.entries)
      for split, part in parts.items()
    },
    test_labels_are_clean=test.clean_labels is not None,
    findings=tuple(examined.findings),
    counts_file=None if in_memory else folder / "train.counts.npz",
  )


def _split(examined, is_known):
  """Returns a `picture_source.Split`, with clean labels if they are known."""
  labels = examined.labels
  if is_known and examined.clean_labels is not None:
    labels = examined.clean_labels
  return picture_source.Split(
    [examined.root / path for path in examined.paths], labels, examined.entries
  )


def _digests(entries):
  return np.array([entry.digest for entry in entries], digests_lib.DTYPE)


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
