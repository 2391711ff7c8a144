"""The training of a run: its data, its schedules, what it records."""

import contextlib
import functools
import logging
import math
import shutil

from nct_tf import distribution, errors, optimizers, schedules
from nct_tf.input_pipeline import batching
from nct_tf.models import label_scores, weight_average
from nct_tf.training import callbacks, loop as loop_lib, state as state_lib
from nct_tf.workdir import checkpoints, curves, history as history_lib

_logger = logging.getLogger(__name__)

EVALUATION_BATCH_SIZE = 256


def fit(model, config, dataset, noisy, directory, interruption):
  """Trains a compiled model, from where its run has come to, to the end.

  Args:
    model: a `Classifier`, of `building.create_compiled`.
    config: a `TrainConfig`.
    dataset: an `ImageDataset`.
    noisy: the `NoisyDataset` made of it.
    directory: the run's `Workdir`, started.
    interruption: an `interruption.Interruption`.

  Returns:
    dict from the name of each of `noisy.extra_tests` to a dict of float:
    `accuracy`, and `top5_accuracy` where there are more than five classes.

  Raises:
    TrainingDivergedError: if the loss is no longer finite.
    TrainingInterrupted: if it was asked to stop; the state has been saved.
    StorageError: if the disk is full.
  """
  strategy = model.distribute_strategy
  loop = loop_lib.TrainingLoop(model, interruption)
  average = None
  if config.ema_decay:
    average = weight_average.WeightAverage(model, config.ema_decay)
  scores = None
  if config.label_scores:
    with strategy.scope():
      scores = label_scores.LabelScores(len(noisy.train), config.batch_size)
    model.track(scores)
  state = state_lib.TrainingState(model, average, scores)
  history = history_lib.History(directory.history_file)
  saved = checkpoints.Checkpoints(directory.checkpoints_dir)
  _go_on(state, directory, saved, history, strategy)
  num_examples = examples_per_epoch(config, noisy)
  num_steps = batching.steps_per_epoch(num_examples, config.batch_size)
  checkpointing = callbacks.Checkpointing(
    state,
    saved,
    history,
    config.num_epochs,
    config.checkpoint_every_epochs,
    config.checkpoint_every_minutes,
    config.keep_checkpoints,
  )
  batches = loop.iterate(
    training_data(config, dataset, noisy, state.position, num_steps)
  )
  evaluator = _evaluator(loop, config, dataset, average)
  with _explain(directory, saved), contextlib.ExitStack() as stack:
    chosen = [
      *([callbacks.WeightAveraging(average, num_steps)] if average else []),
      *_evaluation_callbacks(config, noisy, evaluator),
      *_schedule_callbacks(model, config),
      callbacks.NanGuard(saved),
    ]
    if distribution.is_chief(strategy):
      chosen += [
        callbacks.Timer(num_examples, state),
        callbacks.HistoryWriter(history, _curves(directory, history, stack)),
        checkpointing,
        _progress_bar(config, noisy, num_steps, state.position, stack),
      ]
    try:
      loop.train(batches, num_steps, config.num_epochs, state, chosen)
      extra_tests = {
        name: _accuracies(evaluator(examples)())
        for name, examples in noisy.extra_tests.items()
      }
    except loop_lib.StopRequested:
      if distribution.is_chief(strategy):
        checkpointing.save()
      distribution.wait_for_all(strategy)
      raise errors.TrainingInterrupted(
        f"stopped after the step; {state.position} is saved"
      ) from None
    finally:
      interruption.deferred = False
    if scores and distribution.is_chief(strategy):
      directory.write_label_scores(scores.means())
  return extra_tests


def _accuracies(results):
  """Returns those of the ensemble: dict from `accuracy`, ... to float."""
  names = ("accuracy", "top5_accuracy")
  return {
    name: results[f"ensemble_{name}"]
    for name in names
    if f"ensemble_{name}" in results
  }


def find_position(directory):
  """Returns the position that a run would go on from, or None.

  Args:
    directory: the run's `Workdir`.
  """
  history = history_lib.History(directory.history_file)
  saved = checkpoints.Checkpoints(directory.checkpoints_dir)
  return saved.newest_whole(max_epochs=len(history.rows))


@contextlib.contextmanager
def _explain(directory, saved):
  """Raises `StorageError` where the workdir cannot be written to."""
  try:
    yield
  except OSError as error:
    raise errors.StorageError(
      f"Workdir {directory.path} cannot be written to: {error.strerror}. The "
      f"last whole checkpoint is {saved.last() or 'none'}"
    ) from error


def _go_on(state, directory, saved, history, strategy):
  """Brings everything to the newest checkpoint, or to the beginning."""
  position = find_position(directory)
  if position is not None:
    state.read(saved, position)
    _logger.info("Goes on from %s", saved.folder / str(position))
  if distribution.is_multi_worker(strategy):
    _check_agreement(strategy, state.position)
  if distribution.is_chief(strategy):
    saved.remove_leftovers()
    history.truncate(state.position.epoch)


