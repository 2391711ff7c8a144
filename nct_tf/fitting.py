"""Keras' `fit` of a run: its data, its schedules, what it records."""

import contextlib

import keras
import tensorflow as tf

from nct_tf import callbacks, input_pipeline, optimizers, schedules

EVALUATION_BATCH_SIZE = 256

_NUM_CHECKPOINTS = 2


def fit(model, config, dataset, noisy, directory):
  """Trains a compiled model and records how it went.

  Args:
    model: a `Classifier`, of `model_building.create_compiled`.
    config: a `TrainConfig`.
    dataset: an `ImageDataset`.
    noisy: the `NoisyDataset` made of it.
    directory: the run's `Workdir`, started.

  Returns:
    dict of arrays, as `Workdir.read_history` gives it.

  Raises:
    TrainingDivergedError: if the loss is no longer finite.
  """
  mean, std = dataset.moments
  num_steps = input_pipeline.steps_per_epoch(
    len(noisy.train), config.batch_size
  )

  def evaluation_dataset(examples):
    return input_pipeline.evaluation_dataset(
      examples.images,
      examples.index,
      examples.given_labels,
      batch_size=EVALUATION_BATCH_SIZE,
      mean=mean,
      std=std,
      num_replicas=model.distribute_strategy.num_replicas_in_sync,
    )

  validation = noisy.validation if len(noisy.validation) else noisy.test
  progress = callbacks.ProgressBar(
    config.num_epochs,
    num_steps,
    config.method,
    "validation" if len(noisy.validation) else "test",
  )
  with contextlib.closing(progress):
    model.fit(
      input_pipeline.training_dataset(
        noisy.train.images,
        noisy.train.index,
        noisy.train.given_labels,
        noisy.train.true_labels,
        batch_size=config.batch_size,
        num_epochs=config.num_epochs,
        mean=mean,
        std=std,
        augmentation=config.augmentation,
        seed=config.seed,
      ),
      epochs=config.num_epochs,
      steps_per_epoch=num_steps,
      shuffle=False,
      validation_data=evaluation_dataset(validation),
      callbacks=[
        *_schedule_callbacks(model, config),
        *_evaluation_callbacks(config, noisy, evaluation_dataset),
        *_recording_callbacks(model, config, noisy, directory),
        progress,
      ],
      verbose=0,
    )
  return directory.read_history()


def _schedule_callbacks(model, config):
  """Returns the callbacks that set what depends on the epoch."""

  def learning_rate(epoch):
    return schedules.step_decay(
      epoch,
      config.learning_rate,
      config.resolved_lr_decay_epochs,
      config.lr_decay_factor,
    )

  def alpha(epoch):
    return schedules.sigmoid_rampup(
      epoch,
      config.resolved_alpha_rampup_epochs,
      config.alpha_steepness,
      config.alpha_max,
    )

  def target_variability_rate(epoch):
    return schedules.log_rampup(
      epoch,
      config.num_epochs,
      config.target_variability_warmup_epochs,
      config.target_variability_min,
      config.target_variability_max,
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


def _evaluation_callbacks(config, noisy, evaluation_dataset):
  """What is measured beside Keras' own validation."""
  result = []
  if len(noisy.validation):
    result.append(
      callbacks.Evaluation(
        evaluation_dataset(noisy.test), "test_{}".format, config.num_epochs
      )
    )
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
        callbacks.Evaluation(
          evaluation_dataset(examples),
          names.get,
          config.num_epochs,
          config.monitor_every_epochs,
        )
      )
  return result


def _recording_callbacks(model, config, noisy, directory):
  num_epochs_done = tf.Variable(0, dtype=tf.int64)
  checkpoint = tf.train.Checkpoint(
    model=model, optimizer=model.optimizer, num_epochs_done=num_epochs_done
  )
  manager = tf.train.CheckpointManager(
    checkpoint, str(directory.checkpoints_dir), max_to_keep=_NUM_CHECKPOINTS
  )
  return [
    callbacks.NanGuard(manager),
    callbacks.Timer(len(noisy.train)),
    callbacks.HistoryWriter(directory.history_file),
    keras.callbacks.TensorBoard(
      str(directory.tensorboard_dir), write_graph=False
    ),
    callbacks.EpochCheckpoint(
      manager,
      num_epochs_done,
      config.num_epochs,
      config.checkpoint_every_epochs,
    ),
  ]
