"""Layers of the networks; those that PyTorch has too behave as there."""

import random

import keras
import tensorflow as tf

from nct_tf import random_numbers

_NEAR_ZERO = 0.01  # Variance of a logit, where the features' mean square is 1.
# Up to which height and width of its output a convolution has the faster
# gradient of its kernel; measured, see docs/speed.md.
_MAX_SWAPPED_SIDE = 8
_DROPOUT_STREAM = 4  # The first half of a seed; others have other numbers.

# `Conv2D`, `BatchNormalization` and `Dropout` have the names of Keras' layers,
# as files of weights call layers by their class.


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
    outputs = convolve(inputs, tf.convert_to_tensor(self.kernel))
    if self.use_bias:
      outputs = tf.nn.bias_add(outputs, tf.convert_to_tensor(self.bias))
    return outputs

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

  def to_images(images, kernel, upstream):
    return tf.raw_ops.Conv2DBackpropInput(
      input_sizes=tf.shape(images),
      filter=kernel,
      out_backprop=upstream,
      strides=strides,
      padding=padding,
    )

  @tf.custom_gradient
  def convolve(images, kernel):
    @tf.custom_gradient
    def to_kernel(images, upstream):
      # On CPUs, TensorFlow has no gradient of a convolution with dilation.
      def gradient(second):
        return (
          to_images(images, second, upstream),
          tf.nn.conv2d(images, second, strides, padding),
        )

      size = kernel.shape[0]
      found = _kernel_gradient(images, upstream, size, stride, padding)
      return found, gradient

    def gradient(upstream):
      return to_images(images, kernel, upstream), to_kernel(images, upstream)

    return tf.nn.conv2d(images, kernel, strides, padding), gradient

  return convolve


