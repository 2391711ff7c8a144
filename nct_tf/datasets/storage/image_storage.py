"""Images that are read when they are needed, instead of held in memory."""

import abc
import copy
import os

import numpy as np
import tensorflow as tf

from nct_tf import errors


class StoredImages(abc.ABC):
  """An array of images outside of memory: `images[rows]` reads some of them.

  Rows are integers, a slice or a mask, as for a NumPy array. The result is a
  uint8 array [num_rows, height, width, channels], in the order of the rows.

  Args:
    num_images: int.
    image_shape: three ints, (height, width, channels).
  """

  dtype = np.dtype(np.uint8)
  ndim = 4

  def __init__(self, num_images, image_shape):
    self._stored = np.arange(num_images)  # Row -> where it is stored.
    self._image_shape = tuple(image_shape)

  def __len__(self):
    return len(self._stored)

  @property
  def shape(self):
    """Four ints, (num_images, height, width, channels)."""
    return (len(self), *self._image_shape)

  def __getitem__(self, rows):
    return self._read(self._stored[rows])

  def subset(self, rows):
    """Returns `StoredImages` of some rows, without reading any."""
    result = copy.copy(self)
    result._stored = self._stored[rows]
    return result

  def gather(self, rows):
    """Reads inside a graph, see the module's `gather`."""
    return _call(self.__getitem__, rows, self._image_shape)

  @abc.abstractmethod
  def _read(self, stored):
    """Returns the uint8 images at places of `_stored`, an integer array."""


class FileImages(StoredImages):
  """Images of equal size, one after the other from the beginning of a file.

  The file is read, not mapped: mapped pages would count as memory of the
  process.

  Args:
    path: `pathlib.Path`; whatever follows the images in the file is ignored.
    num_images: int.
    image_shape: three ints, (height, width, channels).
  """

  def __init__(self, path, num_images, image_shape):
    super().__init__(num_images, image_shape)
    self._file = open(path, "rb", buffering=0)  # noqa: SIM115 It stays open.

  def _read(self, stored):
    images = np.empty((len(stored), *self._image_shape), np.uint8)
    descriptor = self._file.fileno()
    size = images[:1].nbytes
    for image, place in zip(images, stored.tolist(), strict=True):
      if os.preadv(descriptor, [image], place * size) != size:
        raise errors.InvalidInputError(
          f"{self._file.name} has become shorter while it was read: delete it"
        )
    return images


def subset(images, rows):
  """Returns `images[rows]`, without reading them if they are `StoredImages`."""
  if isinstance(images, StoredImages):
    return images.subset(rows)
  return images[rows]


def gather(images, rows):
  """Returns `images[rows]` inside a graph, which does not hold the images.

  Args:
    images: uint8 [num_images, height, width, channels], an array or
      `StoredImages`.
    rows: integer tensor [num_rows].

  Returns:
    a uint8 tensor [num_rows, height, width, channels].
  """
  if isinstance(images, StoredImages):
    return images.gather(rows)
  return _call(images.__getitem__, rows, images.shape[1:])


def _call(getitem, rows, image_shape):
  images = tf.numpy_function(getitem, [rows], tf.uint8)
  return tf.ensure_shape(images, [*rows.shape, *image_shape])
