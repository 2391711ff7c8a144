"""Picture files as images of one size: decoded in threads, read in order."""

import concurrent.futures
import dataclasses
import functools
import hashlib
import json
import os
import pathlib

import numpy as np
from PIL import __version__ as pillow_version
import tensorflow as tf
import tqdm

from nct_tf import errors, preprocessing
from nct_tf.datasets.files import picture_index
from nct_tf.datasets.storage import image_storage
from nct_tf.pictures import decoding, pixels

_BATCH_BYTES = 2**24
_MAX_BATCH_SIZE = 1024
_PROGRESS_DELAY_SECONDS = 2


@dataclasses.dataclass(frozen=True)
class Split:
  """The files of a split.

  Attributes:
    paths: list of `pathlib.Path`.
    labels: int64 array [num_examples].
    entries: list of `picture_index.Entry`.
  """

  paths: list[pathlib.Path]
  labels: np.ndarray
  entries: list[picture_index.Entry]


@dataclasses.dataclass(frozen=True)
class PictureSource:
  """A source for `image_keeping`.

  Attributes:
    splits: dict from name to `Split`.
    image_shape: three ints, (height, width, channels).
  """

  splits: dict[str, Split]
  image_shape: tuple[int, int, int]

  @property
  def image_bytes(self):
    """The bytes of a decoded image."""
    return int(np.prod(self.image_shape))

  def num_examples(self, split):
    """Returns the number of examples of a split."""
    return len(self.splits[split].labels)

  def fingerprint(self):
    """Returns hexadecimal digits that change if images or labels may change."""
    facts = [self.image_shape, pillow_version, tf.__version__]
    for name, split in self.splits.items():
      digests = [entry.digest for entry in split.entries]
      facts.append([name, digests, split.labels.tolist()])
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]

  def batches(self, split):
    """Reads a split, with a progress bar.

    Args:
      split: str.

    Yields:
      pairs of arrays: uint8 [batch, height, width, channels], int64 [batch].

    Raises:
      InvalidInputError: if a file has changed since it was examined.
    """
    images, labels = self.open(split)
    batch_size = max(1, min(_MAX_BATCH_SIZE, _BATCH_BYTES // self.image_bytes))
    with tqdm.tqdm(
      desc=f"reading {split}", total=len(labels), delay=_PROGRESS_DELAY_SECONDS
    ) as progress:
      for begin in range(0, len(labels), batch_size):
        part = slice(begin, begin + batch_size)
        yield images[part], labels[part]
        progress.update(len(labels[part]))

  def open(self, split, folder=None):
    """Opens a split whose images are decoded one by one.

    Args:
      split: str.
      folder: unused.

    Returns:
      a pair: `EncodedImages`, int64 labels [num_examples].
    """
    del folder
    files = self.splits[split]
    return EncodedImages(files.paths, self.image_shape), files.labels


class EncodedImages(image_storage.StoredImages):
  """Images that stay in picture files, each decoded when it is needed.

  Args:
    paths: list of `pathlib.Path`.
    image_shape: three ints, (height, width, channels), which all images are
      brought to.
  """

  def __init__(self, paths, image_shape):
    super().__init__(len(paths), image_shape)
    self._paths = paths

  def _read(self, stored):
    images = np.empty((len(stored), *self._image_shape), np.uint8)
    paths = [self._paths[place] for place in stored.tolist()]
    decoded = _threads().map(self._decode, paths)
    for image, content in zip(images, decoded, strict=True):
      image[:] = content
    return images

  def _decode(self, path):
    try:
      image = decoding.decode(path)
    except decoding.UnreadableError as error:
      raise errors.InvalidInputError(
        f"{path} could be read before, and cannot any more: {error}"
      ) from error
    *size, num_channels = self._image_shape
    if list(image.shape[:2]) != size:
      image = preprocessing.resize(image, size).numpy()
    return pixels.to_channels(image, num_channels)


@functools.cache
def _threads():
  """The threads that decode; they end with the process."""
  return concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0)))
