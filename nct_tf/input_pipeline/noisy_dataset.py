"""The examples of a run: a subset, corrupted once, with a part held out."""

import dataclasses
import warnings

import numpy as np
from sklearn import model_selection

from nct_tf import (
  class_maps,
  errors,
  instance_noise,
  label_noise,
  noise_matrix as noise_matrix_lib,
)
from nct_tf.datasets import stratified
from nct_tf.datasets.storage import image_storage
from nct_tf.input_pipeline import label_decisions

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
    index: int64 array [num_examples], the number of each example's image.
    is_decided: bool array [num_examples], True where a person kept or changed
      the given label; None if nobody did.
  """

  images: np.ndarray | image_storage.StoredImages
  given_labels: np.ndarray
  true_labels: np.ndarray
  index: np.ndarray
  is_decided: np.ndarray | None = None

  def __post_init__(self):
    if self.is_decided is None:
      object.__setattr__(self, "is_decided", np.zeros(len(self), bool))

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
      self.is_decided[mask],
    )


@dataclasses.dataclass(frozen=True)
class NoisyDataset:
  """What a run trains on, validates on and tests on.

  Attributes:
    train: `Examples`.
    validation: `Examples`: held out of the train split, with their noisy
      labels, or the dataset's own, which no noise is added to; may be empty.
    test: `Examples`, with the dataset's own labels, which no noise is added to,
      or those that a person decided on.
    has_own_validation: bool, whether `validation` is the dataset's own.
    extra_tests: dict from name to `Examples` that are tested on as well.
    nominal_noise_rate: float, the rate of wrong labels that was asked for.
    noise_matrix: float64 array [num_classes, num_classes], the transition
      matrix from which labels were drawn; None if they were not.
  """

  train: Examples
  validation: Examples
  test: Examples
  has_own_validation: bool = False
  extra_tests: dict = dataclasses.field(default_factory=dict)
  nominal_noise_rate: float = 0.0
  noise_matrix: np.ndarray | None = None

  @property
  def measured(self):
    """The `Examples` of the `val_` columns: `validation`, or else `test`."""
    return self.validation if len(self.validation) else self.test

  @property
  def held_out(self):
    """The `Examples` of `validation` that come from the train split."""
    if self.has_own_validation:
      return self.train.where(np.zeros(len(self.train), bool))
    return self.validation

  @property
  def all_train(self):
    """Training and held-out `Examples` together, in the dataset's order."""
    index = np.concatenate([self.train.index, self.held_out.index])
    order = np.argsort(index)

    def join(name):
      parts = [getattr(self.train, name), getattr(self.held_out, name)]
      return np.concatenate(parts)[order]

    return Examples(
      self.train.images,
      join("given_labels"),
      join("true_labels"),
      index[order],
      join("is_decided"),
    )

  @property
  def actual_noise_rate(self):
    """The share of wrong labels among all that were corrupted."""
    wrong = np.sum(~self.train.is_clean) + np.sum(~self.held_out.is_clean)
    return float(wrong / (len(self.train) + len(self.held_out)))


