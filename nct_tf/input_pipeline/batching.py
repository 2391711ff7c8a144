"""From images in memory or in storage to batches of normalised images.

The order of the examples and their augmentation depend only on (seed, epoch,
step), never on earlier draws.
"""

import dataclasses
import math

import numpy as np
import tensorflow as tf

from nct_tf import preprocessing, random_numbers
from nct_tf.datasets.storage import image_storage
from nct_tf.input_pipeline import sampling as sampling_lib

# Larger batches do not fit into memory beside a training.
EVALUATION_BATCH_SIZE = 256

# What a pipeline makes: batches that are ready for the networks, or what a step
# makes them of by itself, see `Batching.finish`: images as they are stored, or
# their row numbers.
READY = "ready"
IMAGES = "images"
ROWS = "rows"

_AUGMENTATION_STREAM = 1
# Batches made in advance. A buffer that tunes itself doubles whenever it is
# found empty, and never shrinks, so memory would grow for days.
_NUM_BUFFERED = 8


@dataclasses.dataclass(frozen=True)
class Batching:
  """How a run makes batches of its examples.

  Attributes:
    mean: float [channels], see `preprocessing.normalize`.
    std: float [channels].
    batch_size: int, of the global batch; an epoch's last one may be smaller.
    num_epochs: int, of the whole training.
    augmentation: str, one of `preprocessing.AUGMENTATIONS`.
    crop_size: int, see `preprocessing.augment`; None for the whole image.
    sampling: str, one of `sampling.SAMPLERS`.
    num_examples_per_epoch: int, of the sampling `balanced_subset`.
    num_views: int, as how many images each example is trained on in a step.
    seed: int.
  """

  mean: tuple
  std: tuple
  batch_size: int = 128
  num_epochs: int = 1
  augmentation: str = "none"
  crop_size: int | None = None
  sampling: str = "natural"
  num_examples_per_epoch: int | None = None
  num_views: int = 1
  seed: int = 0

  @classmethod
  def of_run(cls, config, moments):
    """Returns the `Batching` of a run.

    Args:
      config: its `TrainConfig`.
      moments: pair of float [channels], the images' mean and standard
        deviation.
    """
    mean, std = moments
    return cls(
      mean=mean,
      std=std,
      batch_size=config.batch_size,
      num_epochs=config.num_epochs,
      augmentation=config.augmentation,
      crop_size=config.crop_size,
      sampling=config.sampling,
      num_examples_per_epoch=config.num_examples_per_epoch,
      num_views=config.method_options.NUM_VIEWS,
      seed=config.seed,
    )

  def examples_per_epoch(self, examples):
    """Returns the number of examples of an epoch over training `Examples`."""
    return sampling_lib.examples_per_epoch(
      examples.given_labels, self.sampling, self.num_examples_per_epoch
    )

  def steps_per_epoch(self, examples):
    """Returns how many batches an epoch has: an int."""
    return steps_per_epoch(self.examples_per_epoch(examples), self.batch_size)

  def train(
    self,
    examples,
    first_step=0,
    replicas=range(1),
    num_replicas=1,
    upto=READY,
  ):
    """Makes the batches of all epochs of training, one after the other.

    Each global batch is split, in order, into a share for each replica. The
    sizes of the shares differ by at most one example.

    Args:
      examples: `noisy_dataset.Examples`.
      first_step: int, how many steps of the whole training are skipped, because
        a run that goes on has made them already.
      replicas: range, the numbers of the replicas whose shares are wanted.
      num_replicas: int, the number of all replicas.
      upto: str, how far the pipeline makes the images: `READY`, `IMAGES` or
        `ROWS`.

    Returns:
      a `tf.data.Dataset` of `(images, targets)`, one for each of `replicas` in
      turn. Images are float32 [share, height, width, channels]; with `IMAGES`,
      uint8 and neither augmented nor normalised; with `ROWS`, the integers
      [share] of their rows in `examples.images`. Targets are a dict of int32
      [share]: `label`, `true_label`, `example` (in [0, num_examples)),
      `position` (in the global batch) and `step` (of the whole training).
    """
    images = examples.images
    if isinstance(images, np.ndarray):
      images = _on_cpu(images)
    index = _on_cpu(examples.index)
    labels = _on_cpu(examples.given_labels, np.int32)
    true_labels = _on_cpu(examples.true_labels, np.int32)
    counted = sampling_lib.count_labels(examples.given_labels)
    num_steps = self.steps_per_epoch(examples)

    def make_epoch(epoch):
      order = sampling_lib.order_of_epoch(
        counted, epoch, self.seed, self.sampling, self.num_examples_per_epoch
      )
      begin = tf.maximum(first_step - epoch * num_steps, 0)
      batches = tf.data.Dataset.from_tensor_slices(
        order[begin * self.batch_size :]
      )
      return batches.batch(self.batch_size).enumerate(epoch * num_steps + begin)

    def make_share(step, batch, replica):
      position = _share(tf.size(batch), replica, num_replicas)
      chosen = tf.gather(batch, position)
      rows = tf.gather(index, chosen)
      targets = {
        "label": tf.gather(labels, chosen),
        "true_label": tf.gather(true_labels, chosen),
        "example": chosen,
        "position": position,
        "step": tf.fill(tf.shape(chosen), tf.cast(step, tf.int32)),
      }
      if upto == ROWS:
        return rows, targets
      share = _gather(images, rows)
      if upto == IMAGES:
        return share, targets
      return self.finish(share, targets, num_replicas)

    return (
      tf.data.Dataset.range(first_step // num_steps, self.num_epochs)
      .flat_map(make_epoch)
      .flat_map(lambda step, batch: _for_each(replicas, step, batch))
      .map(make_share, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
      .prefetch(_NUM_BUFFERED * len(replicas))
    )

  def finish(self, images, targets, num_replicas=1):
    """Augments and normalises a replica's share of a training batch.

    Args:
      images: uint8 [share, height, width, channels].
      targets: dict, see `train`.
      num_replicas: int, the number of all replicas.

    Returns:
      a pair: float32 [share, *, *, channels], or [share, num_views, *, *,
      channels] if there are several views; `targets`.
    """
    key = random_numbers.fold_in(
      tf.constant([_AUGMENTATION_STREAM, self.seed], tf.int64),
      targets["step"][0],
    )

    def view(key):
      augmented = preprocessing.augment(
        images,
        self.augmentation,
        key,
        # One replica's share is the batch.
        None if num_replicas == 1 else targets["position"],
        self.crop_size,
      )
      return preprocessing.normalize(augmented, self.mean, self.std)

    if self.num_views == 1:
      return view(key), targets
    keys = random_numbers.split(key, self.num_views)
    return tf.stack([view(each) for each in keys], axis=1), targets

  def finish_evaluation(self, images, targets):
    """Normalises a share of a batch of `evaluate`; see `finish`."""
    prepared = preprocessing.prepare(
      images, self.mean, self.std, self.crop_size
    )
    return prepared, targets

  def evaluate(
    self,
    examples,
    batch_size=EVALUATION_BATCH_SIZE,
    replicas=range(1),
    num_replicas=1,
    upto=READY,
  ):
    """Makes the batches of one pass in the given order, without augmentation.

    A pass has every example once, and no share is empty. If no batch size
    allows that, for example because there are fewer examples than replicas, all
    examples are repeated equally often, which changes no mean.

    Args:
      examples: `noisy_dataset.Examples`.
      batch_size: int, the size of the largest global batch.
      replicas: range, the numbers of the replicas whose shares are wanted.
      num_replicas: int, the number of all replicas.
      upto: str, `READY` or `IMAGES`, see `train`.

    Returns:
      a `tf.data.Dataset` of `(images, targets)`, one for each of `replicas` in
      turn. Images are as in `train`. Targets are a dict of int32 [share]:
      `label` and `position` (in the global batch). The batches of a pass have
      the sizes of `evaluation_sizes`.
    """
    index = _on_cpu(examples.index)
    labels = _on_cpu(examples.given_labels, np.int32)
    batch_size, num_repeats = _even_batches(
      len(examples), batch_size, num_replicas
    )
    order = np.tile(np.arange(len(examples), dtype=np.int32), num_repeats)

    def make_share(batch, replica):
      position = _share(tf.size(batch), replica, num_replicas)
      chosen = tf.gather(batch, position)
      share = _gather(examples.images, tf.gather(index, chosen))
      targets = {"label": tf.gather(labels, chosen), "position": position}
      if upto == IMAGES:
        return share, targets
      return self.finish_evaluation(share, targets)

    return (
      tf.data.Dataset.from_tensor_slices(order)
      .batch(batch_size)
      .flat_map(lambda batch: _for_each(replicas, batch))
      .map(make_share, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
      .prefetch(_NUM_BUFFERED * len(replicas))
    )


def steps_per_epoch(num_examples, batch_size):
  """Returns the number of batches of an epoch; the last may be smaller."""
  return math.ceil(num_examples / batch_size)


def evaluation_sizes(
  num_examples, batch_size=EVALUATION_BATCH_SIZE, num_replicas=1
):
  """Returns the size of each batch of a pass of `Batching.evaluate`: list."""
  batch_size, num_repeats = _even_batches(
    num_examples, batch_size, num_replicas
  )
  num_left = num_examples * num_repeats
  return [
    min(batch_size, num_left - begin)
    for begin in range(0, num_left, batch_size)
  ]


def largest_share(num_replicas):
  """Returns how many examples of an evaluation batch one replica gets."""
  return math.ceil(EVALUATION_BATCH_SIZE / num_replicas)


def is_tail_too_small(num_examples, batch_size, num_replicas):
  """Returns whether the last batch leaves a replica without an example."""
  return 0 < num_examples % batch_size < num_replicas


def _on_cpu(array, dtype=None):
  """Returns a tensor on the CPU, where tf.data reads it, not on a GPU."""
  with tf.device("CPU:0"):
    return tf.constant(np.asarray(array, dtype))


def _gather(images, rows):
  """Takes a batch of images.

  Args:
    images: uint8 [num_images, height, width, channels]: a tensor, an array,
      which is not copied, or `StoredImages`.
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
  """Returns the positions in a global batch of a replica's share: int32."""
  return tf.range(
    batch_size * replica // num_replicas,
    batch_size * (replica + 1) // num_replicas,
  )


def _even_batches(num_examples, batch_size, num_replicas):
  """Finds a batch size with which no replica's share is empty.

  Returns:
    a pair of ints: the batch size; how often each example is taken.
  """
  for size in range(min(batch_size, num_examples), num_replicas - 1, -1):
    if not is_tail_too_small(num_examples, size, num_replicas):
      return size, 1
  return num_replicas, num_replicas
