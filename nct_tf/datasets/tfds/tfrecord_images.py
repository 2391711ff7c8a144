"""Single images out of TFRecord files, decoded when they are needed."""

import os

import numpy as np
import tensorflow as tf

from nct_tf import errors
from nct_tf.datasets.storage import image_storage

# A record consists of its length, a checksum of the length, the data, and a
# checksum of the data.
_LENGTH_BYTES = 8
_HEADER_BYTES = _LENGTH_BYTES + 4
_FOOTER_BYTES = 4


class TfrecordImages(image_storage.StoredImages):
  """Images that stay encoded in TFRecord files.

  Args:
    paths: list of str, the files.
    file: integer array [num_images], the position of the image's file in
      `paths`.
    offset: int64 array [num_images], where in the file the image's data begin.
    length: int64 array [num_images], how many bytes its data are.
    decode: function from a scalar string tensor, the data, to a uint8 tensor
      of `image_shape`; called in a graph.
    image_shape: three ints, (height, width, channels).
  """

  def __init__(self, paths, file, offset, length, decode, image_shape):
    super().__init__(len(file), image_shape)
    self._paths = paths
    self._file = file
    self._offset = offset
    self._length = length
    signature = tf.TensorSpec(self._image_shape, tf.uint8)
    self._decode = tf.function(
      lambda data: tf.map_fn(decode, data, fn_output_signature=signature),
      input_signature=[tf.TensorSpec([None], tf.string)],
    )

  def gather(self, rows):
    """See the base class; decodes in the graph, with all of its threads."""
    data = tf.numpy_function(
      lambda rows: self._data(self._stored[rows]), [rows], tf.string
    )
    return self._decode(tf.ensure_shape(data, rows.shape))

  def _read(self, stored):
    return self._decode(tf.constant(self._data(stored), tf.string)).numpy()

  def _data(self, stored):
    """Returns the data of records: object array of bytes."""
    result = np.empty(len(stored), object)
    for number, place in enumerate(stored.tolist()):
      # It is opened each time, as there may be more files than a process may
      # hold open.
      path = self._paths[self._file[place]]
      length = int(self._length[place])
      try:
        with open(path, "rb", buffering=0) as file:
          data = os.pread(file.fileno(), length, int(self._offset[place]))
      except OSError as error:
        raise errors.InvalidInputError(
          f"{path} cannot be read any more: {error.strerror}"
        ) from error
      if len(data) != length:
        raise errors.InvalidInputError(
          f"{path} has become shorter while it was read"
        )
      result[number] = data
    return result


def find_records(path):
  """Finds the records of a TFRecord file by reading only their lengths.

  Args:
    path: str.

  Returns:
    a pair of int64 arrays [num_records]: where the data of each begin, and
    how many bytes they are.

  Raises:
    InvalidInputError: if the file cannot be read, or ends within a record.
  """
  lengths = []
  end = 0
  try:
    with open(path, "rb", buffering=0) as file:
      size = os.fstat(file.fileno()).st_size
      while end < size:
        header = os.pread(file.fileno(), _LENGTH_BYTES, end)
        lengths.append(int.from_bytes(header, "little"))
        end += _HEADER_BYTES + lengths[-1] + _FOOTER_BYTES
  except OSError as error:
    raise errors.InvalidInputError(
      f"{path} cannot be read: {error.strerror}"
    ) from error
  if end != size:
    raise errors.InvalidInputError(f"{path} ends within a record")
  lengths = np.array(lengths, np.int64)
  begins = np.cumsum(lengths + _HEADER_BYTES + _FOOTER_BYTES)
  return begins - lengths - _FOOTER_BYTES, lengths
