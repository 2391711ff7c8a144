"""Residual networks for CIFAR, of 6n + 2 layers.

He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", 2016,
Section 4.2: a 3x3 stem and three groups of n blocks of two 3x3 convolutions, of
16, 32 and 64 channels.
"""

import keras

from nct_tf.networks import choices, layers

_INITIALIZER = "he_normal"
_NUM_GROUPS = 3


def resnet_cifar(
  input_shape,
  num_classes,
  width=64,
  resnet_depth=32,
  resnet_preactivation=False,
  sync_batch_norm=False,
):
  """A residual network of basic blocks, which starts as He et al.'s did.

  Where a group halves the maps, the shortcut is a 1x1 convolution of stride 2,
  as in the networks of INCV (Chen et al., 2019) and of loss correction (Patrini
  et al., 2017), where He et al. pad with channels of zeros. Convolutions have
  no biases. At stride 2 they are padded equally on both sides, as in PyTorch.

  Args:
    input_shape: three ints, (height, width, channels), of any size.
    num_classes: int.
    width: int, channels of the first group, which double from group to group;
      the published networks have 16.
    resnet_depth: int, 6n + 2.
    resnet_preactivation: bool. False is INCV's network: ReLU follows the sum of
      each block and its shortcut, and the 1x1 convolutions have batch norm.
      True is that of loss correction: batch norm and ReLU stand before the
      convolutions, and behind the last block.
    sync_batch_norm: bool, whether batch norm normalises by the statistics of
      the global batch instead of each replica's part.

  Returns:
    a `keras.Model` from float images to float32 logits [batch, num_classes].

  Raises:
    InvalidInputError: if the depth is not 6n + 2.
  """
  choices.check_resnet_depth(resnet_depth)
  make_block = _preactivated_block if resnet_preactivation else _block

  def conv(x, filters, size, strides, name):
    return layers.conv(x, filters, size, strides, _INITIALIZER, name)

  def batch_norm(x, name):
    return layers.batch_norm(x, name, sync_batch_norm)

  images = keras.Input(input_shape, name="images")
  x = conv(images, width, 3, 1, "stem")
  x = _relu(batch_norm(x, "stem_bn"), "stem_relu")
  for group in range(_NUM_GROUPS):
    for block in range((resnet_depth - 2) // (2 * _NUM_GROUPS)):
      x = make_block(
        conv,
        batch_norm,
        x,
        filters=width * 2**group,
        strides=2 if group > 0 and block == 0 else 1,
        name=f"group{group + 1}_block{block + 1}",
      )
  if resnet_preactivation:
    x = _relu(batch_norm(x, "final_bn"), "final_relu")
  x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
  return keras.Model(images, layers.logits(x, num_classes), name="resnet_cifar")


def _relu(x, name):
  return keras.layers.ReLU(name=name)(x)


def _block(conv, batch_norm, x, filters, strides, name):
  shortcut = x
  if strides != 1:
    shortcut = conv(x, filters, 1, strides, f"{name}_shortcut")
    shortcut = batch_norm(shortcut, f"{name}_shortcut_bn")
  x = conv(x, filters, 3, strides, f"{name}_conv1")
  x = _relu(batch_norm(x, f"{name}_bn1"), f"{name}_relu1")
  x = conv(x, filters, 3, 1, f"{name}_conv2")
  x = batch_norm(x, f"{name}_bn2")
  x = keras.layers.Add(name=f"{name}_add")([x, shortcut])
  return _relu(x, f"{name}_relu2")


def _preactivated_block(conv, batch_norm, x, filters, strides, name):
  shortcut = x
  if strides != 1:
    shortcut = conv(x, filters, 1, strides, f"{name}_shortcut")
  if name != "group1_block1":  # It follows the stem's batch norm and ReLU.
    x = _relu(batch_norm(x, f"{name}_bn1"), f"{name}_relu1")
  x = conv(x, filters, 3, strides, f"{name}_conv1")
  x = _relu(batch_norm(x, f"{name}_bn2"), f"{name}_relu2")
  x = conv(x, filters, 3, 1, f"{name}_conv2")
  return keras.layers.Add(name=f"{name}_add")([x, shortcut])
