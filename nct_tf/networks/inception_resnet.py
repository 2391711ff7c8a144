"""Inception-ResNet-v2, as `keras.applications` has it.

Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, Inception-ResNet and the Impact
of Residual Connections on Learning", 2017.
"""

import keras

from nct_tf import errors
from nct_tf.networks import layers

_MIN_SIZE = 75  # The last feature maps of smaller images would be empty.


def inception_resnet_v2(input_shape, num_classes):
  """Inception-ResNet-v2, the paper's network for WebVision.

  Args:
    input_shape: three ints, (height, width, channels), at least 75x75 pixels;
      the network was made for 299x299.
    num_classes: int.

  Returns:
    a `keras.Model` from float images to float32 logits [batch, num_classes].
  """
  if min(input_shape[:2]) < _MIN_SIZE:
    raise errors.InvalidInputError(
      f"inception_resnet_v2 needs images of at least {_MIN_SIZE}x{_MIN_SIZE} "
      f"pixels (--image_size). Received: {input_shape[0]}x{input_shape[1]}"
    )
  images = keras.Input(input_shape, name="images")
  body = keras.applications.InceptionResNetV2(
    include_top=False, weights=None, input_tensor=images, pooling="avg"
  )
  for layer in body.layers:
    if isinstance(layer, keras.layers.BatchNormalization):
      # As in the other networks and in the authors'. Keras' default is 0.99.
      layer.momentum = 0.9
  logits = layers.logits(body.output, num_classes)
  return keras.Model(images, logits, name="inception_resnet_v2")
