"""Label noise that depends on what is to be seen in an image."""

import numpy as np
import tqdm

from nct_tf import errors, label_noise

# Of the rates of examples around their mean.
_RATE_DEVIATION = 0.1

_CHUNK_BYTES = 2**24  # Of images as float64.
_PROGRESS_DELAY_SECONDS = 2


def corrupt_labels(
  labels,
  num_classes,
  noise_rate,
  seed,
  images,
  moments,
  index=None,
  chunk_size=None,
):
  """Makes some labels wrong, each by what its own image looks like.

  Example i, whose label is y and whose standardised pixels are x_i, keeps its
  label with the probability 1 - q_i. Otherwise its new label is drawn from
  softmax(x_i W_y) without class y. The rate q_i is drawn from a normal
  distribution around `noise_rate` with the standard deviation 0.1, truncated to
  [0, 1]. W_y is drawn from a standard normal, once for each class. So examples
  of one class that look alike get the same wrong label.

  Images are read in chunks, and only where a label changes. The projection of
  one class at a time is in memory, 8 bytes for each pixel, channel and class.

  Args:
    labels: integer array [num_examples], the true labels, in
      [0, num_classes).
    num_classes: int, at least 2.
    noise_rate: float in (0, 1]. Far below 0.2, where much is truncated, the
      rates are higher in the mean.
    seed: int, at least 0.
    images: uint8 [num_images, height, width, channels], an array or
      `StoredImages`.
    moments: pair of sequences of float, the mean and the standard deviation of
      each channel, of pixels in [0, 1].
    index: integer array [num_examples], the number of each example's image;
      None if they are in the same order.
    chunk_size: int, how many images are read at once, which does not change the
      result; None for as many as fit into 16 MiB.

  Returns:
    as `label_noise.corrupt_labels`.

  Raises:
    InvalidInputError: if an argument is out of range.

  References:
    Xia et al. 2020, Part-dependent Label Noise, algorithm 2.
  """
  labels = np.asarray(labels)
  errors.check_range("num_classes", num_classes, 2, float("inf"))
  errors.check_range("noise_rate", noise_rate, 0, 1, low_open=True)
  label_noise.check_labels(labels, num_classes)
  if index is None:
    index = np.arange(len(labels))
  num_features = int(np.prod(images.shape[1:]))
  if chunk_size is None:
    chunk_size = max(1, _CHUNK_BYTES // (8 * num_features))
  # A generator for each class, so that no other one's examples matter to it.
  own_seed, *class_seeds = np.random.SeedSequence(seed).spawn(num_classes + 1)
  rng = np.random.default_rng(own_seed)
  rates = _draw_rates(rng, noise_rate, len(labels))
  changes = rng.random(len(labels)) < rates
  draws = rng.random(len(labels))
  given_labels = labels.copy()
  with tqdm.tqdm(
    desc="making labels wrong",
    total=int(changes.sum()),
    delay=_PROGRESS_DELAY_SECONDS,
  ) as progress:
    for label, class_seed in enumerate(class_seeds):
      members = np.flatnonzero(changes & (labels == label))
      if not len(members):
        continue
      projection = np.random.default_rng(class_seed).standard_normal(
        (num_features, num_classes)
      )
      for start in range(0, len(members), chunk_size):
        chunk = members[start : start + chunk_size]
        pixels = _standardise(images[index[chunk]], moments)
        given_labels[chunk] = _draw_labels(
          pixels @ projection, label, draws[chunk]
        )
        progress.update(len(chunk))
  return given_labels, given_labels == labels


def _draw_rates(rng, mean, num_examples):
  """Returns draws of a normal distribution that is truncated to [0, 1]."""
  rates = rng.normal(mean, _RATE_DEVIATION, num_examples)
  while (outside := (rates < 0) | (rates > 1)).any():
    rates[outside] = rng.normal(mean, _RATE_DEVIATION, outside.sum())
  return rates


def _standardise(images, moments):
  """Returns float64 array [num_images, num_features]."""
  mean, std = moments
  # Not float32: its rounding, which differs between machines, would change the
  # label of one in some thousand examples.
  pixels = (images / np.float64(255) - mean) / std
  return pixels.reshape(len(images), -1)


def _draw_labels(logits, label, draws):
  """Returns int array [num_examples], drawn from softmax without a class.

  Args:
    logits: float array [num_examples, num_classes].
    label: int, the class that is not drawn.
    draws: float array [num_examples], uniform in [0, 1).
  """
  logits[:, label] = -np.inf
  shares = np.exp(logits - logits.max(axis=1, keepdims=True)).cumsum(axis=1)
  shares /= shares[:, -1:]  # The last is 1, which no draw reaches.
  return (shares > draws[:, None]).argmax(axis=1)