def prepare(
  dataset,
  num_train_examples=None,
  validation_fraction=0.0,
  noise_type="none",
  noise_rate=0.0,
  noise_seed=0,
  decisions=(),
  num_folds=None,
  fold=None,
  num_test_examples=None,
  noise_count=None,
  noise_map=None,
  noise_matrix=None,
):
  """Takes a subset of the train split, corrupts it, holds a part of it out.

  The held-out part has noisy labels like the training part, because whoever
  trains on noisy labels has no others. If nothing is held out and the dataset
  has a validation split of its own, that one is used. No noise is added to that
  one, nor to the test split.

  Args:
    dataset: an `ImageDataset`.
    num_train_examples: int, how many examples of the train split are used,
      stratified; None for all.
    validation_fraction: float in [0, 1), the share of them that is held out.
    noise_type: str, see `label_noise.corrupt_labels`; or
      `instance_dependent`, see `instance_noise`; or one of
      `label_noise.HUMAN`, whose labels the dataset has.
    noise_rate: float in [0, 1].
    noise_seed: int.
    decisions: sequence of what `label_decisions.read` returns. They change the
      labels after they were corrupted.
    num_folds: int, the number of equal, stratified parts that the examples are
      divided into. One of them is held out. None holds out
      `validation_fraction` instead.
    fold: int, which of the parts is held out, from 0.
    num_test_examples: int, how many examples of the test split are used,
      stratified; None for all.
    noise_count: str, see `label_noise.corrupt_labels`.
    noise_map: str, one of `class_maps.NAMES`, for `asymmetric`.
    noise_matrix: array-like [num_classes, num_classes], from whose rows the
      labels of `asymmetric` are drawn, in place of `noise_map` and
      `noise_rate`.

  Returns:
    a `NoisyDataset`.

  Raises:
    InvalidInputError: if there are too few examples, if the dataset lacks the
      labels of `noise_type`, or if the decisions drop a whole split.
  """
  index = _subset(dataset, "train", num_train_examples)
  labels = dataset.train_labels[index]
  if noise_matrix is not None:
    noise_matrix = noise_matrix_lib.check(
      "Argument `noise_matrix`", noise_matrix, dataset.num_classes
    )
    noise_rate = noise_matrix_lib.nominal_rate(noise_matrix, labels)
    given_labels, _ = label_noise.corrupt_by_matrix(
      labels, noise_matrix, noise_seed
    )
  elif noise_type in label_noise.HUMAN:
    given_labels = _human_labels(dataset, noise_type)[index]
  elif noise_type == "instance_dependent":
    given_labels, _ = instance_noise.corrupt_labels(
      labels,
      dataset.num_classes,
      noise_rate,
      noise_seed,
      dataset.train_images,
      dataset.moments,
      index,
    )
  else:
    is_mapped = noise_type == "asymmetric"
    given_labels, _ = label_noise.corrupt_labels(
      labels,
      dataset.num_classes,
      noise_type,
      noise_rate,
      noise_seed,
      noise_count,
      class_maps.find(noise_map, dataset.class_names) if is_mapped else None,
    )
  given_labels, stays, is_decided = _decide(
    decisions, "train", index, given_labels
  )
  if dataset.train_clean_labels is not None:
    true_labels = dataset.train_clean_labels[index]
  elif noise_type == "none":  # Only the given labels are known.
    true_labels = given_labels
  elif dataset.test_labels_are_clean:
    true_labels = labels
  else:  # A decision knows better than labels that may be wrong themselves.
    true_labels = np.where(is_decided, given_labels, labels)
  noisy = Examples(
    dataset.train_images, given_labels, true_labels, index, is_decided
  ).where(stays)
  held_out = _hold_out(noisy.given_labels, validation_fraction, num_folds, fold)
  validation = noisy.where(held_out)
  own_validation = _own_validation(dataset, decisions)
  has_own_validation = own_validation is not None and not held_out.any()
  return NoisyDataset(
    train=noisy.where(~held_out),
    validation=own_validation if has_own_validation else validation,
    has_own_validation=has_own_validation,
    extra_tests=extra_tests(dataset),
    test=take_test_examples(dataset, num_test_examples, decisions),
    nominal_noise_rate=float(noise_rate),
    noise_matrix=noise_matrix,
  )


def take_test_examples(dataset, num_test_examples=None, decisions=()):
  """Returns the `Examples` that a run is tested on; see `prepare`."""
  index = _subset(dataset, "test", num_test_examples)
  labels, stays, is_decided = _decide(
    decisions, "test", index, dataset.test_labels[index]
  )
  return Examples(dataset.test_images, labels, labels, index, is_decided).where(
    stays
  )


def describe_test_labels(dataset, test):
  """Returns what is known of test labels: a str.

  Args:
    dataset: an `ImageDataset`.
    test: `Examples` of `take_test_examples`.

  Returns:
    `clean` if the dataset's own count as right, else `decided` if a person
    decided about each of them, else `given`.
  """
  if dataset.test_labels_are_clean:
    return "clean"
  return "decided" if test.is_decided.all() else "given"


