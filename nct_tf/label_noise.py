"""Corrupts a dataset's labels, once, before training."""

import hashlib

import numpy as np

from nct_tf import errors, noise_matrix
from nct_tf.options import noise as noise_options

# The human labels of CIFAR-10N and CIFAR-100N: noise type -> their feature in
# `cifar10_n` or `cifar100_n`.
HUMAN = {
  "human_aggre": "aggre_label",
  "human_random1": "random_label1",
  "human_random2": "random_label2",
  "human_random3": "random_label3",
  "human_worse": "worse_label",
  "human_noisy": "noise_label",
}


def corrupt_labels(
  labels,
  num_classes,
  noise_type,
  noise_rate,
  seed,
  noise_count=None,
  class_map=None,
):
  """Makes some labels wrong, each by its class.

  * `none`: every label stays; `noise_rate` must be 0.
  * `symmetric_inclusive`: a share `noise_rate` of the examples gets a label
    drawn from all classes. Some keep their label by chance, so the rate of
    wrong labels is about `noise_rate * (C - 1) / C`. This is the CIFAR noise of
    the paper.
  * `symmetric_exclusive`: such a share gets one of the other classes. This is
    the paper's Tiny-ImageNet noise.
  * `pair_flip`: such a share gets the next class (the first, after the last).
  * `asymmetric`: such a share gets the class that `class_map` says. Labels of
    classes that it does not name stay, so that fewer become wrong.

  `corrupt_by_matrix` takes any other mistakes of classes, and
  `instance_noise.corrupt_labels` makes mistakes that depend on the images.

  Args:
    labels: integer array [num_examples], the true labels, in
      [0, num_classes).
    num_classes: int, C, at least 2.
    noise_type: str, one of `options.noise.BY_CLASS`.
    noise_rate: float in [0, 1]. For `pair_flip` and `asymmetric` it must be
      below 0.5: from there on, at least half of a class's labels would be
      wrong.
    seed: int, at least 0.
    noise_count: str, how the share is drawn: `exact` takes that many examples
      (rounded), `bernoulli` takes each with that probability. None does what
      the works that the paper compares with do: `exact` for
      `symmetric_inclusive`, else `bernoulli`.
    class_map: dict from int to int, classes in [0, num_classes), for
      `asymmetric`; see `class_maps.find`.

  Returns:
    a pair `(given_labels, is_clean)`: an integer array like `labels`, and a
    bool array [num_examples] that is True where the label was kept.

  Raises:
    InvalidInputError: if an argument is out of range.

  References:
    Section 4 of the paper.
  """
  labels = np.asarray(labels)
  errors.check_range("num_classes", num_classes, 2, float("inf"))
  errors.check_choice("noise_type", noise_type, noise_options.BY_CLASS)
  noise_options.check_noise(noise_type, noise_rate, noise_count)
  check_labels(labels, num_classes)
  if (noise_type == "asymmetric") != (class_map is not None):
    raise errors.InvalidInputError(
      "Argument `class_map` belongs to noise_type=asymmetric, which needs it. "
      f"Received: noise_type={noise_type}, class_map={class_map}"
    )
  rng = np.random.default_rng(seed)
  num_examples = len(labels)
  if noise_count is None:
    is_inclusive = noise_type == "symmetric_inclusive"
    noise_count = "exact" if is_inclusive else "bernoulli"
  if noise_count == "exact":
    num_chosen = round(noise_rate * num_examples)
    chosen = rng.permutation(num_examples).argsort() < num_chosen
  else:
    chosen = rng.random(num_examples) < noise_rate
  if noise_type == "symmetric_inclusive":
    replacement = rng.integers(num_classes, size=num_examples)
  elif noise_type == "symmetric_exclusive":
    shift = rng.integers(1, num_classes, size=num_examples)
    replacement = (labels + shift) % num_classes
  elif noise_type == "asymmetric":
    replacement = _as_table(class_map, num_classes)[labels]
  else:
    replacement = (labels + 1) % num_classes
  given_labels = np.where(chosen, replacement, labels).astype(labels.dtype)
  return given_labels, given_labels == labels


def corrupt_by_matrix(labels, matrix, seed):
  """Draws each label from its class's row of a transition matrix.

  Args:
    labels: integer array [num_examples], the true labels, in [0, C).
    matrix: array-like [C, C]: entry (i, j) is the probability of the given
      label j where the true one is i. Rows sum to 1.
    seed: int, at least 0.

  Returns:
    as `corrupt_labels`.

  Raises:
    InvalidInputError: if an argument is out of range.
  """
  matrix = noise_matrix.check("Argument `matrix`", matrix)
  labels = np.asarray(labels)
  check_labels(labels, len(matrix))
  draws = np.random.default_rng(seed).random(len(labels))
  bounds = matrix.cumsum(axis=1)
  bounds /= bounds[:, -1:]  # The last is 1, which no draw reaches.
  given_labels = np.empty_like(labels)
  for label, own_bounds in enumerate(bounds):
    members = labels == label
    given_labels[members] = own_bounds.searchsorted(draws[members], "right")
  return given_labels, given_labels == labels


def transition_matrix(true_labels, given_labels, num_classes):
  """Returns how often each class was given each label.

  Args:
    true_labels: integer array [num_examples], in [0, num_classes).
    given_labels: integer array [num_examples], likewise.
    num_classes: int, C.

  Returns:
    float64 array [C, C]: entry (i, j) is the share of the given label j among
    the examples whose true one is i. Of a class without examples, it is 1 where
    i is j.
  """
  true_labels, given_labels = np.asarray(true_labels), np.asarray(given_labels)
  check_labels(true_labels, num_classes)
  check_labels(given_labels, num_classes)
  pairs = true_labels.astype(np.int64) * num_classes + given_labels
  counts = np.bincount(pairs, minlength=num_classes**2)
  counts = counts.reshape(num_classes, num_classes)
  totals = counts.sum(axis=1, keepdims=True)
  shares = counts / np.maximum(totals, 1)
  return np.where(totals > 0, shares, np.eye(num_classes))


def check_labels(labels, num_classes):
  """Raises `InvalidInputError` unless labels are in [0, num_classes)."""
  if labels.size and not 0 <= labels.min() <= labels.max() < num_classes:
    raise errors.InvalidInputError(
      f"Argument `labels` must be in [0, {num_classes}). Received labels from "
      f"{labels.min()} to {labels.max()}"
    )


def _as_table(class_map, num_classes):
  """Returns int array [num_classes], the class that each is mistaken for."""
  table = np.arange(num_classes)
  for source, target in class_map.items():
    if not (0 <= source < num_classes and 0 <= target < num_classes):
      raise errors.InvalidInputError(
        f"Argument `class_map` must have classes in [0, {num_classes}). "
        f"Received: {source} to {target}"
      )
    table[source] = target
  return table


def fingerprint(index, given_label, true_label):
  """Returns the SHA-256, in hexadecimal, of the labels before and after noise.

  Args:
    index: integer array [num_examples], positions in the dataset's split.
    given_label: integer array [num_examples].
    true_label: integer array [num_examples].
  """
  digest = hashlib.sha256()
  for array in (index, given_label, true_label):
    digest.update(np.ascontiguousarray(array, dtype="<i8").tobytes())
  return digest.hexdigest()
