"""Layers of the networks; those that PyTorch has too behave as there."""

import keras

_NEAR_ZERO = 0.01  # Variance of a logit, where the features' mean square is 1.


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


def logits(x, num_classes, near_zero=True):
  """The float32 logits [batch, num_classes] of features [batch, channels].

  Args:
    x: a Keras tensor [batch, channels].
    num_classes: int.
    near_zero: bool, whether an untrained network gives all classes about the
      same probability, whatever the size of its features. Two networks that
      mimic each other would otherwise begin with learning each other's noise.
      False is PyTorch's initialisation.
  """
  if near_zero:
    kernel = keras.initializers.VarianceScaling(_NEAR_ZERO, "fan_in", "uniform")
    bias = "zeros"
  else:
    bound = x.shape[-1] ** -0.5
    kernel = _fan_in_uniform()
    bias = keras.initializers.RandomUniform(-bound, bound)
  return keras.layers.Dense(
    num_classes,
    kernel_initializer=kernel,
    bias_initializer=bias,
    dtype="float32",
    name="logits",
  )(x)
