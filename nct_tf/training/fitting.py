"""The training of a run: its steps, and what happens around them."""

import contextlib
import functools
import logging
import shutil

from nct_tf import distribution, errors, optimizers
from nct_tf.models import label_scores, weight_average
from nct_tf.system import devices
from nct_tf.training import (
  callbacks,
  ending as ending_lib,
  epoch_schedules,
  feeding,
  loop as loop_lib,
  measuring as measuring_lib,
  phases as phases_lib,
  resuming,
  state as state_lib,
)
from nct_tf.workdir import curves

_logger = logging.getLogger(__name__)


def fit(model, config, data, directory, interruption):
  """Trains a compiled model to the end, from where its run stands.

  Args:
    model: a `nct_tf.models.classifier.Classifier`, which
      `nct_tf.methods.building.create_compiled` made.
    config: a `nct_tf.config.TrainConfig`.
    data: the `nct_tf.input_pipeline.run_data.RunData` of the config.
    directory: the run's `nct_tf.workdir.layout.Workdir`, whose `start()` was
      called.
    interruption: an `nct_tf.system.interruption.Interruption`.

  Returns:
    dict of the last accuracies that the history has not: `extra_tests`, dict
    from the name of each of the data's further test splits to a dict of float:
    `accuracy`, and `top5_accuracy` where there are more than five classes;
    `test_parts`, likewise of the parts of the test split;
    `wrong_label_average_precision`, see `label_scores.average_precision`, where
    there are label scores.

  Raises:
    InvalidInputError: if the method's phases do not fit the epochs.
    TrainingDivergedError: if the loss is no longer finite.
    TrainingInterrupted: if it was asked to stop; the state has been saved.
    StorageError: if the disk is full.
  """
  strategy = model.distribute_strategy
  is_chief = distribution.is_chief(strategy)
  phases = phases_lib.Phases(model.phases(config.num_epochs), config.num_epochs)
  average = None
  if config.ema_decay:
    average = weight_average.WeightAverage(model, config.ema_decay)
  scores = _label_scores(model, config, data)
  state = state_lib.TrainingState(model, average, scores)
  if phases.any_restart:
    state.keep_start()
  records = resuming.Records(directory)
  records.go_on(state, strategy)
  ending = ending_lib.Ending(
    config.num_epochs,
    config.early_stopping,
    records.history.rows[: state.position.epoch],
  )
  feed = feeding.choose(data.batching, data.noisy.train.images, strategy)
  loop = loop_lib.TrainingLoop(
    model,
    interruption,
    feed.finish,
    feed.finish_evaluation,
    average,
    devices.use_xla(config.jit_compile, strategy),
    config.steps_per_execution,
  )
  measuring = measuring_lib.Measuring(loop, data, average, feed.upto_evaluation)
  num_steps = data.batching.steps_per_epoch(data.noisy.train)
  num_examples = data.batching.examples_per_epoch(data.noisy.train)

  def make_batches(first_step):
    return loop.iterate(
      functools.partial(
        data.batching.train,
        data.noisy.train,
        first_step=first_step,
        upto=feed.upto,
      )
    )

  checkpointing = callbacks.Checkpointing(
    state,
    records.saved,
    records.history,
    ending.is_last,
    config.checkpoint_every_epochs,
    config.checkpoint_every_minutes,
    config.keep_checkpoints,
  )
  with (
    _as_storage_error(directory, records.saved),
    contextlib.ExitStack() as stack,
  ):
    # The order matters. When an epoch begins, a restart comes before the
    # schedules. When it ends, evaluations come first, so that the guard and the
    # files see their results. What a method does between epochs comes before
    # the checkpoint, which holds it, and behind the method's own schedules,
    # which log what they were in this epoch. A wish to stop may interrupt it,
    # and then all of the epoch's end is done anew. So what must be done once,
    # the velocity's change with the learning rate, comes behind it.
    callback_list = [
      *_evaluations(config, data.noisy, measuring, ending),
      phases_lib.PhaseBegin(model, phases, state, num_steps),
      *epoch_schedules.model_schedules(model, config.num_epochs),
      callbacks.NanGuard(records.saved),
      callbacks.BetweenEpochs(
        model, measuring.training_set(config.num_epochs), state
      ),
      *_optimizer_schedules(model, config, phases),
    ]
    if is_chief:
      callback_list += [
        callbacks.Timer(num_examples, state),
        callbacks.HistoryWriter(
          records.history, _curves(directory, records.history, stack)
        ),
        checkpointing,
        _progress_bar(config, data.noisy, num_steps, state.position, stack),
      ]
    try:
      loop.train(
        make_batches,
        num_steps,
        ending,
        state,
        callback_list,
        has_small=bool(num_examples % config.batch_size),
      )
      if ending.is_early:
        _logger.info(ending.describe())
      accuracies = {
        "extra_tests": measuring.extra_tests(),
        "test_parts": measuring.test_parts(),
      }
    except loop_lib.StopRequested:
      if is_chief:
        checkpointing.save()
      distribution.wait_for_all(strategy)
      raise errors.TrainingInterrupted(
        f"stopped after the step; {state.position} is saved"
      ) from None
    finally:
      # From here on a signal stops at once again.
      interruption.deferred = False
    if scores:
      means = scores.means()
      if is_chief:
        directory.write_label_scores(means)
      accuracies["wrong_label_average_precision"] = (
        label_scores.average_precision(means, ~data.noisy.train.is_clean)
      )
  return accuracies


