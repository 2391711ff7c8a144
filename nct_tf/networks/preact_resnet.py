"""Pre-activation residual networks, as the paper's authors built theirs.

He, Zhang, Ren, Sun, "Identity Mappings in Deep Residual Networks", 2016, in
the form for small images: a 3x3 stem without pooling and four groups of basic
blocks. At width 64 every layer equals that of the authors' PyTorch network:
its batch norm (momentum 0.9, epsilon 1e-5), its initialisation, its symmetric
padding at stride 2, and no batch norm after the last block.
"""

import keras

from nct_tf import errors
from nct_tf.networks import choices, layers


def _batch_norm_relu(x, name, synchronized):
  x = layers.batch_norm(x, f"{name}_bn", synchronized)
  return keras.layers.ReLU(name=f"{name}_relu")(x)


def _basic_block(x, filters, strides, initializer, synchronized, name):
  preactivated = _batch_norm_relu(x, f"{name}_1", synchronized)
  shortcut = x
  if strides != 1 or x.shape[-1] != filters:
    shortcut = layers.conv(
      preactivated, filters, 1, strides, initializer, f"{name}_shortcut"
    )
  x = layers.conv(
    preactivated, filters, 3, strides, initializer, f"{name}_conv1"
  )
  x = _batch_norm_relu(x, f"{name}_2", synchronized)
  x = layers.conv(x, filters, 3, 1, initializer, f"{name}_conv2")
  return keras.layers.Add(name=f"{name}_add")([x, shortcut])


def _pool(x, pool):
  if pool == "global":
    return keras.layers.GlobalAveragePooling2D(name="pool")(x)
  # Differs from the authors' code, which averages 4x4 windows. A last map of up
  # to 7x7 has one such window, its top left corner. It cannot take larger maps.
  if not all(4 <= side <= 7 for side in x.shape[1:3]):
    raise errors.InvalidInputError(
      "Argument `pool`=official4 needs images of 25x25 to 56x56 pixels, for a "
      f"last map of 4x4 to 7x7. Received: a last map of {x.shape[1]}x"
      f"{x.shape[2]}"
    )
  x = keras.layers.Cropping2D(
    [(0, side - 4) for side in x.shape[1:3]], name="top_left"
  )(x)
  return keras.layers.GlobalAveragePooling2D(name="pool")(x)


def _preact_resnet(
  name,
  blocks_per_group,
  input_shape,
  num_classes,
  width,
  kernel_initializer="fan_in_uniform",
  final_bn=False,
  pool="global",
  sync_batch_norm=False,
):
  errors.check_choice(
    "kernel_initializer",
    kernel_initializer,
    choices.KERNEL_INITIALIZERS,
  )
  errors.check_choice("pool", pool, choices.POOLS)
  images = keras.Input(input_shape, name="images")
  x = layers.conv(images, width, 3, 1, kernel_initializer, "stem")
  for group, num_blocks in enumerate(blocks_per_group):
    for block in range(num_blocks):
      x = _basic_block(
        x,
        filters=width * 2**group,
        strides=2 if group > 0 and block == 0 else 1,
        initializer=kernel_initializer,
        synchronized=sync_batch_norm,
        name=f"group{group + 1}_block{block + 1}",
      )
  if final_bn:
    x = _batch_norm_relu(x, "final", sync_batch_norm)
  x = _pool(x, pool)
  return keras.Model(
    images, layers.logits(x, num_classes, near_zero=False), name=name
  )


def preact_resnet18(input_shape, num_classes, width=64, **options):
  """Two blocks a group: the paper's network.

  Args:
    input_shape: three ints, (height, width, channels), of any size.
    num_classes: int.
    width: int, channels of the first group; they double from group to group.
    **options: `kernel_initializer`: `fan_in_uniform` (the authors') or
      `he_normal`. `final_bn`: whether batch norm and ReLU follow the last
      block, as in He et al., but not in the authors' code. `pool`: `global`,
      or `official4` for the mean of only the top left 4x4 of the last map.
      `sync_batch_norm`: whether batch norm normalises by the statistics of the
      global batch instead of each replica's part.

  Returns:
    a `keras.Model` from float images to float32 logits [batch, num_classes].
  """
  return _preact_resnet(
    "preact_resnet18", (2, 2, 2, 2), input_shape, num_classes, width, **options
  )


def preact_resnet10(input_shape, num_classes, width=64, **options):
  """One block a group; otherwise as `preact_resnet18`."""
  return _preact_resnet(
    "preact_resnet10", (1, 1, 1, 1), input_shape, num_classes, width, **options
  )


def preact_resnet34(input_shape, num_classes, width=64, **options):
  """3, 4, 6 and 3 blocks; otherwise as `preact_resnet18`."""
  return _preact_resnet(
    "preact_resnet34", (3, 4, 6, 3), input_shape, num_classes, width, **options
  )
