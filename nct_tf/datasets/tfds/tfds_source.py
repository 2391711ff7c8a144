"""The splits of a prepared dataset of tensorflow-datasets, read in order."""

import contextlib
import dataclasses
import hashlib
import json
import logging
import os

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
import tqdm

from nct_tf import errors, preprocessing
from nct_tf.datasets.storage import image_cache
from nct_tf.datasets.tfds import tfrecord_images

_INDEX_NAMES = ("labels", "shard", "offset", "length")

_MAX_BATCH_SIZE = 1024
_MAX_BATCH_BYTES = 2**24
_PROGRESS_DELAY_SECONDS = 2  # Small datasets need no progress bar.
_NUM_GLANCED_AT = 1000


@dataclasses.dataclass(frozen=True)
class Source:
  """Images and labels of a dataset.

  All methods give the examples of a split in the same order.

  Attributes:
    builder: a `tfds.core.DatasetBuilder`, whose data are prepared.
    image_key: str, name of the image feature.
    label_key: str, name of the label feature.
    image_size: int, the side to resize to; None if all have one size.
  """

  builder: tfds.core.DatasetBuilder
  image_key: str
  label_key: str
  image_size: int | None

  @property
  def image_shape(self):
    """Three ints, (height, width, channels)."""
    shape = self.builder.info.features[self.image_key].shape
    if self.image_size is None:
      return shape
    return (self.image_size, self.image_size, shape[-1])

  @property
  def resizing(self):
    """Str, see `preprocessing.resize`: `cover` where sizes differ."""
    shape = self.builder.info.features[self.image_key].shape
    return "cover" if None in shape[:2] else "stretch"

  @property
  def image_bytes(self):
    """The bytes of a decoded image."""
    return int(np.prod(self.image_shape))

  def num_examples(self, split):
    """Returns the number of examples of a split."""
    return self.builder.info.splits[split].num_examples

  def fingerprint(self):
    """Returns hexadecimal digits that change if images or labels may change."""
    info = self.builder.info
    facts = [
      info.full_name,
      self.image_key,
      self.label_key,
      self.image_size,
      self.resizing,
      tf.__version__,  # It decodes and resizes.
    ]
    for split in info.splits.values():
      for path in split.filepaths:
        stat = path.stat()
        facts.append([os.fspath(path), stat.length, stat.mtime])
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]

  def batches(self, split):
    """Reads a split, with a progress bar.

    Args:
      split: str.

    Yields:
      pairs of arrays: uint8 [batch, height, width, channels], int64 [batch].

    Raises:
      InvalidInputError: if the number of examples is not the expected one.
    """

    def to_pair(example):
      image = self._resize(example[self.image_key])
      return image, example[self.label_key]

    batch_size = max(
      1, min(_MAX_BATCH_SIZE, _MAX_BATCH_BYTES // self.image_bytes)
    )
    batches = (
      self._examples(split)
      .map(to_pair, num_parallel_calls=tf.data.AUTOTUNE)
      .batch(batch_size)
    )
    yield from self._watch(split, batches)

  def open(self, split, folder):
    """Opens a split whose images are decoded one by one.

    Args:
      split: str.
      folder: `pathlib.Path`, the folder of this source in the cache. It keeps
        an index of the records.

    Returns:
      a pair: `TfrecordImages`, int64 labels [num_examples].

    Raises:
      InvalidInputError: if they are not in TFRecord files that can be read.
    """
    index = image_cache.obtain(
      folder / f"{split}.index.npz",
      lambda path: image_cache.read_arrays(path, _INDEX_NAMES),
      lambda file: np.savez(file, **self._find_records(split)),
    )
    images = tfrecord_images.TfrecordImages(
      self._paths(split),
      index["shard"],
      index["offset"],
      index["length"],
      self._decode,
      self.image_shape,
    )
    return images, index["labels"]

  def _find_records(self, split):
    """Finds where the examples of a split are, without decoding an image.

    Args:
      split: str.

    Returns:
      dict of `_INDEX_NAMES` to arrays [num_examples]: int64 `labels`, and what
      `tfrecord_images.TfrecordImages` takes.

    Raises:
      InvalidInputError: if they are not in TFRecord files that can be read.
    """
    if self.builder.info.file_format != tfds.core.FileFormat.TFRECORD:
      raise errors.InvalidInputError(
        "Argument `cache` can be none for TFRecord files alone, and "
        f"{self.builder.info.full_name} is in files of the format "
        f"{self.builder.info.file_format.value}: give --cache=disk"
      )
    paths = self._paths(split)
    numbers = {os.path.basename(path): n for n, path in enumerate(paths)}
    found = [tfrecord_images.find_records(path) for path in paths]
    batches = (
      self._examples(split, skip_images=True, add_tfds_id=True)
      .map(lambda example: (example["tfds_id"], example[self.label_key]))
      .batch(_MAX_BATCH_SIZE)
    )
    ids, labels = map(
      np.concatenate, zip(*self._watch(split, batches), strict=True)
    )
    # An id is the file's name and the number of the record in it.
    names, records = zip(
      *(name.decode().rsplit("__", 1) for name in ids), strict=True
    )
    shard = np.array([numbers[name] for name in names], np.int32)
    places = list(zip(shard, map(int, records), strict=True))
    return {
      "labels": labels,
      "shard": shard,
      "offset": np.array([found[s][0][record] for s, record in places]),
      "length": np.array([found[s][1][record] for s, record in places]),
    }

  def _paths(self, split):
    """Returns the files of a split: list of str."""
    return [os.fspath(p) for p in self.builder.info.splits[split].filepaths]

  def _decode(self, data):
    """Returns the image of a serialized example: a uint8 tensor."""
    features = self.builder.info.features
    image_only = tfds.features.FeaturesDict(
      {self.image_key: features[self.image_key]}
    )
    image = image_only.deserialize_example(data)[self.image_key]
    return tf.ensure_shape(self._resize(image), self.image_shape)

  def read_labels(self, split, keys):
    """Reads label features of a split, without decoding an image.

    Args:
      split: str.
      keys: list of str, names of features.

    Returns:
      dict from each of the keys to an int64 array [num_examples].
    """
    batches = (
      self._examples(split, skip_images=True)
      .map(lambda example: [example[key] for key in keys])
      .batch(_MAX_BATCH_SIZE)
    )
    columns = zip(*batches.as_numpy_iterator(), strict=True)
    return {
      key: np.concatenate(column).astype(np.int64)
      for key, column in zip(keys, columns, strict=True)
    }

  def has_labels(self, split):
    """Returns whether labels are given; looks only at the first ones."""
    examples = self._examples(split, skip_images=True).take(_NUM_GLANCED_AT)
    labels = examples.map(lambda example: example[self.label_key])
    return all(label >= 0 for label in labels.as_numpy_iterator())

  def _resize(self, image):
    if self.image_size is None:
      return image
    size = (self.image_size, self.image_size)
    return preprocessing.resize(image, size, self.resizing)

  def _examples(self, split, skip_images=False, add_tfds_id=False):
    decoders = {self.image_key: tfds.decode.SkipDecoding()}
    with _quiet():
      return self.builder.as_dataset(
        split=split,
        shuffle_files=False,
        decoders=decoders if skip_images else None,
        # The cache of tensorflow-datasets would hold all images in memory.
        read_config=tfds.ReadConfig(
          add_tfds_id=add_tfds_id, try_autocache=False
        ),
      )

  def _watch(self, split, batches):
    """Yields batches whose last array is of labels, with a progress bar."""
    num_read = 0
    num_examples = self.num_examples(split)
    with tqdm.tqdm(
      desc=f"reading {split}",
      total=num_examples,
      delay=_PROGRESS_DELAY_SECONDS,
    ) as progress:
      for values, labels in batches.as_numpy_iterator():
        num_read += len(labels)
        progress.update(len(labels))
        yield values, labels.astype(np.int64)
    if num_read != num_examples:
      raise errors.InvalidInputError(
        f"Dataset {self.builder.info.full_name} must have {num_examples} "
        f"examples in its split {split}. Received: {num_read}"
      )


@contextlib.contextmanager
def _quiet():
  """Hides a warning about functions that tensorflow-datasets calls."""
  logger = logging.getLogger("tensorflow")
  level = logger.level
  logger.setLevel(logging.ERROR)
  try:
    yield
  finally:
    logger.setLevel(level)
