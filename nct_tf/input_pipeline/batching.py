"""From images in memory or in storage to batches of normalised images.

The order of the examples and their augmentation are functions of (seed,
epoch, step) alone, never of what was drawn before.
"""

import math

import numpy as np
import tensorflow as tf

from nct_tf import preprocessing
from nct_tf.datasets.storage import image_storage

_ORDER_STREAM = 0
_AUGMENTATION_STREAM = 1
# Batches made before they are asked for. A buffer that tunes itself doubles
# whenever it was found empty, and never shrinks: memory would grow for days.
_NUM_BUFFERED = 8


def steps_per_epoch(num_examples, batch_size):
  """Returns the number of batches of an epoch; the last may be smaller."""
  return math.ceil(num_examples / batch_size)


def examples_per_epoch(labels, sampling, num_examples_per_epoch=None):
  """Returns how many examples an epoch has: an int.

  Args:
    labels: integer array [num_examples], the given labels.
    sampling: str, see `training_dataset`.
    num_examples_per_epoch: int, see there.
  """
  if sampling != "balanced_subset":
    return len(labels)
  _, counts = np.unique(labels, return_counts=True)
  quota = _quota(counts, num_examples_per_epoch)
  return min(num_examples_per_epoch, int(np.minimum(counts, quota).sum()))


