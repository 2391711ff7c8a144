"""The examples of a run: a subset, corrupted once, a part of it held out."""

import dataclasses

import numpy as np

from nct_tf import errors, label_noise
from nct_tf.datasets import image_dataset, image_storage

# Which examples are taken does not depend on a run's seeds.
_SUBSET_SEED = 0
_VALIDATION_SEED = 1


@dataclasses.dataclass(frozen=True)
class Examples:
  """Images with the labels that were given to them.

  Attributes:
    images: uint8 [num_images, height, width, channels], an array or
      `StoredImages`: all of the dataset's split, shared by all parts of it.
    given_labels: int64 array [num_examples].
    true_labels: int64 array [num_examples].
    index: int64 array [num_examples], which of the images is whose.
  """

  images: np.ndarray | image_storage.StoredImages
  given_labels: np.ndarray
  true_labels: np.ndarray
  index: np.ndarray

  def __len__(self):
    return len(self.index)

  @property
  def is_clean(self):
    """Bool array [num_examples], True where the given label is the true one."""
    return self.given_labels == self.true_labels

  def where(self, mask):
    """Returns the examples for which `mask` is True."""
    return Examples(
      self.images,
      self.given_labels[mask],
      self.true_labels[mask],
      self.index[mask],
    )


@dataclasses.dataclass(frozen=True)
class NoisyDataset:
  """What a run trains on, validates on (noisy; may be empty) and tests on."""

  train: Examples
  validation: Examples
  test: Examples

  @property
  def actual_noise_rate(self):
    """The share of wrong labels among all that were corrupted."""
    wrong = np.sum(~self.train.is_clean) + np.sum(~self.validation.is_clean)
    return float(wrong / (len(self.train) + len(self.validation)))


def prepare(
  dataset,
  num_train_examples=None,
  validation_fraction=0.0,
  noise_type="none",
  noise_rate=0.0,
  noise_seed=0,
):
  """Takes a subset of the train split, corrupts it, holds a part of it out.

  The validation part carries noise as the training part does: nobody who
  trains on labels that cannot be trusted has others. The test split stays
  clean and whole.

  Args:
    dataset: an `ImageDataset`.
    num_train_examples: int, how many examples of the train split are used,
      stratified; None for all.
    validation_fraction: float in [0, 1), the share of them that is held out.
    noise_type: str, see `label_noise.corrupt_labels`.
    noise_rate: float in [0, 1].
    noise_seed: int.

  Returns:
    a `NoisyDataset`.

  Raises:
    InvalidInputError: if there are not that many examples.
  """
  num_available = len(dataset.train_labels)
  if num_train_examples is None:
    num_train_examples = num_available
  if num_train_examples > num_available:
    raise errors.InvalidInputError(
      f"Argument `num_train_examples` must be at most {num_available}, the "
      f"size of {dataset.name}. Received: {num_train_examples}"
    )
  chosen = image_dataset.stratified_sample(
    dataset.train_labels,
    num_train_examples,
    _SUBSET_SEED,
    "num_train_examples",
  )
  labels = dataset.train_labels[chosen]
  given_labels, _ = label_noise.corrupt_labels(
    labels, dataset.num_classes, noise_type, noise_rate, noise_seed
  )
  true_labels = labels
  if dataset.train_clean_labels is not None:
    true_labels = dataset.train_clean_labels[chosen]
  noisy = Examples(
    dataset.train_images,
    given_labels,
    true_labels,
    np.flatnonzero(chosen),
  )
  held_out = np.zeros(len(noisy), bool)
  if validation_fraction > 0:
    held_out = image_dataset.stratified_sample(
      given_labels,
      max(1, round(validation_fraction * len(noisy))),
      _VALIDATION_SEED,
      "validation_fraction",
    )
  return NoisyDataset(
    train=noisy.where(~held_out),
    validation=noisy.where(held_out),
    test=Examples(
      dataset.test_images,
      dataset.test_labels,
      dataset.test_labels,
      np.arange(len(dataset.test_labels)),
    ),
  )
