"""Layers of the networks; those that PyTorch has too behave as there."""

import keras
import tensorflow as tf

_NEAR_ZERO = 0.01  # Variance of a logit, where the features' mean square is 1.
# Up to which height and width of its output a convolution has the faster
# gradient of its kernel; measured, see docs/speed.md.
_MAX_SWAPPED_SIDE = 8

# `Conv2D` and `BatchNormalization` have the names of Keras' layers, as files of
# weights call layers by their class.


@keras.saving.register_keras_serializable("nct_tf")
class Conv2D(keras.layers.Conv2D):
  """Keras' own, with a faster gradient of the kernel on CPUs.

  oneDNN computes it at half the rate of a convolution where feature maps are
  small. As a convolution, with channels and examples swapped, it is as fast as
  any. It is the same sum in another order.
  """

  def call(self, inputs, training=None):
    """Convolves.

    Args:
      inputs: float [batch, height, width, channels].
      training: bool, whether a gradient will be asked for. An exported network
        has Keras' own operations.

    Returns:
      a tensor as Keras' own.
    """
    if training is not True or not self._swaps(inputs.shape):
      return super().call(inputs)
    convolve = _convolution(self.strides[0], self.padding.upper())
    return convolve(inputs, tf.convert_to_tensor(self.kernel))

  def _swaps(self, shape):
    """Returns whether the gradient of the kernel is to be had that way."""
    size, stride = self.kernel_size[0], self.strides[0]
    if None in shape[1:3]:
      return False
    sides = shape[1:3]  # The output's.
    if self.padding == "valid":
      sides = [(side - size) // stride + 1 for side in sides]
    return (
      size > 1
      and all(0 < side <= _MAX_SWAPPED_SIDE for side in sides)
      and (self.padding == "valid" or (stride == 1 and size % 2 == 1))
      and set(self.kernel_size) == {size}
      and set(self.strides) == {stride}
      and set(self.dilation_rate) == {1}
      and self.groups == 1
      and not self.use_bias
      and self.activation is keras.activations.linear
      and self.data_format == "channels_last"
      and not _has_accelerator()
    )


def _has_accelerator():
  devices = tf.config.get_visible_devices()
  return any(device.device_type in ("GPU", "TPU") for device in devices)


def _convolution(stride, padding):
  """Returns a function from images and kernel to their convolution.

  Args:
    stride: int.
    padding: str, `VALID`, or `SAME` for an odd kernel at stride 1.
  """
  strides = [1, stride, stride, 1]

  @tf.custom_gradient
  def convolve(images, kernel):
    def gradient(upstream):
      to_images = tf.raw_ops.Conv2DBackpropInput(
        input_sizes=tf.shape(images),
        filter=kernel,
        out_backprop=upstream,
        strides=strides,
        padding=padding,
      )
      size = kernel.shape[0]
      pad = [size // 2] * 2 if padding == "SAME" else [0, 0]
      to_kernel = tf.nn.conv2d(
        tf.transpose(images, [3, 1, 2, 0]),
        tf.transpose(upstream, [1, 2, 0, 3]),
        strides=1,
        padding=[[0, 0], pad, pad, [0, 0]],
        dilations=stride,
      )
      # Rows and columns at the end of the images, which no output saw.
      to_kernel = to_kernel[:, :size, :size]
      return to_images, tf.transpose(to_kernel, [1, 2, 0, 3])

    return tf.nn.conv2d(images, kernel, strides, padding), gradient

  return convolve


@keras.saving.register_keras_serializable("nct_tf")
class BatchNormalization(keras.layers.BatchNormalization):
  """Keras' own, as one operation on Keras 3, too.

  Keras 2 has it so. Keras 3 makes some ten of it, which is slow where XLA does
  not fuse them. The moving variance is that of the stack's own layer: in Keras
  3 the mean square, in Keras 2 the unbiased one, as in PyTorch.
  """

  def call(self, inputs, training=None, mask=None):
    """Normalises; see Keras' own."""
    if hasattr(self, "fused") or not self._can_fuse(inputs, mask):
      return super().call(inputs, training=training, mask=mask)
    gamma, beta, moving_mean, moving_variance = (
      tf.convert_to_tensor(weight)
      for weight in (
        self.gamma,
        self.beta,
        self.moving_mean,
        self.moving_variance,
      )
    )
    learns = bool(training and self.trainable)
    unused = tf.constant([], tf.float32)
    outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
      x=tf.cast(inputs, self.compute_dtype),
      scale=gamma,
      offset=beta,
      mean=unused if learns else moving_mean,
      variance=unused if learns else moving_variance,
      epsilon=self.epsilon,
      is_training=learns,
    )
    if learns:
      # The operation gives the unbiased variance.
      count = tf.cast(tf.size(inputs) / tf.size(variance), tf.float32)
      variance *= tf.maximum(count - 1, 1) / count
      kept = self.momentum
      self.moving_mean.assign(moving_mean * kept + mean * (1 - kept))
      self.moving_variance.assign(
        moving_variance * kept + variance * (1 - kept)
      )
    return outputs

  def _can_fuse(self, inputs, mask):
    return (
      mask is None
      and len(inputs.shape) == 4
      and self.axis in (-1, 3)
      and self.compute_dtype in ("float32", "bfloat16", "float16")
      and self.center
      and self.scale
      and not self.renorm
      and not self.synchronized
    )


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
  before = kernel_size // 2
  pads = [
    (before, _pad_after(side, kernel_size, strides)) for side in x.shape[1:3]
  ]
  padding = "same"
  if any(after != before for _, after in pads):
    # Keras' "same" would pad less at the top and the left.
    padding = "valid"
    x = keras.layers.ZeroPadding2D(pads, name=f"{name}_pad")(x)
  return Conv2D(
    filters,
    kernel_size,
    strides,
    padding,
    use_bias=False,
    kernel_initializer=_kernel_initializer(initializer),
    name=name,
  )(x)


def _pad_after(side, kernel_size, strides):
  """Returns how many zeros behind a side the last output sees: int."""
  num_outputs = -(-side // strides)
  seen = (num_outputs - 1) * strides + kernel_size
  return max(seen - side - kernel_size // 2, 0)


def batch_norm(x, name, synchronized):
  """Batch norm with PyTorch's momentum (its 0.1 is Keras' 0.9) and epsilon."""
  return BatchNormalization(
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
