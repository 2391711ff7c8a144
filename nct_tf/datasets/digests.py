"""Digests of pictures, by which they are known wherever they are."""

import hashlib

import numpy as np

_NUM_DIGITS = 32
DTYPE = np.dtype(f"S{_NUM_DIGITS}")  # Hexadecimal digits.


def of_images(images):
  """Returns a digest of each image's pixels: `DTYPE` [num_images].

  Args:
    images: uint8 array [num_images, height, width, channels].
  """
  images = np.ascontiguousarray(images)  # Else they cannot be read as bytes.
  return np.array(
    [hashlib.sha256(image).hexdigest()[:_NUM_DIGITS] for image in images], DTYPE
  )