def _quota(counts, num_examples_per_epoch):
  return math.ceil(num_examples_per_epoch / len(counts))


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
  crop_size=None,
  sampling="natural",
  num_examples_per_epoch=None,
  seed=0,
  first_step=0,
  replicas=range(1),
  num_replicas=1,
):
  """All epochs of training, one after the other.

  Of each global batch every replica gets a share, in order; the shares of a
  batch differ by one example at the most.

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
    crop_size: int, see `preprocessing.augment`.
    sampling: str: with `natural`, each example comes once an epoch; with
      `balanced`, each class comes equally often, by its given label: examples
      of rare ones several times, those of frequent ones in some epochs only;
      with `balanced_subset`, each epoch has other examples, none twice, and of
      each class at most its part of `num_examples_per_epoch`, rounded up.
    num_examples_per_epoch: int, of `balanced_subset`; where classes have fewer
      examples than their part, an epoch has fewer.
    seed: int.
    first_step: int, how many steps of the whole training are left out, as a
      run that goes on has made them.
    replicas: range, the numbers of those replicas whose shares are wanted.
    num_replicas: int, of all replicas.

  Returns:
    a `tf.data.Dataset` of `(images, targets)`, for each of `replicas` in turn:
    float32 [share, height, width, channels]; dict of int32 [share] `label`,
    `true_label`, `example` (in [0, num_examples)), `position` (in the global
    batch) and `step` (of the whole training).
  """
  classes = np.unique(labels, return_counts=True)
  num_in_epoch = examples_per_epoch(labels, sampling, num_examples_per_epoch)
  with tf.device("CPU:0"):  # Where tf.data reads them, not on a GPU.
    if isinstance(images, np.ndarray):
      images = tf.constant(images)
    index = tf.constant(index)
    labels = tf.constant(np.asarray(labels, np.int32))
    true_labels = tf.constant(np.asarray(true_labels, np.int32))
  fold_in = tf.random.experimental.stateless_fold_in
  num_steps = steps_per_epoch(num_in_epoch, batch_size)
  first_epoch = first_step // num_steps

  def make_epoch(epoch):
    key = fold_in(tf.constant([_ORDER_STREAM, seed], tf.int64), epoch)
    order = _shuffle(index.shape[0], key)
    if sampling == "balanced":
      order = _balance(order, labels, classes, epoch)
    elif sampling == "balanced_subset":
      quota = _quota(classes[1], num_examples_per_epoch)
      order = _take_of_each(order, labels, classes[1], quota)
    if sampling != "natural":  # What was drawn is not in random order.
      order = tf.gather(order, _shuffle(order.shape[0], fold_in(key, 1)))
      order = order[:num_in_epoch]
    begin = tf.maximum(first_step - epoch * num_steps, 0)
    batches = tf.data.Dataset.from_tensor_slices(order[begin * batch_size :])
    return batches.batch(batch_size).enumerate(epoch * num_steps + begin)

  def make_share(step, batch, replica):
    position = _share(tf.size(batch), replica, num_replicas)
    examples = tf.gather(batch, position)
    key = fold_in(tf.constant([_AUGMENTATION_STREAM, seed], tf.int64), step)
    share = preprocessing.augment(
      _gather(images, tf.gather(index, examples)),
      augmentation,
      key,
      position,
      crop_size,
    )
    targets = {
      "label": tf.gather(labels, examples),
      "true_label": tf.gather(true_labels, examples),
      "example": examples,
      "position": position,
      "step": tf.fill(tf.shape(examples), tf.cast(step, tf.int32)),
    }
    return preprocessing.normalize(share, mean, std), targets

  return (
    tf.data.Dataset.range(first_epoch, num_epochs)
    .flat_map(make_epoch)
    .flat_map(lambda step, batch: _for_each(replicas, step, batch))
    .map(make_share, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    .prefetch(_NUM_BUFFERED * len(replicas))
  )


def _shuffle(size, key):
  """Returns the numbers below `size` in random order: int32 [size]."""
  return tf.argsort(tf.random.stateless_uniform([size], key), stable=True)


def _balance(order, labels, classes, epoch):
  """Draws as many examples as there are, from each class equally many.

  Args:
    order: int32 [num_examples], all of them in random order.
    labels: int32 [num_examples].
    classes: a pair of arrays [num_present]: labels in rising order, and how
      many examples have them.
    epoch: int64 scalar; which classes get one more than others changes by it.

  Returns:
    int32 [num_examples], one class after the other in turn.
  """
  # Class by class, at random within each.
  by_class = tf.gather(order, tf.argsort(tf.gather(labels, order), stable=True))
  _, counts = classes
  begins = tf.constant(np.cumsum(counts) - counts)
  draw = tf.range(tf.size(order, tf.int64))
  which = (draw + epoch) % len(counts)
  within = draw // len(counts) % tf.gather(tf.constant(counts), which)
  return tf.gather(by_class, tf.gather(begins, which) + within)


def _take_of_each(order, labels, counts, quota):
  """Takes the first ones of each class.

  Args:
    order: int32 [num_examples], all of them in random order.
    labels: int32 [num_examples].
    counts: int array [num_present], of the classes that there are, in order.
    quota: int, the most that is taken of a class.

  Returns:
    int32 [num_taken], one class after the other.
  """
  by_class = tf.gather(order, tf.argsort(tf.gather(labels, order), stable=True))
  within = np.concatenate([np.arange(count) for count in counts])
  return tf.gather(by_class, np.flatnonzero(within < quota))


def evaluation_dataset(
  images,
  index,
  labels,
  *,
  batch_size,
  mean,
  std,
  crop_size=None,
  replicas=range(1),
  num_replicas=1,
):
  """One pass in the given order, without augmentation.

  Every example is in one share of one batch of a pass, and no share is empty.
  Where that cannot be, as there are fewer examples than replicas, all are
  repeated equally often, which leaves every mean as it is.

  Args:
    images: uint8 [num_images, height, width, channels], an array or
      `StoredImages`.
    index: integer array [num_examples], which of the images is whose.
    labels: integer array [num_examples].
    batch_size: int, the largest global batch.
    mean: float [channels], see `preprocessing.normalize`.
    std: float [channels].
    crop_size: int, see `preprocessing.prepare`.
    replicas: range, the numbers of those replicas whose shares are wanted.
    num_replicas: int, of all replicas.

  Returns:
    a `tf.data.Dataset` of `(images, targets)`, for each of `replicas` in turn:
    float32 [share, height, width, channels]; dict of int32 [share] `label`.
    A pass has `evaluation_steps` batches.
  """
  batch_size, num_repeats = _even_batches(len(labels), batch_size, num_replicas)
  order = np.tile(np.arange(len(labels), dtype=np.int32), num_repeats)
  with tf.device("CPU:0"):
    index = tf.constant(index)
    labels = tf.constant(np.asarray(labels, np.int32))

  def make_share(batch, replica):
    examples = tf.gather(batch, _share(tf.size(batch), replica, num_replicas))
    share = _gather(images, tf.gather(index, examples))
    targets = {"label": tf.gather(labels, examples)}
    return preprocessing.prepare(share, mean, std, crop_size), targets

  return (
    tf.data.Dataset.from_tensor_slices(order)
    .batch(batch_size)
    .flat_map(lambda batch: _for_each(replicas, batch))
    .map(make_share, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    .prefetch(_NUM_BUFFERED * len(replicas))
  )


def evaluation_steps(num_examples, batch_size, num_replicas=1):
  """Returns the number of batches of a pass of `evaluation_dataset`."""
  batch_size, num_repeats = _even_batches(
    num_examples, batch_size, num_replicas
  )
  return steps_per_epoch(num_examples * num_repeats, batch_size)


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


def _for_each(replicas, *values):
  """Returns a dataset of `(*values, replica)` for each of the replicas."""
  return tf.data.Dataset.range(
    replicas.start, replicas.stop, output_type=tf.int32
  ).map(lambda replica: (*values, replica))


def _share(batch_size, replica, num_replicas):
  """Returns the positions in a global batch that are a replica's: int32."""
  return tf.range(
    batch_size * replica // num_replicas,
    batch_size * (replica + 1) // num_replicas,
  )


def _even_batches(num_examples, batch_size, num_replicas):
  """Returns a fitting batch size, and how often each example is taken."""
  for size in range(min(batch_size, num_examples), num_replicas - 1, -1):
    if not is_tail_too_small(num_examples, size, num_replicas):
      return size, 1
  return num_replicas, num_replicas


def is_tail_too_small(num_examples, batch_size, num_replicas):
  """Returns whether the last batch leaves a replica without an example."""
  return 0 < num_examples % batch_size < num_replicas
