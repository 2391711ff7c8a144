"""Small networks, for tests and tiny data."""

import keras

from nct_tf import errors


def _logits(x, num_classes):
  return keras.layers.Dense(num_classes, dtype="float32", name="logits")(x)


def mlp(input_shape, num_classes, width=64):
  """Two hidden layers of `width` units with ReLU, without batch norm."""
  images = keras.Input(input_shape, name="images")
  x = keras.layers.Flatten(name="flatten")(images)
  x = keras.layers.Dense(width, activation="relu", name="dense1")(x)
  x = keras.layers.Dense(width, activation="relu", name="dense2")(x)
  return keras.Model(images, _logits(x, num_classes), name="mlp")


def simple_cnn(input_shape, num_classes, width=64, sync_batch_norm=False):
  """Two 3x3 convolutions with batch norm, ReLU and 2x2 pooling, then logits.

  Args:
    input_shape: three ints, (height, width, channels), at least 4x4 pixels.
    num_classes: int.
    width: int, channels of the first convolution; the second has twice as
      many.
    sync_batch_norm: bool, whether batch norm normalises by the statistics of
      the global batch instead of each replica's part.

  Returns:
    a `keras.Model` from float images to float32 logits [batch, num_classes].
  """
  if min(input_shape[:2]) < 4:
    raise errors.InvalidInputError(
      "simple_cnn needs images of at least 4x4 pixels. Received: "
      f"{input_shape[0]}x{input_shape[1]}"
    )
  images = keras.Input(input_shape, name="images")
  x = images
  for index, filters in enumerate((width, 2 * width), start=1):
    x = keras.layers.Conv2D(
      filters, 3, padding="same", use_bias=False, name=f"conv{index}"
    )(x)
    x = keras.layers.BatchNormalization(
      momentum=0.9, synchronized=sync_batch_norm, name=f"bn{index}"
    )(x)
    x = keras.layers.ReLU(name=f"relu{index}")(x)
    x = keras.layers.MaxPooling2D(2, name=f"pool{index}")(x)
  x = keras.layers.Flatten(name="flatten")(x)
  return keras.Model(images, _logits(x, num_classes), name="simple_cnn")
