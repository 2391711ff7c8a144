"""From a configuration to a Keras model."""

import contextlib

import keras

from nct_tf import metrics, networks, optimizers, preprocessing
from nct_tf.methods import nct, standard
from nct_tf.platform import addons


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
  options = {
    "weight_decay": config.weight_decay if _couples_decay(config) else 0.0,
    "clip_norm": config.clip_norm,
    "validation_metrics": [accuracy, *kappa],
  }
  if config.method == "standard":
    return standard.StandardModel(create_network(), **options)
  own = config.method_options
  return nct.ConcurrentModel(
    create_network(),
    create_network(),
    temperature=own.temperature,
    mimicry=own.alpha_max > 0,
    randomize_targets=own.target_variability_max > 0,
    exclude_true=own.target_variability_exclude_true,
    seed=config.seed,
    **options,
  )


def create_compiled(config, image_shape, num_classes):
  """As `create`, in the config's precision, and with its optimizer."""
  with _precision(config.mixed_precision):
    model = create(config, image_shape, num_classes)
    model.compile(
      optimizer=optimizers.create(
        config.optimizer,
        config.learning_rate,
        config.momentum,
        0.0 if _couples_decay(config) else config.weight_decay,
      ),
      jit_compile=False,  # On the CPU, XLA makes convolutions slower.
    )
  return model


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
