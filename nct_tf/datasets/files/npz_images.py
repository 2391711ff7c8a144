"""A user's own images in a NumPy archive."""

import hashlib
import zipfile
import zlib

import numpy as np

from nct_tf import errors
from nct_tf.datasets import image_dataset
from nct_tf.datasets.files import (
  class_checks,
  findings as findings_lib,
  listings,
)


def load(path, test_fraction):
  """Loads an archive of arrays `images` and `labels`.

  Args:
    path: str, an npz file. It must have `images`, uint8 [num_examples, height,
      width] or [num_examples, height, width, channels], and `labels`, integers
      or strings [num_examples]. It may have `clean_labels`, the labels known to
      be right, and `split`, strings `train` and `test`.
    test_fraction: float in (0, 1), the share that is held out as the test
      split if there is no `split`.

  Returns:
    an `ImageDataset`. Its test labels are the clean ones if those are known. An
    example's id is its number in the file; that of a test example begins with
    `test/`.

  Raises:
    InvalidInputError: if the file does not have that form, or if a finding
      refuses the dataset.
  """
  dataset, findings = examine(path, test_fraction)
  findings_lib.raise_refused(f"npz:{path}", findings)
  return dataset


def examine(path, test_fraction):
  """As `load`, but returns a pair: the dataset and its findings.

  If a finding refuses the dataset, no error is raised, and the dataset is None.
  """
  arrays = read(path)
  images, labels = arrays["images"], arrays["labels"].astype(str)
  class_names = listings.order_class_names(labels)
  findings = [
    *class_checks.find_unprintable(class_names),
    *class_checks.find_alike(class_names),
  ]
  if findings:
    return None, findings
  numbers = {name: number for number, name in enumerate(class_names)}
  labels = np.array([numbers[label] for label in labels], np.int64)
  clean_labels = arrays.get("clean_labels")
  if clean_labels is not None:
    unknown = sorted(set(clean_labels.astype(str)) - set(numbers))
    if unknown:
      raise errors.InvalidInputError(
        f"Dataset npz:{path}: no image has the label that `clean_labels` has: "
        f"{', '.join(unknown[:5])}"
      )
    clean_labels = np.array(
      [numbers[label] for label in clean_labels.astype(str)], np.int64
    )
  if "split" in arrays:
    is_test = arrays["split"].astype(str) == "test"
  else:
    digests = np.array([hashlib.sha256(image).hexdigest() for image in images])
    is_test = class_checks.choose_test(labels, digests, test_fraction)
  findings = class_checks.find_few(labels, is_test, class_names)
  if any(finding.is_refused for finding in findings):
    return None, findings
  true_labels = labels if clean_labels is None else clean_labels
  dataset = image_dataset.ImageDataset(
    name=f"npz:{path}",
    train_images=images[~is_test],
    train_labels=labels[~is_test],
    test_images=images[is_test],
    test_labels=true_labels[is_test],
    class_names=tuple(class_names),
    train_clean_labels=None if clean_labels is None else clean_labels[~is_test],
    train_ids=tuple(map(str, np.flatnonzero(~is_test).tolist())),
    test_ids=image_dataset.test_names(np.flatnonzero(is_test).tolist()),
    test_labels_are_clean=clean_labels is not None,
    findings=tuple(findings),
  )
  return dataset, findings


def read(path):
  """Reads the arrays of an archive that a dataset uses.

  Args:
    path: str, see `load`.

  Returns:
    dict from name to array; images have four dimensions.

  Raises:
    InvalidInputError: if an array does not have the form that `load` wants.
  """
  name = f"npz:{path}"
  try:
    with np.load(path) as file:
      wanted = ("images", "labels", "clean_labels", "split")
      arrays = {key: file[key] for key in wanted if key in file}
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
  except TypeError as error:  # An npy file holds a single array.
    raise errors.InvalidInputError(
      f"Dataset {name} must be an npz archive of arrays"
    ) from error
  for key in ("images", "labels"):
    if key not in arrays:
      raise errors.InvalidInputError(
        f"Dataset {name} must hold arrays images and labels. Received: "
        f"{', '.join(arrays) or 'neither'}"
      )
  images = arrays["images"]
  if images.dtype != np.uint8 or images.ndim not in (3, 4) or not len(images):
    raise errors.InvalidInputError(
      f"Array images of dataset {name} must be uint8 [examples, height, width] "
      "or [examples, height, width, channels], pixels from 0 to 255. Received: "
      f"{images.dtype} {list(images.shape)}"
    )
  if images.ndim == 3:
    arrays["images"] = images[..., None]
  for key in arrays.keys() - {"images"}:
    _check_column(name, key, arrays[key], len(images))
  return arrays


def _check_column(name, key, values, num_examples):
  kinds = "U" if key == "split" else "iuU"
  if values.shape != (num_examples,) or values.dtype.kind not in kinds:
    raise errors.InvalidInputError(
      f"Array {key} of dataset {name} must be "
      + ("strings" if kinds == "U" else "integers or strings")
      + f" [{num_examples}], one an image. Received: {values.dtype} "
      f"{list(values.shape)}"
    )
  if key == "split":
    unknown = sorted(set(values.tolist()) - set(listings.SPLITS))
    if unknown or len(set(values.tolist())) < 2:
      raise errors.InvalidInputError(
        f"Array split of dataset {name} must hold train and test, and nothing "
        f"else. Received: {', '.join(sorted(set(values.tolist())))}"
      )