def _check_agreement(strategy, position):
  """Raises unless all workers go on from the same checkpoint."""
  squares = [number**2 for number in position]
  sums = distribution.sum_over_workers(strategy, [*position, *squares])
  num_replicas = strategy.num_replicas_in_sync
  # Numbers whose squares have the mean of their square are all the same.
  if any(
    num_replicas * square != total**2
    for total, square in zip(sums[:2], sums[2:], strict=True)
  ):
    raise errors.InvalidInputError(
      "The workers find different checkpoints: --workdir must be one folder "
      f"that all of them see. Worker {strategy.cluster_resolver.task_id} finds "
      f"{position}"
    )


def examples_per_epoch(config, noisy):
  """Returns how many training examples an epoch of a config has: an int."""
  return batching.examples_per_epoch(
    noisy.train.given_labels, config.sampling, config.num_examples_per_epoch
  )


def training_data(config, dataset, noisy, position, num_steps):
  """Returns what `TrainingLoop.iterate` takes, from a position on."""
  mean, std = dataset.moments
  return functools.partial(
    batching.training_dataset,
    noisy.train.images,
    noisy.train.index,
    noisy.train.given_labels,
    noisy.train.true_labels,
    batch_size=config.batch_size,
    num_epochs=config.num_epochs,
    mean=mean,
    std=std,
    augmentation=config.augmentation,
    crop_size=config.crop_size,
    sampling=config.sampling,
    num_examples_per_epoch=config.num_examples_per_epoch,
    seed=config.seed,
    first_step=position.epoch * num_steps + position.step,
  )


def _evaluator(loop, config, dataset, average):
  """Returns a function from `Examples` to one that evaluates on them."""
  mean, std = dataset.moments

  def evaluator(examples):
    batches = loop.iterate(
      functools.partial(
        batching.evaluation_dataset,
        examples.images,
        examples.index,
        examples.given_labels,
        batch_size=EVALUATION_BATCH_SIZE,
        mean=mean,
        std=std,
        crop_size=config.crop_size,
      )
    )
    num_steps = batching.evaluation_steps(
      len(examples), EVALUATION_BATCH_SIZE, loop.strategy.num_replicas_in_sync
    )

    def evaluate():
      with average.swapped() if average else contextlib.nullcontext():
        results = loop.evaluate(batches, num_steps)
      accuracies = zip(
        dataset.class_names, loop.model.class_accuracies(), strict=True
      )
      return results | {
        f"{history_lib.CLASS_ACCURACY}{name}": float(value)
        for name, value in accuracies
        if not math.isnan(value)
      }

    return evaluate

  return evaluator


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


def _schedule_callbacks(model, config):
  """Returns the callbacks that set what depends on the epoch."""

  def learning_rate(epoch):
    return schedules.step_decay(
      epoch,
      config.learning_rate,
      config.resolved_lr_decay_epochs,
      config.lr_decay_factor,
    )

  own = config.method_options

  def alpha(epoch):
    rampup_epochs = own.alpha_rampup_epochs
    if rampup_epochs is None:
      rampup_epochs = schedules.default_rampup_epochs(config.num_epochs)
    return schedules.sigmoid_rampup(
      epoch, rampup_epochs, own.alpha_steepness, own.alpha_max
    )

  def target_variability_rate(epoch):
    return schedules.log_rampup(
      epoch,
      config.num_epochs,
      own.target_variability_warmup_epochs,
      own.target_variability_min,
      own.target_variability_max,
    )

  def decoupled_decay(epoch):
    return config.weight_decay * learning_rate(epoch) / config.learning_rate

  schedule = callbacks.EpochSchedule
  result = [
    callbacks.LearningRateSchedule(
      learning_rate,
      model.optimizer,
      lambda: optimizers.velocities(config.optimizer, model.optimizer),
    )
  ]
  if config.optimizer == "sgdw":
    # Its decay is apart from the rate, so the rate's drops are repeated here.
    result.append(
      schedule(
        "weight_decay",
        decoupled_decay,
        lambda value: setattr(model.optimizer, "weight_decay", value),
      )
    )
  if config.method == "nct":
    result += [
      schedule("alpha", alpha, model.alpha.assign),
      schedule(
        "target_variability_rate",
        target_variability_rate,
        model.target_variability_rate.assign,
      ),
    ]
  return result


def _evaluation_callbacks(config, noisy, evaluator):
  """What is measured at the end of an epoch."""

  def evaluation(examples, rename, every_epochs=1):
    return callbacks.Evaluation(
      evaluator(examples), rename, config.num_epochs, every_epochs
    )

  validation = noisy.validation if len(noisy.validation) else noisy.test
  result = [evaluation(validation, "val_{}".format)]
  if len(noisy.validation):
    result.append(evaluation(noisy.test, "test_{}".format))
  # The memorisation of Figure 1: are wrong labels learned as right ones are?
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
