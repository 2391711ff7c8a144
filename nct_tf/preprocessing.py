"""Operations on batches of images, alike eagerly and inside tf.data.

Every operation takes a whole batch and is made of vectorised TensorFlow
operations; the random ones are stateless functions of their seed.
"""

import tensorflow as tf

from nct_tf import addons

AUGMENTATIONS = ("none", "crop_flip", "crop_flip_cutout")

_PADDING = 4  # Pixels of zeros on each side before the crop; the paper's 4.


def normalize(images, mean, std):
  """Scales pixels to [0, 1], then to zero mean and unit deviation.

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


def resize(images, size):
  """Resizes bilinearly, antialiased, without regard to the aspect ratio.

  Args:
    images: uint8 [height, width, channels], or a batch of them.
    size: two ints, (height, width) in pixels.

  Returns:
    a uint8 tensor.
  """
  resized = tf.image.resize(images, size, antialias=True)
  return tf.cast(tf.round(resized), tf.uint8)


def random_crop_flip(images, seed, padding=_PADDING, position=None):
  """Pads with zeros, crops at random to the old size, mirrors every second.

  Args:
    images: [batch, height, width, channels], of any dtype; pixels before
      normalisation, as zero is to mean black.
    seed: integer [2], a stateless seed.
    padding: int, pixels on each side.
    position: int32 [batch], see `augment`.

  Returns:
    a tensor like `images`.

  References:
    Section 4 of the paper.
  """
  images = tf.convert_to_tensor(images)
  _, height, width, _ = tf.unstack(tf.shape(images))
  position = _positions(images, position)
  offset_seed, flip_seed = tf.unstack(
    tf.random.experimental.stateless_split(seed, num=2)
  )
  offset = _draw(
    position, 2, offset_seed, maxval=2 * padding + 1, dtype=tf.int32
  )
  flip = _draw(position, 1, flip_seed) < 0.5
  padded = tf.pad(
    images, [[0, 0], [padding, padding], [padding, padding], [0, 0]]
  )
  rows = offset[:, :1] + tf.range(height)
  # Mirroring is reading the columns backwards.
  columns = offset[:, 1:] + tf.where(
    flip, tf.range(width - 1, -1, -1), tf.range(width)
  )
  cropped = tf.gather(padded, rows, axis=1, batch_dims=1)
  cropped = tf.gather(cropped, columns, axis=2, batch_dims=1)
  return tf.ensure_shape(cropped, images.shape)


def _positions(images, position):
  return tf.range(tf.shape(images)[0]) if position is None else position


def _draw(position, num_columns, seed, **options):
  """Draws numbers for each position of a batch: [batch, num_columns].

  The generator counts: its n-th number does not depend on how many are drawn.
  So a part of a batch gets what it gets within the whole one.
  """
  num_rows = tf.reduce_max(position) + 1
  numbers = tf.random.stateless_uniform(
    [num_rows, num_columns], seed, **options
  )
  return tf.gather(numbers, position)


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
  uniform = _draw(_positions(images, position), 2, seed)
  return size, tf.cast(uniform * tf.cast([height, width], tf.float32), tf.int32)


def augment(images, augmentation, seed, position=None):
  """Applies an augmentation of `AUGMENTATIONS` by its name.

  Args:
    images: uint8 [batch, height, width, channels].
    augmentation: str; `crop_flip_cutout` needs tensorflow-addons.
    seed: integer [2], a stateless seed.
    position: int32 [batch], each image's position in the global batch; what is
      drawn for it depends on that and the seed alone. None means that `images`
      is the global batch.

  Returns:
    uint8, of the shape of `images`.
  """
  if augmentation == "none":
    return images
  images = random_crop_flip(images, seed, position=position)
  if augmentation == "crop_flip_cutout":
    size, centers = cutout_boxes(
      images, tf.random.experimental.stateless_fold_in(seed, 2), position
    )
    images = addons.cutout(images, size, centers)
  return images
