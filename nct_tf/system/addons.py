"""Functions of tensorflow-addons, and replacements where it is missing.

tensorflow-addons exists only for TensorFlow 2.15 and Keras 2, that is for
Python 3.10 and 3.11 here. On the newer stack, Keras has a LAMB of its own.
Keras has no cutout, no SGDW and no Cohen's kappa as a metric. On the newer
stack these are refused, or left out if nobody asked for them by name.
"""

import warnings

import keras
import tensorflow as tf

from nct_tf.system import packages

available = packages.has_addons


def _tensorflow_addons(wanted):
  packages.require_addons(wanted)
  with warnings.catch_warnings():
    # tensorflow-addons announces its end of life at every import.
    warnings.simplefilter("ignore")
    import tensorflow_addons

  return tensorflow_addons


@tf.autograph.experimental.do_not_convert
def cutout(images, size, centers):
  """Blanks a square in each image.

  Args:
    images: [batch, height, width, channels].
    size: int, the side of the square in pixels, even.
    centers: int32 [batch, 2], row and column of its middle.

  Returns:
    a tensor like `images`, with zeros in the squares.
  """
  return _tensorflow_addons("--augmentation=crop_flip_cutout").image.cutout(
    images, size, offset=centers
  )


def lamb(learning_rate, weight_decay):
  """Returns a LAMB optimizer: Adam with a trust ratio per layer.

  tensorflow-addons' LAMB includes the weight decay in the trust ratio, as the
  paper of LAMB does. Keras 3's LAMB subtracts the weight decay separately.
  """
  if not available():
    return keras.optimizers.Lamb(learning_rate, weight_decay=weight_decay)
  return _tensorflow_addons("lamb").optimizers.LAMB(
    learning_rate, weight_decay_rate=weight_decay
  )


def sgdw(learning_rate, momentum, weight_decay):
  """Returns SGD with a weight decay decoupled from gradient and learning rate.

  Each step subtracts `weight_decay * w` from a weight w, whatever the learning
  rate is. So whoever lowers the learning rate must lower the optimizer's
  `weight_decay` as well.
  """
  return _tensorflow_addons("--optimizer=sgdw").optimizers.SGDW(
    weight_decay=weight_decay, learning_rate=learning_rate, momentum=momentum
  )


def cohen_kappa(num_classes):
  """Returns a metric that takes integer labels and probabilities."""
  return _tensorflow_addons("Cohen's kappa as a metric").metrics.CohenKappa(
    # Of two classes it would take one probability an example. A third class
    # without examples changes nothing.
    num_classes=max(num_classes, 3),
    sparse_labels=True,
    name="cohen_kappa",
  )