def _kernel_gradient(images, upstream, size, stride, padding):
  """Returns the gradient of a square kernel, as a convolution.

  Args:
    images: float [batch, height, width, channels].
    upstream: float [batch, height, width, filters], the gradient of the
      convolution's output.
    size: int, the kernel's.
    stride: see `_convolution`.
    padding: likewise.
  """
  pad = [size // 2] * 2 if padding == "SAME" else [0, 0]
  gradient = tf.nn.conv2d(
    tf.transpose(images, [3, 1, 2, 0]),
    tf.transpose(upstream, [1, 2, 0, 3]),
    strides=1,
    padding=[[0, 0], pad, pad, [0, 0]],
    dilations=stride,
  )
  # Rows and columns at the end of the images, which no output saw.
  gradient = gradient[:, :size, :size]
  return tf.transpose(gradient, [1, 2, 0, 3])


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


@keras.saving.register_keras_serializable("nct_tf")
class Dropout(keras.layers.Layer):
  """Sets a share of its inputs to 0 in training, and scales the others up.

  What is drawn depends on the layer's seed, on how often it has drawn, which is
  a weight and so in every checkpoint, and on the replica. A run that goes on
  draws what it would have drawn, with and without XLA. Of Keras' own layer, the
  state is no weight, and in Keras 3 all replicas draw the same.

  Args:
    rate: float in [0, 1), the share.
    spatial: bool, whether whole feature maps, one of an example and a channel,
      are set to 0, as by PyTorch's `Dropout2d`.
    seed: int; None for one of Python's global random numbers, which
      `keras.utils.set_random_seed` seeds.
    **kwargs: as of any layer.
  """

  def __init__(self, rate, spatial=False, seed=None, **kwargs):
    super().__init__(**kwargs)
    self.rate = rate
    self.spatial = spatial
    self.seed = random.randrange(2**31) if seed is None else seed

  def build(self, input_shape):
    """Makes the counter."""
    del input_shape
    self.num_draws = self.add_weight(
      name="num_draws",
      shape=(),
      dtype="int64",
      initializer="zeros",
      trainable=False,
    )
    self.built = True

  def call(self, inputs, training=None):
    """Drops inputs if `training` is True.

    Args:
      inputs: float [batch, ...], with the channels last.
      training: bool.

    Returns:
      a tensor like `inputs`.
    """
    if training is not True:
      return inputs
    number = tf.convert_to_tensor(self.num_draws)
    self.num_draws.assign(number + 1)
    seed = random_numbers.fold_in(
      tf.constant([_DROPOUT_STREAM, self.seed], tf.int64), number
    )
    context = tf.distribute.get_replica_context()
    if context is not None:  # None where a strategy's replicas are not told.
      seed = random_numbers.fold_in(seed, context.replica_id_in_sync_group)
    shape = [tf.shape(inputs)[0], *inputs.shape[1:]]
    if self.spatial:
      shape[1:-1] = [1] * (len(shape) - 2)
    is_kept = random_numbers.uniform(shape, seed) >= self.rate
    scale = tf.cast(1 / (1 - self.rate), inputs.dtype)
    return tf.where(is_kept, inputs * scale, tf.zeros([], inputs.dtype))

  def compute_output_shape(self, input_shape):
    """Returns the shape of the inputs."""
    return input_shape

  def get_config(self):
    """Returns the arguments that a layer like this one is made from."""
    return {
      **super().get_config(),
      "rate": self.rate,
      "spatial": self.spatial,
      "seed": self.seed,
    }


def dropout(x, rate, name, spatial=False):
  """A `Dropout`; nothing at all where the rate is 0."""
  return Dropout(rate, spatial, name=name)(x) if rate else x


def _fan_in_uniform():
  """Uniform in +-1/sqrt(fan_in): PyTorch's default, which the authors use."""
  return keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")


def _kernel_initializer(name):
  # Each layer gets a new one, as Keras lets an initializer draw only once.
  if name == "he_normal":
    return keras.initializers.HeNormal()
  return _fan_in_uniform()


def _bias_initializer(fan_in):
  """PyTorch's, which is that of the kernel."""
  return keras.initializers.RandomUniform(-(fan_in**-0.5), fan_in**-0.5)


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


def conv_with_bias(x, filters, kernel_size, padding, name, deviation=None):
  """A convolution of stride 1 with bias.

  Args:
    x: a Keras tensor [batch, height, width, channels].
    filters: int, output channels.
    kernel_size: int; odd where padded.
    padding: str, `same` or `valid`.
    name: str, the layer's.
    deviation: see `dense`.
  """
  return Conv2D(
    filters,
    kernel_size,
    padding=padding,
    **_initializers(kernel_size**2 * x.shape[-1], deviation),
    name=name,
  )(x)


def dense(x, units, name, deviation=None, **options):
  """A dense layer without activation.

  Args:
    x: a Keras tensor [batch, channels].
    units: int.
    name: str, the layer's.
    deviation: float, of the normal distribution, truncated at two deviations,
      that the kernel starts from, while biases start at 0. None starts both as
      PyTorch does.
    **options: of Keras' own layer.
  """
  return keras.layers.Dense(
    units, **_initializers(x.shape[-1], deviation), name=name, **options
  )(x)


def _initializers(fan_in, deviation):
  if deviation is None:
    kernel, bias = _fan_in_uniform(), _bias_initializer(fan_in)
  else:
    kernel, bias = keras.initializers.TruncatedNormal(0, deviation), "zeros"
  return {"kernel_initializer": kernel, "bias_initializer": bias}


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


def logits(x, num_classes, near_zero=True, deviation=None):
  """The float32 logits [batch, num_classes] of features [batch, channels].

  Args:
    x: a Keras tensor [batch, channels].
    num_classes: int.
    near_zero: bool, whether an untrained network gives all classes about the
      same probability, whatever the size of its features. Two networks that
      mimic each other would otherwise begin with learning each other's noise.
      False is the start of `dense`.
    deviation: float, for `dense`.
  """
  if not near_zero:
    return dense(x, num_classes, "logits", deviation, dtype="float32")
  return keras.layers.Dense(
    num_classes,
    kernel_initializer=keras.initializers.VarianceScaling(
      _NEAR_ZERO, "fan_in", "uniform"
    ),
    dtype="float32",
    name="logits",
  )(x)
