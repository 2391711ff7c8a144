"""Small networks, for small data and for tests."""

import keras

from nct_tf import errors
from nct_tf.networks import layers

_MAX_MAP = 3
_MIN_BLOCKS = 2
_MAX_WIDENING = 4


def mlp(input_shape, num_classes, width=64, hidden_widths=None, dropout=None):
  """Hidden layers with ReLU, without batch norm.

  Args:
    input_shape: three ints, (height, width, channels), of any size.
    num_classes: int.
    width: int, the units of each hidden layer where `hidden_widths` is None.
    hidden_widths: sequence of ints, the units of each hidden layer; None for
      two layers of `width`.
    dropout: float in [0, 1), the rate of dropout after each hidden layer; None
      for 0.

  Returns:
    a `keras.Model` from float images to float32 logits [batch, num_classes].
  """
  if hidden_widths is None:
    hidden_widths = (width, width)
  images = keras.Input(input_shape, name="images")
  x = keras.layers.Flatten(name="flatten")(images)
  for number, units in enumerate(hidden_widths, start=1):
    x = keras.layers.Dense(units, activation="relu", name=f"dense{number}")(x)
    x = layers.dropout(x, dropout, f"dropout{number}")
  return keras.Model(images, layers.logits(x, num_classes), name="mlp")


def simple_cnn(input_shape, num_classes, width=64, sync_batch_norm=False):
  """Blocks of a 3x3 convolution, batch norm, ReLU and 2x2 pooling, then logits.

  There are as many blocks as bring the image down to 3x3 pixels or less, and at
  least two. The mean of what is left gives the logits.

  Args:
    input_shape: three ints, (height, width, channels), at least 4x4 pixels.
    num_classes: int.
    width: int, channels of the first convolution; the second has twice as many,
      the others four times.
    sync_batch_norm: bool, whether batch norm normalises by the statistics of
      the global batch instead of each replica's part.

  Returns:
    a `keras.Model` from float images to float32 logits [batch, num_classes].
  """
  side = min(input_shape[:2])
  if side < 4:
    raise errors.InvalidInputError(
      "simple_cnn needs images of at least 4x4 pixels. Received: "
      f"{input_shape[0]}x{input_shape[1]}"
    )
  images = keras.Input(input_shape, name="images")
  x = images
  block = 0
  while block < _MIN_BLOCKS or side > _MAX_MAP:
    filters = width * min(2**block, _MAX_WIDENING)
    block += 1
    x = layers.Conv2D(
      filters, 3, padding="same", use_bias=False, name=f"conv{block}"
    )(x)
    x = layers.BatchNormalization(
      momentum=0.9, synchronized=sync_batch_norm, name=f"bn{block}"
    )(x)
    x = keras.layers.ReLU(name=f"relu{block}")(x)
    x = keras.layers.MaxPooling2D(2, name=f"pool{block}")(x)
    side //= 2
  x = keras.layers.GlobalAveragePooling2D(name="mean")(x)
  return keras.Model(images, layers.logits(x, num_classes), name="simple_cnn")
