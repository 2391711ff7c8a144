"""From a configuration to a Keras model: new, or of a finished run."""

import contextlib

import keras
import tensorflow as tf

from nct_tf import (
  addons,
  checkpoints,
  concurrent_model,
  errors,
  metrics,
  networks,
  optimizers,
  preprocessing,
  standard_model,
  training_state,
)

CHECKPOINTS = ("last", "best")


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
    return standard_model.StandardModel(create_network(), **options)
  return concurrent_model.ConcurrentModel(
    create_network(),
    create_network(),
    temperature=config.temperature,
    mimicry=config.alpha_max > 0,
    randomize_targets=config.target_variability_max > 0,
    exclude_true=config.target_variability_exclude_true,
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


def restore(directory, checkpoint="last", use_ema=None):
  """Rebuilds the model of a finished run, in float32, for inference.

  Args:
    directory: a `Workdir`.
    checkpoint: str, `last`, or `best`, that of the best epoch by validation.
    use_ema: bool, whether to take the moving average of the weights; None for
      whether the run has one.

  Returns:
    a triple: the `Classifier`, the run's `TrainConfig`, the dict of its
    `result.json`.

  Raises:
    InvalidInputError: if there is no finished run, or no such checkpoint.
  """
  config = directory.read_config()
  result = directory.read_result()
  model = restore_weights(directory, config, result, checkpoint, use_ema)
  return model, config, result


def restore_weights(directory, config, result, checkpoint="last", use_ema=None):
  """As `restore`, of a run whose result is not written yet.

  Args:
    directory: a `Workdir`.
    config: the run's `TrainConfig`.
    result: dict with the `image_shape`, `class_names` and `best_epoch` of
      `result.json`.
    checkpoint: see `restore`.
    use_ema: see `restore`.

  Returns:
    the `Classifier`.
  """
  errors.check_choice("checkpoint", checkpoint, CHECKPOINTS)
  if use_ema is None:
    use_ema = config.ema_decay > 0
  if use_ema and not config.ema_decay:
    raise errors.InvalidInputError(
      f"Workdir {directory.path} has no moving average of the weights: it was "
      "trained without --ema_decay"
    )
  model = create(config, result["image_shape"], len(result["class_names"]))
  number = (
    result["best_epoch"] + 1 if checkpoint == "best" else config.num_epochs
  )
  position = checkpoints.Position(number)
  path = checkpoints.Checkpoints(directory.checkpoints_dir).find().get(position)
  if path is None:
    raise errors.InvalidInputError(
      f"Workdir {directory.path} has no checkpoint {position} in checkpoints/"
    )
  damage = checkpoints.find_damage(path)
  if damage:
    raise errors.InvalidInputError(
      f"Checkpoint {path} cannot be read: {damage}"
    )
  weights = training_state.network_weights(model)
  if use_ema:
    weights = {"average": weights}
  try:
    status = tf.train.Checkpoint(**weights).read(checkpoints.prefix(path))
    status.assert_existing_objects_matched().expect_partial()
  except (AssertionError, ValueError) as error:
    raise errors.InvalidInputError(
      f"Checkpoint {path} cannot be read: {str(error).splitlines()[0]}"
    ) from error
  return model


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
