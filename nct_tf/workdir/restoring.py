"""The model of a finished run, rebuilt from its files."""

import tensorflow as tf

from nct_tf import errors
from nct_tf.methods import building
from nct_tf.models import weights
from nct_tf.workdir import checkpoints, layout

CHECKPOINTS = ("last", "best")


def load_run(workdir, checkpoint="last", use_ema=None):
  """Rebuilds the model of a finished run from its folder; see `restore`.

  Args:
    workdir: str or path, the run's folder.
    checkpoint: str, `last`, or `best`, that of the best epoch by validation.
    use_ema: bool, whether to take the moving average of the weights; None takes
      it if the run has one.

  Returns:
    a triple: the `Classifier` in float32; the run's `TrainConfig`; the dict of
    its `result.json`.

  Raises:
    InvalidInputError: if there is no finished run, or no such checkpoint.
  """
  return restore(layout.Workdir(workdir), checkpoint, use_ema)


def restore(directory, checkpoint="last", use_ema=None):
  """Rebuilds the model of a finished run, in float32, for inference.

  Args:
    directory: a `Workdir`.
    checkpoint: str, `last`, or `best`, that of the best epoch by validation.
    use_ema: bool, whether to take the moving average of the weights; None takes
      it if the run has one.

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
  """As `restore`, for a run whose result is not written yet.

  Args:
    directory: a `Workdir`.
    config: the run's `TrainConfig`.
    result: dict with the `image_shape`, `class_names`, `best_epoch` and
      `num_epochs_trained` of `result.json`.
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
  model = building.create(
    config, result["image_shape"], len(result["class_names"])
  )
  number = (
    result["best_epoch"] + 1
    if checkpoint == "best"
    else result.get("num_epochs_trained", config.num_epochs)
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
  variables = weights.network_weights(model)
  if use_ema:
    variables = {"average": variables}
  try:
    status = tf.train.Checkpoint(**variables).read(checkpoints.prefix(path))
    status.assert_existing_objects_matched().expect_partial()
  except (AssertionError, ValueError) as error:
    raise errors.InvalidInputError(
      f"Checkpoint {path} cannot be read: {str(error).splitlines()[0]}"
    ) from error
  return model
