"""Operations on batches of images, the same eagerly and inside tf.data.

Each takes a whole batch and consists of vectorised TensorFlow operations. The
random ones are stateless functions of their seed.
"""

import math

import tensorflow as tf

from nct_tf import errors, random_numbers
from nct_tf.options import data as data_options
from nct_tf.system import addons

_PADDING = 4  # Pixels of zeros on each side before the crop, as in the paper.

# As in torchvision's RandomResizedCrop.
_AREAS = (0.08, 1.0)  # Shares of the image's area.
_ASPECT_RATIOS = (3 / 4, 4 / 3)  # Width over height.
_NUM_TRIES = 10


def normalize(images, mean, std):
  """Scales pixels to [0, 1], then to zero mean and unit standard deviation.

  `(images / 255 - mean) / std`, per channel.

  Args:
    images: uint8 [batch, height, width, channels].
    mean: float [channels], of pixels in [0, 1].
    std: float [channels], of pixels in [0, 1], above 0.

  Returns:
    float32, of the shape of `images`.
  """
  mean = tf.constant(mean, tf.float32)
  std = tf.constant(std, tf.float32)
  # One multiplication and one addition per pixel.
  return tf.cast(images, tf.float32) * (1.0 / (255.0 * std)) - mean / std


def prepare(images, mean, std, crop_size=None):
  """Returns images as a network sees them outside of training.

  Args:
    images: uint8 [batch, height, width, channels].
    mean: float [channels], see `normalize`.
    std: float [channels].
    crop_size: int, the side of the square that is taken from their middle; None
      for the whole image.

  Returns:
    float32 [batch, *, *, channels], see `input_shape`.
  """
  return normalize(central_crop(images, crop_size), mean, std)


def input_shape(image_shape, crop_size=None):
  """Returns the shape of an image as a network sees it.

  Args:
    image_shape: three ints, (height, width, channels).
    crop_size: int, see `prepare`.

  Returns:
    three ints.

  Raises:
    InvalidInputError: if the image is smaller than the crop.
  """
  height, width, channels = image_shape
  if crop_size is None:
    return (height, width, channels)
  if crop_size > min(height, width):
    raise errors.InvalidInputError(
      f"Argument `crop_size` must be at most {min(height, width)}, as images "
      f"have {height}x{width} pixels. Received: crop_size={crop_size}"
    )
  return (crop_size, crop_size, channels)


def central_crop(images, crop_size):
  """Returns the square in the middle of images; None takes all of them."""
  if crop_size is None:
    return images
  return _central_crop(images, (crop_size, crop_size))


def _central_crop(images, size):
  top, left = (
    (length - taken) // 2
    for length, taken in zip(
      tf.unstack(tf.shape(images)[-3:-1]), size, strict=True
    )
  )
  return images[..., top : top + size[0], left : left + size[1], :]


