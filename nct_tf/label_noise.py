"""Corrupting a dataset's labels, once, before training."""

import hashlib

import numpy as np

from nct_tf import errors

SYNTHETIC = ("none", "symmetric_inclusive", "symmetric_exclusive", "pair_flip")

# Labels that people gave, of CIFAR-10N and CIFAR-100N: noise type -> the
# feature of `cifar10_n` and `cifar100_n` that they are in.
HUMAN = {
  "human_aggre": "aggre_label",
  "human_random1": "random_label1",
  "human_random2": "random_label2",
  "human_random3": "random_label3",
  "human_worse": "worse_label",
  "human_noisy": "noise_label",
}

NOISE_TYPES = (*SYNTHETIC, *HUMAN)


def corrupt_labels(labels, num_classes, noise_type, noise_rate, seed):
  """Makes some labels wrong.

  * `none`: every label stays; `noise_rate` must be 0.
  * `symmetric_inclusive`: a share `noise_rate` of the examples, exactly
    (rounded), gets a label drawn from all classes, so that some keep theirs:
    the rate of wrong labels is about `noise_rate * (C - 1) / C`. This is the
    CIFAR noise of the paper.
  * `symmetric_exclusive`: each label, with probability `noise_rate`, becomes
    one of the other classes. This is the paper's Tiny-ImageNet noise.
  * `pair_flip`: each label, with probability `noise_rate`, becomes the next
    class (the last becomes the first).

  Args:
    labels: integer array [num_examples], the true labels, in
      [0, num_classes).
    num_classes: int, C, at least 2.
    noise_type: str, one of `SYNTHETIC`.
    noise_rate: float in [0, 1], below 0.5 for `pair_flip`: from there on most
      labels of a class are another's.
    seed: int, at least 0.

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
  errors.check_choice("noise_type", noise_type, SYNTHETIC)
  check_noise(noise_type, noise_rate)
  if labels.size and not 0 <= labels.min() <= labels.max() < num_classes:
    raise errors.InvalidInputError(
      f"Argument `labels` must be in [0, {num_classes}). Received labels from "
      f"{labels.min()} to {labels.max()}"
    )
  rng = np.random.default_rng(seed)
  num_examples = len(labels)
  if noise_type == "symmetric_inclusive":
    chosen = np.zeros(num_examples, bool)
    num_chosen = round(noise_rate * num_examples)
    chosen[rng.permutation(num_examples)[:num_chosen]] = True
    replacement = rng.integers(num_classes, size=num_examples)
  else:
    chosen = rng.random(num_examples) < noise_rate
    shift = 1
    if noise_type == "symmetric_exclusive":
      shift = rng.integers(1, num_classes, size=num_examples)
    replacement = (labels + shift) % num_classes
  given_labels = np.where(chosen, replacement, labels).astype(labels.dtype)
  return given_labels, given_labels == labels


def check_noise(noise_type, noise_rate):
  """Raises `InvalidInputError` unless type and rate fit together."""
  errors.check_choice("noise_type", noise_type, NOISE_TYPES)
  errors.check_range("noise_rate", noise_rate, 0, 1)
  if (noise_type == "none" or noise_type in HUMAN) and noise_rate > 0:
    raise errors.InvalidInputError(
      f"Argument `noise_rate` must be 0 where `noise_type` is {noise_type}. "
      f"Received: noise_rate={noise_rate}"
    )
  if noise_type == "pair_flip" and noise_rate >= 0.5:
    raise errors.InvalidInputError(
      "Argument `noise_rate` must be below 0.5 for pair_flip, or most labels "
      f"of a class are another's. Received: noise_rate={noise_rate}"
    )


def fingerprint(index, given_label, true_label):
  """Returns the SHA-256, in hexadecimal, of which label became which.

  Args:
    index: integer array [num_examples], positions in the dataset's split.
    given_label: integer array [num_examples].
    true_label: integer array [num_examples].
  """
  digest = hashlib.sha256()
  for array in (index, given_label, true_label):
    digest.update(np.ascontiguousarray(array, dtype="<i8").tobytes())
  return digest.hexdigest()
