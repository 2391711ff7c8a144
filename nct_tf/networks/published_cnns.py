"""Small convolutional networks of published comparisons, as they stand there.

They have what later networks have not: biases before batch norm, dropout, dense
layers over whole maps. Where no other start is given, they start as PyTorch's
layers do.
"""

import keras

from nct_tf import errors
from nct_tf.networks import choices, layers

_LENET_SIZE = 32  # LeCun et al. centre digits of 28x28 in so many pixels.
_LENET_DEVIATION = 0.1
_CNN9_MIN_SIZE = 28  # Its unpadded convolutions need maps of 7x7.
_LEAK = 0.01


def lenet5(input_shape, num_classes, lenet_pool="average"):
  """LeNet-5 with ReLU: two 5x5 convolutions and three dense layers.

  6 channels, pooling, 16 channels, pooling, 120, 84 and `num_classes` units.
  Images of less than 32x32 pixels get zeros around, to 32x32; for 28x28 that
  is the published padding by 2. Larger ones are taken as they are.

  Args:
    input_shape: three ints, (height, width, channels), of any size.
    num_classes: int.
    lenet_pool: str. `average` is the network of loss functions' comparisons on
      MNIST, which starts from a normal distribution of deviation 0.1, truncated
      at two deviations, and biases of 0. `max` is that of Co-teaching+ on
      CIFAR-10, which starts as PyTorch's layers do.

  Returns:
    a `keras.Model` from float images to float32 logits [batch, num_classes].
  """
  errors.check_choice("lenet_pool", lenet_pool, choices.LENET_POOLS)
  pooling, deviation = keras.layers.AveragePooling2D, _LENET_DEVIATION
  if lenet_pool == "max":
    pooling, deviation = keras.layers.MaxPooling2D, None
  images = keras.Input(input_shape, name="images")
  x = images
  missing = [max(_LENET_SIZE - side, 0) for side in input_shape[:2]]
  if any(missing):
    pads = [(number // 2, number - number // 2) for number in missing]
    x = keras.layers.ZeroPadding2D(pads, name="pad")(x)
  for number, filters in enumerate((6, 16), start=1):
    x = layers.conv_with_bias(
      x, filters, 5, "valid", f"conv{number}", deviation
    )
    x = keras.layers.ReLU(name=f"relu{number}")(x)
    x = pooling(2, name=f"pool{number}")(x)
  x = keras.layers.Flatten(name="flatten")(x)
  for number, units in enumerate((120, 84), start=1):
    x = layers.dense(x, units, f"dense{number}", deviation)
    x = keras.layers.ReLU(name=f"dense{number}_relu")(x)
  x = layers.logits(x, num_classes, near_zero=False, deviation=deviation)
  return keras.Model(images, x, name="lenet5")


def cnn9(
  input_shape, num_classes, width=64, dropout=None, sync_batch_norm=False
):
  """Co-teaching's nine convolutions, with batch norm and dropout of maps.

  Han et al., "Co-teaching: Robust Training of Deep Neural Networks with
  Extremely Noisy Labels", 2018. Three 3x3 convolutions of `width` channels,
  three of `2 * width`, each three followed by 2x2 pooling and dropout; then,
  without padding, `4 * width`, `2 * width` and `width` channels, whose mean
  gives the logits. Batch norm and LeakyReLU follow each convolution.

  Args:
    input_shape: three ints, (height, width, channels), at least 28x28 pixels.
    num_classes: int.
    width: int; the published network has 128.
    dropout: float in [0, 1), the rate; None for the published 0.25.
    sync_batch_norm: bool, whether batch norm normalises by the statistics of
      the global batch instead of each replica's part.

  Returns:
    a `keras.Model` from float images to float32 logits [batch, num_classes].
  """
  if min(input_shape[:2]) < _CNN9_MIN_SIZE:
    raise errors.InvalidInputError(
      f"cnn9 needs images of at least {_CNN9_MIN_SIZE}x{_CNN9_MIN_SIZE} pixels "
      f"(--image_size). Received: {input_shape[0]}x{input_shape[1]}"
    )
  rate = 0.25 if dropout is None else dropout
  images = keras.Input(input_shape, name="images")
  x = images
  number = 0
  groups = (
    ((1, 1, 1), "same"),
    ((2, 2, 2), "same"),
    ((4, 2, 1), "valid"),
  )
  for group, (factors, padding) in enumerate(groups, start=1):
    for factor in factors:
      number += 1
      x = layers.conv_with_bias(x, factor * width, 3, padding, f"conv{number}")
      x = layers.batch_norm(x, f"bn{number}", sync_batch_norm)
      x = keras.layers.LeakyReLU(_LEAK, name=f"relu{number}")(x)
    if padding == "same":
      x = keras.layers.MaxPooling2D(2, name=f"pool{group}")(x)
      # Differs from the authors' code, which drops in evaluation, too, or, in
      # old versions of PyTorch, not at all.
      x = layers.dropout(x, rate, f"dropout{group}", spatial=True)
  x = keras.layers.GlobalAveragePooling2D(name="mean")(x)
  return keras.Model(
    images, layers.logits(x, num_classes, near_zero=False), name="cnn9"
  )


def npc_cnn(input_shape, num_classes, dropout=None, sync_batch_norm=False):
  """The network for MNIST and Fashion-MNIST of Bae et al.

  "From Noisy Prediction to True Label: Noisy Prediction Calibration via
  Generative Model", 2022. A padded 3x3 convolution of 8 channels, ReLU, then
  batch norm; one of 16 channels, tanh; dense layers of 784 units, with dropout,
  256 and `num_classes`, with no activation between.

  Args:
    input_shape: three ints, (height, width, channels), of any size. The first
      dense layer has 784 x 16 weights for each pixel.
    num_classes: int.
    dropout: float in [0, 1), the rate; None for the published 0.3.
    sync_batch_norm: bool, whether batch norm normalises by the statistics of
      the global batch instead of each replica's part.

  Returns:
    a `keras.Model` from float images to float32 logits [batch, num_classes].
  """
  rate = 0.3 if dropout is None else dropout
  images = keras.Input(input_shape, name="images")
  x = layers.conv_with_bias(images, 8, 3, "same", "conv1")
  x = keras.layers.ReLU(name="relu")(x)
  x = layers.batch_norm(x, "bn", sync_batch_norm)
  x = layers.conv_with_bias(x, 16, 3, "same", "conv2")
  x = keras.layers.Activation("tanh", name="tanh")(x)
  x = keras.layers.Flatten(name="flatten")(x)
  x = layers.dense(x, 784, "dense1")
  x = layers.dropout(x, rate, "dropout")
  x = layers.dense(x, 256, "dense2")
  return keras.Model(
    images, layers.logits(x, num_classes, near_zero=False), name="npc_cnn"
  )
