"""Corrupts a dataset's labels, once, before training."""

import hashlib

import numpy as np

from nct_tf import errors
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
  labels, num_classes, noise_type, noise_rate, seed, noise_count=None
):
  """Makes some labels wrong.

  * `none`: every label stays; `noise_rate` must be 0.
  * `symmetric_inclusive`: a share `noise_rate` of the examples gets a label
    drawn from all classes. Some keep their label by chance, so the rate of
    wrong labels is about `noise_rate * (C - 1) / C`. This is the CIFAR noise of
    the paper.
  * `symmetric_exclusive`: such a share gets one of the other classes. This is
    the paper's Tiny-ImageNet noise.
  * `pair_flip`: such a share gets the next class (the first, after the last).

  Args:
    labels: integer array [num_examples], the true labels, in
      [0, num_classes).
    num_classes: int, C, at least 2.
    noise_type: str, one of `options.noise.SYNTHETIC`.
    noise_rate: float in [0, 1]. For `pair_flip` it must be below 0.5: from
      there on, at least half of the labels would be wrong.
    seed: int, at least 0.
    noise_count: str, how the share is drawn: `exact` takes that many examples
      (rounded), `bernoulli` takes each with that probability. None does what
      the works that the paper compares with do: `exact` for
      `symmetric_inclusive`, else `bernoulli`.

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
  errors.check_choice("noise_type", noise_type, noise_options.SYNTHETIC)
  noise_options.check_noise(noise_type, noise_rate, noise_count)
  if labels.size and not 0 <= labels.min() <= labels.max() < num_classes:
    raise errors.InvalidInputError(
      f"Argument `labels` must be in [0, {num_classes}). Received labels from "
      f"{labels.min()} to {labels.max()}"
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
  else:
    replacement = (labels + 1) % num_classes
  given_labels = np.where(chosen, replacement, labels).astype(labels.dtype)
  return given_labels, given_labels == labels


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