def test_parts(test):
  """Parts test examples by whether a person decided about their labels.

  Args:
    test: `Examples`.

  Returns:
    dict from `decided` and `undecided` to a bool array [num_examples]; without
    a part that is empty; empty if nobody decided about any.
  """
  if not test.is_decided.any():
    return {}
  parts = {"decided": test.is_decided, "undecided": ~test.is_decided}
  return {name: mask for name, mask in parts.items() if mask.any()}


def extra_tests(dataset):
  """Returns dict from each further test split's name to its `Examples`."""
  return {name: _clean(*split) for name, split in dataset.extra_tests.items()}


def _subset(dataset, split, num_examples):
  """Returns int array: which examples of a split are used, in order."""
  labels = getattr(dataset, f"{split}_labels")
  name = f"num_{split}_examples"
  if num_examples is None:
    num_examples = len(labels)
  if num_examples > len(labels):
    raise errors.InvalidInputError(
      f"Argument `{name}` must be at most {len(labels)}, the size of "
      f"{dataset.name}. Received: {num_examples}"
    )
  return np.flatnonzero(
    stratified.sample(labels, num_examples, _SUBSET_SEED, name)
  )


def _decide(decisions, split, index, labels):
  """Returns `label_decisions.apply` of the decisions about a split."""
  result = label_decisions.apply(
    [part[split] for part in decisions], index, labels
  )
  if not result[1].any():
    raise errors.InvalidInputError(
      f"Label decisions must leave some {split} examples. Received: decisions "
      f"that drop all {len(index)}"
    )
  return result


def _own_validation(dataset, decisions):
  """Returns the `Examples` of a dataset's own validation split, or None."""
  if dataset.validation_images is None:
    return None
  index = np.arange(len(dataset.validation_labels))
  labels, stays, is_decided = _decide(
    decisions, "validation", index, dataset.validation_labels
  )
  return Examples(
    dataset.validation_images, labels, labels, index, is_decided
  ).where(stays)


def _clean(images, labels):
  """Returns the `Examples` of a whole split, whose labels are right."""
  return Examples(images, labels, labels, np.arange(len(labels)))


def _human_labels(dataset, noise_type):
  """Returns the labels that people gave the train split: int64 array."""
  if noise_type not in dataset.human_labels:
    known = ", ".join(["none", *dataset.human_labels])
    raise errors.InvalidInputError(
      f"Argument `noise_type` can be {noise_type} for a dataset that has such "
      "labels alone, as cifar10_n and cifar100_n of tensorflow-datasets have; "
      f"{dataset.name} has {known}. Received: noise_type={noise_type}"
    )
  return dataset.human_labels[noise_type]


def _hold_out(labels, validation_fraction, num_folds, fold):
  """Returns bool array [num_examples], True for held-out examples."""
  held_out = np.zeros(len(labels), bool)
  if num_folds is not None:
    held_out[_fold_of(labels, num_folds, fold)] = True
  elif validation_fraction > 0:
    num_classes = len(np.unique(labels))
    if validation_fraction * len(labels) < num_classes:
      raise errors.InvalidInputError(
        "Argument `validation_fraction` must hold out as many examples as "
        f"there are classes, {num_classes}. Received: "
        f"{validation_fraction:g} of {len(labels)} examples"
      )
    held_out = stratified.hold_out(
      labels, validation_fraction, _VALIDATION_SEED, "validation_fraction"
    )
  return held_out


def _fold_of(labels, num_folds, fold):
  """Returns the examples of one of several stratified parts: int array.

  A class that is smaller than their number is in some of them alone.
  """
  largest = np.bincount(labels).max()
  if largest < num_folds:
    raise errors.InvalidInputError(
      "Argument `num_folds` must be at most the examples of the largest class, "
      f"{largest}. Received: {num_folds}"
    )
  folds = model_selection.StratifiedKFold(
    num_folds, shuffle=True, random_state=_VALIDATION_SEED
  )
  with warnings.catch_warnings():
    warnings.simplefilter("ignore", UserWarning)  # Of small classes.
    parts = list(folds.split(labels, labels))
  return parts[fold][1]
