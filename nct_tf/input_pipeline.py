"""From images in memory or in storage to batches of normalised images.

The order of the examples and their augmentation are functions of (seed,
epoch, step) alone, never of what was drawn before.
"""

import math

import numpy as np
import tensorflow as tf

from nct_tf import preprocessing
from nct_tf.datasets import image_storage

_ORDER_STREAM = 0
_AUGMENTATION_STREAM = 1


def steps_per_epoch(num_examples, batch_size):
  """Returns the number of batches of an epoch; the last may be smaller."""
  return math.ceil(num_examples / batch_size)


def training_dataset(
  images,
  index,
  labels,
  true_labels,
  *,
  batch_size,
  num_epochs,
  mean,
  std,
  augmentation="none",
  seed=0,
):
  """All epochs of training, one after the other.

  Pass it to `fit` with `steps_per_epoch`: then one iterator serves them all.

  Args:
    images: uint8 [num_images, height, width, channels], an array or
      `StoredImages`.
    index: integer array [num_examples], which of the images is whose.
    labels: integer array [num_examples], the given labels.
    true_labels: integer array [num_examples].
    batch_size: int, of the global batch; the last of an epoch may be smaller.
    num_epochs: int.
    mean: float [channels], see `preprocessing.normalize`.
    std: float [channels].
    augmentation: str, one of `preprocessing.AUGMENTATIONS`.
    seed: int.

  Returns:
    a `tf.data.Dataset` of `(images, targets)`: float32 [batch, height, width,
    channels]; dict of int32 [batch] `label`, `true_label` and `position` (in
    the global batch).
  """
  with tf.device("CPU:0"):  # Where tf.data reads them, not on a GPU.
    if isinstance(images, np.ndarray):
      images = tf.constant(images)
    index = tf.constant(index)
    labels = tf.constant(np.asarray(labels, np.int32))
    true_labels = tf.constant(np.asarray(true_labels, np.int32))
  fold_in = tf.random.experimental.stateless_fold_in

  def make_order(epoch):
    key = fold_in(tf.constant([_ORDER_STREAM, seed], tf.int64), epoch)
    order = tf.argsort(
      tf.random.stateless_uniform([index.shape[0]], key), stable=True
    )
    return tf.data.Dataset.from_tensor_slices(order).batch(batch_size)

  def make_batch(step, examples):
    key = fold_in(tf.constant([_AUGMENTATION_STREAM, seed], tf.int64), step)
    batch = _gather(images, tf.gather(index, examples))
    batch = preprocessing.augment(batch, augmentation, key)
    targets = {
      "label": tf.gather(labels, examples),
      "true_label": tf.gather(true_labels, examples),
      "position": tf.range(tf.shape(examples)[0]),
    }
    return preprocessing.normalize(batch, mean, std), targets

  return (
    tf.data.Dataset.range(num_epochs)
    .flat_map(make_order)
    .enumerate()
    .map(make_batch, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    .prefetch(tf.data.AUTOTUNE)
  )


def evaluation_dataset(
  images, index, labels, *, batch_size, mean, std, num_replicas=1
):
  """One pass in the given order, without augmentation.

  Batches are made for the replicas: the first splits evenly, as Keras 3 wants
  it, and the last has something for each. Where that cannot be, all examples
  are repeated equally often, which leaves every mean as it is.

  Args:
    images: uint8 [num_images, height, width, channels], an array or
      `StoredImages`.
    index: integer array [num_examples], which of the images is whose.
    labels: integer array [num_examples].
    batch_size: int.
    mean: float [channels], see `preprocessing.normalize`.
    std: float [channels].
    num_replicas: int, of the strategy.

  Returns:
    a `tf.data.Dataset` of `(images, targets)`: float32 [batch, height, width,
    channels]; dict of int32 [batch] `label`.
  """
  num_repeats = 1
  batch_size = _even_batch_size(len(labels), batch_size, num_replicas)
  if batch_size is None:
    num_repeats = batch_size = num_replicas
  labels = np.asarray(labels, np.int32)
  return (
    tf.data.Dataset.from_tensor_slices((index, {"label": labels}))
    .repeat(num_repeats)
    .batch(batch_size)
    .map(
      lambda rows, targets: (
        preprocessing.normalize(_gather(images, rows), mean, std),
        targets,
      ),
      num_parallel_calls=tf.data.AUTOTUNE,
    )
    .prefetch(tf.data.AUTOTUNE)
  )


def _gather(images, rows):
  """Takes a batch of images.

  Args:
    images: uint8 [num_images, height, width, channels]: a tensor, an array, of
      which no copy is made, or `StoredImages`.
    rows: integer tensor [batch].

  Returns:
    a uint8 tensor [batch, height, width, channels].
  """
  if tf.is_tensor(images):
    return tf.gather(images, rows)
  return image_storage.gather(images, rows)


def _even_batch_size(num_examples, batch_size, num_replicas):
  """Returns the largest fitting batch size up to `batch_size`, or None."""
  largest = min(batch_size, num_examples)
  for size in range(largest - largest % num_replicas, 0, -num_replicas):
    if not is_tail_too_small(num_examples, size, num_replicas):
      return size
  return None


def is_tail_too_small(num_examples, batch_size, num_replicas):
  """Returns whether the last batch leaves a replica without an example."""
  return 0 < num_examples % batch_size < num_replicas
