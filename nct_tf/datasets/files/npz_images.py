"""A user's own images in a NumPy archive."""

import dataclasses

import numpy as np

from nct_tf import errors
from nct_tf.datasets import digests as digests_lib, image_dataset
from nct_tf.datasets.files import (
  class_checks,
  findings as findings_lib,
  listings,
  npz_arrays,
  repeated_pictures,
  split_names,
)

_NO_SPLIT = ""  # Of an image that is left out.


def load(path, test_fraction, accepted=()):
  """Loads an archive of arrays `images` and `labels`.

  Args:
    path: str, an npz file, see `npz_arrays.read`. Its images are uint8
      [num_examples, height, width] or [num_examples, height, width, channels],
      its labels integers or strings [num_examples]. It may have `clean_labels`,
      the labels known to be right, and `split`, names of splits, see
      `split_names.find`.
    test_fraction: float in (0, 1), the share that is held out as the test
      split if there is none.
    accepted: names of `data.ACCEPTABLE_FINDINGS`, which do not refuse it.

  Returns:
    an `ImageDataset`. Its validation and test labels are the clean ones if
    those are known. An example's id is its number in the file; that of a
    validation or a test example begins with `validation/` or `test/`. Images of
    two splits are in one alone, see `repeated_pictures.find`.

  Raises:
    InvalidInputError: if the file does not have that form, or if a finding
      refuses the dataset.
  """
  dataset, findings = examine(path, test_fraction, accepted)
  findings_lib.raise_refused(f"npz:{path}", findings)
  return dataset


def examine(path, test_fraction, accepted=()):
  """As `load`, but returns a pair: the dataset and its findings.

  If a finding refuses the dataset, no error is raised, and the dataset is None.
  """
  name = f"npz:{path}"
  arrays, findings = npz_arrays.read(path)
  arrays, more = npz_arrays.check(name, arrays, accepted)
  names = arrays["labels"].astype(str)
  class_names = listings.order_class_names(names)
  findings += [
    *more,
    *class_checks.find_bad_names(names.tolist(), accepted),
    *_find_flat(arrays["images"]),
  ]
  if any(finding.is_refused for finding in findings):
    return None, findings
  numbers = {name: number for number, name in enumerate(class_names)}
  labels = np.array([numbers[label] for label in names], np.int64)
  clean_labels = _read_clean(name, arrays, numbers)
  digests = digests_lib.of_images(arrays["images"])
  splits = _find_splits(arrays, labels, digests, test_fraction)
  ids = _name_examples(splits)
  is_kept, repeated = repeated_pictures.find(ids, labels, splits, digests)
  splits[~is_kept] = _NO_SPLIT
  findings += repeated
  findings += class_checks.find_few(labels, splits, class_names)
  if any(finding.is_refused for finding in findings):
    return None, findings
  dataset = _create(
    name,
    arrays["images"],
    labels,
    clean_labels,
    ids,
    splits,
    digests,
    class_names,
  )
  return dataclasses.replace(dataset, findings=tuple(findings)), findings


def _read_clean(name, arrays, numbers):
  """Returns the clean labels as an int64 array, or None."""
  if "clean_labels" not in arrays:
    return None
  clean_labels = arrays["clean_labels"].astype(str)
  unknown = sorted(set(clean_labels) - set(numbers))
  if unknown:
    raise errors.InvalidInputError(
      f"Dataset {name}: no image has the label that `clean_labels` has: "
      f"{', '.join(unknown[:5])}"
    )
  return np.array([numbers[label] for label in clean_labels], np.int64)


def _find_splits(arrays, labels, digests, test_fraction):
  """Returns the split of each example: array of str."""
  splits = np.full(len(labels), split_names.TRAIN, object)
  if "split" in arrays:
    splits = np.array(list(map(split_names.find, arrays["split"])), object)
  if split_names.TEST not in splits:
    train = np.flatnonzero(splits == split_names.TRAIN)
    is_test = class_checks.choose_test(
      labels[train], digests[train], test_fraction
    )
    splits[train[is_test]] = split_names.TEST
  return splits.astype(str)


def _name_examples(splits):
  """Returns the id of each example: object array of str."""
  ids = np.array(list(map(str, range(len(splits)))), object)
  for split in (split_names.VALIDATION, split_names.TEST):
    numbers = np.flatnonzero(splits == split)
    ids[numbers] = image_dataset.names_of(split, numbers.tolist())
  return ids


def _find_flat(images):
  """Finds images that show next to nothing."""
  pixels = images.reshape(len(images), -1)
  return class_checks.find_flat(
    map(str, range(len(images))), pixels.min(axis=1), pixels.max(axis=1)
  )


def _create(
  name, images, labels, clean_labels, ids, splits, digests, class_names
):
  """Returns the `ImageDataset`."""
  places = {
    split: np.flatnonzero(splits == split) for split in split_names.SPLITS
  }
  known = labels if clean_labels is None else clean_labels
  train, validation, test = places.values()
  return image_dataset.ImageDataset(
    name=name,
    train_images=images[train],
    train_labels=labels[train],
    validation_images=images[validation] if len(validation) else None,
    validation_labels=known[validation] if len(validation) else None,
    test_images=images[test],
    test_labels=known[test],
    class_names=tuple(class_names),
    train_clean_labels=None if clean_labels is None else clean_labels[train],
    train_ids=tuple(ids[train]),
    validation_ids=tuple(ids[validation]) if len(validation) else None,
    test_ids=tuple(ids[test]),
    **{
      f"{split}_digests": digests[place]
      for split, place in places.items()
      if len(place)
    },
    test_labels_are_clean=clean_labels is not None,
  )
