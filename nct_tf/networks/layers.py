"""Layers that behave as PyTorch's, for networks that equal PyTorch's."""

import keras


def _fan_in_uniform():
  """Uniform in +-1/sqrt(fan_in): PyTorch's default, which the authors use."""
  return keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")


def _kernel_initializer(name):
  # Each layer gets a new one, as Keras lets an initializer draw only once.
  if name == "he_normal":
    return keras.initializers.HeNormal()
  return _fan_in_uniform()


def conv(x, filters, kernel_size, strides, initializer, name):
  """A convolution without bias, padded equally on both sides.

  Args:
    x: a Keras tensor [batch, height, width, channels].
    filters: int, output channels.
    kernel_size: int, odd.
    strides: int.
    initializer: str, one of `choices.KERNEL_INITIALIZERS`.
    name: str, the layer's.

  Returns:
    a Keras tensor [batch, height / strides, width / strides, filters], sides
    rounded up.
  """
  if kernel_size > 1:
    # At stride 2, Keras' "same" would pad only at the bottom and the right.
    x = keras.layers.ZeroPadding2D(kernel_size // 2, name=f"{name}_pad")(x)
  return keras.layers.Conv2D(
    filters,
    kernel_size,
    strides,
    use_bias=False,
    kernel_initializer=_kernel_initializer(initializer),
    name=name,
  )(x)


def batch_norm(x, name, synchronized):
  """Batch norm with PyTorch's momentum (its 0.1 is Keras' 0.9) and epsilon."""
  return keras.layers.BatchNormalization(
    momentum=0.9, epsilon=1e-5, synchronized=synchronized, name=name
  )(x)


def logits(x, num_classes):
  """The float32 logits [batch, num_classes] of features [batch, channels]."""
  bound = x.shape[-1] ** -0.5
  return keras.layers.Dense(
    num_classes,
    kernel_initializer=_fan_in_uniform(),
    bias_initializer=keras.initializers.RandomUniform(-bound, bound),
    dtype="float32",
    name="logits",
  )(x)
