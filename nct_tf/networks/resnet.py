"""ResNet-50 as torchvision has it, for photographs.

He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", 2016, in
the form called v1.5: if a group of blocks halves the feature map, the 3x3
convolution of its first block has the stride 2, not the 1x1 before it. At width
64 every layer equals torchvision's and has its name, with `_` for `.`. Only the
last layer, torchvision's `fc`, is named `logits`.
(`keras.applications.ResNet50` is v1, and its convolutions have biases.)
"""

import keras

from nct_tf import errors
from nct_tf.networks import choices, layers

_NUM_BLOCKS = (3, 4, 6, 3)
_EXPANSION = 4  # A block's output channels, divided by its inner channels.


def _bottleneck(x, filters, strides, initializer, synchronized, name):
  """1x1, 3x3 and 1x1 convolutions, whose output is added to their input."""
  num_outputs = _EXPANSION * filters
  shortcut = x
  if strides != 1 or x.shape[-1] != num_outputs:
    shortcut = layers.conv(
      x, num_outputs, 1, strides, initializer, f"{name}_downsample_0"
    )
    shortcut = layers.batch_norm(shortcut, f"{name}_downsample_1", synchronized)
  convolutions = ((filters, 1, 1), (filters, 3, strides), (num_outputs, 1, 1))
  for number, (channels, size, stride) in enumerate(convolutions, start=1):
    x = layers.conv(
      x, channels, size, stride, initializer, f"{name}_conv{number}"
    )
    x = layers.batch_norm(x, f"{name}_bn{number}", synchronized)
    if number < len(convolutions):
      x = keras.layers.ReLU(name=f"{name}_relu{number}")(x)
  x = keras.layers.Add(name=f"{name}_add")([x, shortcut])
  return keras.layers.ReLU(name=f"{name}_relu")(x)


def resnet50(
  input_shape,
  num_classes,
  width=64,
  kernel_initializer="fan_in_uniform",
  sync_batch_norm=False,
):
  """ResNet-50 v1.5, the paper's network for Clothing1M.

  Args:
    input_shape: three ints, (height, width, channels), of any size. The last
      feature maps have a 32nd of the height and width, rounded up.
    num_classes: int.
    width: int, channels of the stem; the last feature maps have 32 times as
      many.
    kernel_initializer: str, how convolutions start: `fan_in_uniform`, PyTorch's
      default, or `he_normal`.
    sync_batch_norm: bool, whether batch norm normalises by the statistics of
      the global batch instead of each replica's part.

  Returns:
    a `keras.Model` from float images to float32 logits [batch, num_classes].
  """
  errors.check_choice(
    "kernel_initializer",
    kernel_initializer,
    choices.KERNEL_INITIALIZERS,
  )
  images = keras.Input(input_shape, name="images")
  x = layers.conv(images, width, 7, 2, kernel_initializer, "conv1")
  x = layers.batch_norm(x, "bn1", sync_batch_norm)
  x = keras.layers.ReLU(name="relu")(x)
  # A ReLU gives nothing below zero, so padding with zeros has the same effect
  # as PyTorch's padding with -infinity.
  x = keras.layers.ZeroPadding2D(1, name="maxpool_pad")(x)
  x = keras.layers.MaxPooling2D(3, 2, name="maxpool")(x)
  for group, num_blocks in enumerate(_NUM_BLOCKS):
    for block in range(num_blocks):
      x = _bottleneck(
        x,
        filters=width * 2**group,
        strides=2 if group > 0 and block == 0 else 1,
        initializer=kernel_initializer,
        synchronized=sync_batch_norm,
        name=f"layer{group + 1}_{block}",
      )
  x = keras.layers.GlobalAveragePooling2D(name="avgpool")(x)
  return keras.Model(images, layers.logits(x, num_classes), name="resnet50")