def _label_scores(model, config, data):
  """Returns the `LabelScores` if the config asks for them, else None."""
  if not config.label_scores:
    return None
  with model.distribute_strategy.scope():
    scores = label_scores.LabelScores(len(data.noisy.train), config.batch_size)
  model.track(scores)
  return scores


@contextlib.contextmanager
def _as_storage_error(directory, saved):
  """Raises `StorageError` where the workdir cannot be written to."""
  try:
    yield
  except OSError as error:
    raise errors.StorageError(
      f"Workdir {directory.path} cannot be written to: {error.strerror}. The "
      f"last whole checkpoint is {saved.last() or 'none'}"
    ) from error


def _evaluations(config, noisy, measuring, ending):
  """Returns the callbacks that measure at the end of an epoch, and `ending`.

  It stands behind the one that it goes by, and before those that ask it.
  """

  def evaluation(examples, rename, every_epochs=1):
    return callbacks.Evaluation(
      measuring.evaluator(examples), rename, ending.is_last, every_epochs
    )

  result = [evaluation(noisy.measured, "val_{}".format), ending]
  if len(noisy.validation):
    result.append(evaluation(noisy.test, "test_{}".format))
  # The memorisation of Figure 1: are wrong labels learned as right ones are?
  # In the names of columns, "noisy" means wrongly labelled.
  parts = {
    "clean": noisy.train.where(noisy.train.is_clean),
    "noisy": noisy.train.where(~noisy.train.is_clean),
  }
  for part, examples in parts.items():
    if config.monitor_every_epochs and len(examples):
      names = {
        "ensemble_accuracy": f"train_accuracy_{part}",
        "ensemble_cross_entropy": f"train_loss_{part}",
      }
      result.append(
        evaluation(examples, names.get, config.monitor_every_epochs)
      )
  return result


def _optimizer_schedules(model, config, phases):
  """Returns the callbacks that set the optimizer's values of an epoch."""

  def learning_rate(epoch):
    rate = phases.learning_rate(epoch)
    if rate is not None:
      return rate
    return config.learning_rate_at(*phases.in_schedule(epoch))

  def momentum(epoch):
    return config.momentum_at(*phases.in_schedule(epoch))

  def decoupled_decay(epoch):
    return config.weight_decay * learning_rate(epoch) / config.learning_rate

  result = [
    epoch_schedules.LearningRateSchedule(
      learning_rate,
      model.optimizer,
      lambda: optimizers.velocities(config.optimizer, model.optimizer),
    )
  ]
  if config.optimizer == "sgdw":
    # tensorflow-addons' SGDW does not scale its decay with the learning rate,
    # so it is done here.
    result.append(
      epoch_schedules.EpochSchedule(
        "weight_decay",
        decoupled_decay,
        lambda value: setattr(model.optimizer, "weight_decay", value),
      )
    )
  if config.final_momentum is not None:
    result.append(
      epoch_schedules.EpochSchedule(
        "beta_1", momentum, optimizers.beta_1(model.optimizer).assign
      )
    )
  return result


def _curves(directory, history, stack):
  shutil.rmtree(directory.tensorboard_dir, ignore_errors=True)
  return stack.enter_context(
    contextlib.closing(curves.Curves(directory.tensorboard_dir, history.rows))
  )


def _progress_bar(config, noisy, num_steps, position, stack):
  return stack.enter_context(
    contextlib.closing(
      callbacks.ProgressBar(
        config.num_epochs,
        num_steps,
        config.method,
        "validation" if len(noisy.validation) else "test",
        position,
      )
    )
  )
