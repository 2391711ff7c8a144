"""From a configuration to a Keras model."""

import contextlib

import keras
import numpy as np

from nct_tf import methods, metrics, networks, optimizers, preprocessing
from nct_tf.system import addons, devices


def create(config, image_shape, num_classes):
  """Builds the method's model with its networks, not yet compiled.

  Args:
    config: a `TrainConfig`.
    image_shape: three ints, (height, width, channels), before its crop.
    num_classes: int.

  Returns:
    a `Classifier`, its weights drawn from Keras' global seed.
  """
  input_shape = preprocessing.input_shape(image_shape, config.crop_size)

  def create_network():
    return networks.create(
      config.network,
      input_shape,
      num_classes,
      config.width,
      **config.network_options,
    )

  accuracy = metrics.BalancedAccuracy(num_classes)
  kappa = [addons.cohen_kappa(num_classes)] if addons.available() else []
  model = methods.get_model(config.method)
  return model.from_options(
    [create_network() for _ in range(model.Options.NUM_NETWORKS)],
    config.method_options,
    seed=config.seed,
    weight_decay=config.weight_decay if _couples_decay(config) else 0.0,
    clip_norm=config.clip_norm,
    validation_metrics=[accuracy, *kappa],
  )


def create_compiled(config, image_shape, num_classes, num_examples, **truth):
  """As `create`, ready to train: with an optimizer, in the config's precision.

  Args:
    config: a `TrainConfig`.
    image_shape: see `create`.
    num_classes: int.
    num_examples: int, of the training data, of which a method may remember
      something each.
    **truth: what is known of the labels, see `Classifier.remember`.

  Returns:
    a compiled `Classifier`.
  """
  # It may still be `auto` where nothing but time is measured.
  with _precision(devices.choose_precision(config.mixed_precision)):
    model = create(config, image_shape, num_classes)
    model.compile(
      optimizer=optimizers.create(
        config.optimizer,
        config.learning_rate,
        config.momentum,
        0.0 if _couples_decay(config) else config.weight_decay,
        config.nesterov,
      ),
      jit_compile=False,  # On the CPU, XLA makes convolutions slower.
    )
    model.remember(num_examples, num_classes, config.batch_size, **truth)
  return model


def no_noise(num_classes):
  """Returns the truth of right labels, where nothing but time is measured."""
  return {
    "true_noise_rate": 0.0,
    "true_transition": np.eye(num_classes).tolist(),
  }


def _couples_decay(config):
  return optimizers.couples_weight_decay(
    config.optimizer, config.decoupled_weight_decay
  )


@contextlib.contextmanager
def _precision(mixed_precision):
  """Sets Keras' global policy while networks are built."""
  before = keras.mixed_precision.global_policy()
  keras.mixed_precision.set_global_policy(
    "float32" if mixed_precision == "none" else f"mixed_{mixed_precision}"
  )
  try:
    yield
  finally:
    keras.mixed_precision.set_global_policy(before)