def resize(images, size, resizing="stretch"):
  """Resizes bilinearly, antialiased.

  Args:
    images: uint8 [height, width, channels], or a batch of them.
    size: two ints, (height, width) in pixels.
    resizing: str: `stretch` disregards the aspect ratio. `cover` keeps it: the
      image gets the smallest size that covers `size`, and its middle is taken.

  Returns:
    a uint8 tensor.
  """
  between = size
  if resizing == "cover":
    height, width = tf.unstack(tf.shape(images)[-3:-1])
    between = tf.cond(
      size[0] * width >= size[1] * height,  # Is it wider than `size` is?
      lambda: tf.stack([size[0], size[0] * width // height]),
      lambda: tf.stack([size[1] * height // width, size[1]]),
    )
  resized = tf.image.resize(images, between, antialias=True)
  resized = tf.cast(tf.round(resized), tf.uint8)
  if resizing == "cover":
    resized = _central_crop(resized, size)
    channels = images.shape[-1]
    resized = tf.ensure_shape(resized, [*images.shape[:-3], *size, channels])
  return resized


def random_crop_flip(
  images, seed, padding=_PADDING, position=None, crop_size=None
):
  """Crops at random, and mirrors each image with probability 1/2.

  If the crop is as large as the image, the image is padded with zeros first.

  Args:
    images: [batch, height, width, channels], of any dtype. They must not be
      normalised yet, as a padding of zeros means black.
    seed: integer [2], a stateless seed.
    padding: int, pixels on each side.
    position: int32 [batch], see `augment`.
    crop_size: int, see `augment`.

  Returns:
    a tensor like `images`, of the size of the crop.

  References:
    Section 4 of the paper.
  """
  images = tf.convert_to_tensor(images)
  size = input_shape(images.shape[1:], crop_size)[:2]
  if size == tuple(images.shape[1:3]):
    margins = [padding, padding]
    images = tf.pad(images, [[0, 0], margins, margins, [0, 0]])
  position = _places(images, position)
  offset_seed, flip_seed = random_numbers.split(seed)
  row, column = (
    _draw_integers(
      position, 2, offset_seed, images.shape[1 + axis] - size[axis] + 1
    )[:, axis, None]
    for axis in range(2)
  )
  rows = row + tf.range(size[0])
  columns = column + _mirror(tf.range(size[1]), position, flip_seed)
  cropped = tf.gather(images, rows, axis=1, batch_dims=1)
  cropped = tf.gather(cropped, columns, axis=2, batch_dims=1)
  return tf.ensure_shape(cropped, [images.shape[0], *size, images.shape[3]])


def random_resized_crop_flip(images, seed, position=None, crop_size=None):
  """Takes a random box of each image, and mirrors it with probability 1/2.

  The area of a box is 8 to 100 % of the image's, its width 3/4 to 4/3 of its
  height. It is resized bilinearly, without antialiasing, as it is hardly larger
  than the crop.

  Args:
    images: uint8 [batch, height, width, channels].
    seed: integer [2], a stateless seed.
    position: int32 [batch], see `augment`.
    crop_size: int, see `augment`.

  Returns:
    uint8 [batch, *, *, channels], of the size of the crop.

  References:
    torchvision's RandomResizedCrop.
  """
  images = tf.convert_to_tensor(images)
  size = input_shape(images.shape[1:], crop_size)[:2]
  position = _places(images, position)
  box_seed, flip_seed = random_numbers.split(seed)
  top, left, height, width = random_boxes(images.shape, box_seed, position)
  rows = _centers(top, height, size[0])
  columns = _centers(left, width, size[1])
  columns = _mirror(columns, position, flip_seed)
  values = tf.cast(images, tf.float32)
  values = _interpolate(values, rows, axis=1)
  values = _interpolate(values, columns, axis=2)
  return tf.cast(tf.round(values), tf.uint8)


def random_boxes(shape, seed, position):
  """Draws the boxes of `random_resized_crop_flip`.

  Args:
    shape: four ints, (_, height, width, _), of the images in pixels.
    seed: integer [2], a stateless seed.
    position: int32 [batch], see `augment`; or a scalar, the number of images
      of a whole batch.

  Returns:
    four float32 [batch]: top, left, height and width, whole numbers.
  """
  _, full_height, full_width, _ = shape
  numbers = _draw_uniform(position, 2 * _NUM_TRIES + 2, seed)
  low, high = (math.log(ratio) for ratio in _ASPECT_RATIOS)
  ratio = tf.exp(low + (high - low) * numbers[:, :_NUM_TRIES])
  low, high = (share * full_height * full_width for share in _AREAS)
  area = low + (high - low) * numbers[:, _NUM_TRIES : 2 * _NUM_TRIES]
  # Take the first box that fits, or else the largest that can fit.
  widest, narrowest = max(_ASPECT_RATIOS), min(_ASPECT_RATIOS)
  possible = min(max(full_width / full_height, narrowest), widest)
  heights, widths = (
    tf.pad(tf.round(tf.sqrt(sides)), [[0, 0], [0, 1]], constant_values=last)
    for sides, last in (
      (area / ratio, min(full_height, round(full_width / possible))),
      (area * ratio, min(full_width, round(full_height * possible))),
    )
  )
  fits = (heights <= full_height) & (widths <= full_width)
  fits &= (heights > 0) & (widths > 0)
  first = tf.argmax(tf.cast(fits, tf.int32), axis=1)
  height, width = (
    tf.gather(sides, first, batch_dims=1) for sides in (heights, widths)
  )
  top = tf.floor(numbers[:, -2] * (full_height - height + 1))
  left = tf.floor(numbers[:, -1] * (full_width - width + 1))
  return top, left, height, width


def _centers(begin, length, size):
  """Returns where to read a box: float32 [batch, size], whole at centres."""
  begin, length = begin[:, None], length[:, None]
  centers = (tf.range(size, dtype=tf.float32) + 0.5) * length / size - 0.5
  return begin + tf.clip_by_value(centers, 0.0, length - 1)


def _interpolate(values, places, axis):
  """Interpolates an axis linearly at places, float32 [batch, size]."""
  before = tf.floor(places)
  weight = tf.expand_dims(places - before, 2)
  weight = tf.expand_dims(weight, 3 if axis == 1 else 1)
  low, high = (
    tf.gather(values, tf.cast(entry, tf.int32), axis=axis, batch_dims=1)
    for entry in (before, tf.math.ceil(places))
  )
  return low + (high - low) * weight


def _mirror(columns, position, seed):
  """Reverses each image's columns with probability 1/2: [batch, size]."""
  flip = _draw_uniform(position, 1, seed) < 0.5
  return tf.where(flip, columns[..., ::-1], columns)


def _places(images, position):
  """Returns `position`, or the number of images if they are the whole batch.

  XLA must know how many numbers are drawn when it compiles.
  """
  if position is None:
    return tf.shape(images)[0]
  return tf.convert_to_tensor(position)


def _draw_uniform(places, num_columns, seed):
  """Draws float32 [batch, num_columns] in [0, 1) for places; see `_draw`."""
  return _draw(
    lambda rows: random_numbers.uniform([rows, num_columns], seed), places
  )


def _draw_integers(places, num_columns, seed, maxval):
  """Draws int32 [batch, num_columns] in [0, maxval) for places; see `_draw`."""
  return _draw(
    lambda rows: random_numbers.integers([rows, num_columns], seed, 0, maxval),
    places,
  )


def _draw(draw, places):
  """Draws a row for each place of a batch.

  The n-th number does not depend on how many are drawn. So a part of a batch
  gets the same numbers as in the whole batch.

  Args:
    draw: a function from a number of rows to the rows.
    places: of `_places`: integer [batch], or a scalar, the number of all.
  """
  if places.shape.rank == 0:
    return draw(places)
  return tf.gather(draw(tf.reduce_max(places) + 1), places)


def cutout_boxes(images, seed, position=None):
  """Draws where `cutout` blanks each image: a square of half its side.

  Args:
    images: [batch, height, width, channels].
    seed: integer [2], a stateless seed.
    position: int32 [batch], see `augment`.

  Returns:
    a pair: int, the side of the square in pixels, even; int32 [batch, 2], the
    squares' centres (row, column).
  """
  _, height, width, _ = tf.unstack(tf.shape(images))
  size = 2 * max(1, min(images.shape[1], images.shape[2]) // 4)
  uniform = _draw_uniform(_places(images, position), 2, seed)
  return size, tf.cast(uniform * tf.cast([height, width], tf.float32), tf.int32)


def augment(images, augmentation, seed, position=None, crop_size=None):
  """Applies an augmentation of `options.data.AUGMENTATIONS` by its name.

  Args:
    images: uint8 [batch, height, width, channels].
    augmentation: str; `crop_flip_cutout` needs tensorflow-addons.
    seed: integer [2], a stateless seed.
    position: int32 [batch], each image's position in the global batch. What is
      drawn for an image depends only on its position and the seed. None means
      that `images` is the global batch.
    crop_size: int, the side of the square that each image is cropped to; None
      for the image's own height and width.

  Returns:
    uint8 [batch, *, *, channels], see `input_shape`.
  """
  errors.check_choice("augmentation", augmentation, data_options.AUGMENTATIONS)
  if augmentation == "none":
    return central_crop(images, crop_size)
  if augmentation == "resized_crop_flip":
    return random_resized_crop_flip(images, seed, position, crop_size)
  images = random_crop_flip(
    images, seed, position=position, crop_size=crop_size
  )
  if augmentation == "crop_flip_cutout":
    size, centers = cutout_boxes(
      images, random_numbers.fold_in(seed, 2), position
    )
    images = addons.cutout(images, size, centers)
  return images
