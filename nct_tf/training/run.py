"""A run from its configuration to its result."""

import contextlib
import logging
import os

import keras
import numpy as np
import tensorflow as tf

from nct_tf import (
  distribution,
  errors,
  label_noise,
  metrics,
  noise_matrix,
  version,
)
from nct_tf.input_pipeline import batching, noisy_dataset, run_data
from nct_tf.methods import building
from nct_tf.networks import pretrained
from nct_tf.reporting import plotting
from nct_tf.serving import exporting, server_config
from nct_tf.system import (
  device_errors,
  devices,
  interruption as interruption_lib,
  provenance,
  xla_cache,
)
from nct_tf.training import (
  automatic,
  ending,
  fitting,
  phases as phases_lib,
  resuming,
)
from nct_tf.workdir import (
  data_record,
  layout,
  learned,
  restoring,
  result as result_lib,
  run_dataset,
)

_logger = logging.getLogger(__name__)


# The errors that TensorFlow raises if another worker is gone.
_LOST_WORKER = (
  tf.errors.AbortedError,
  tf.errors.CancelledError,
  tf.errors.DeadlineExceededError,
  tf.errors.InternalError,
  tf.errors.UnavailableError,
)

# What to do about a failure of a device, by its kind.
_REMEDIES = {
  device_errors.MEMORY: (
    ". Lower --batch_size, --width, --image_size or --crop_size, or try "
    "--mixed_precision=bfloat16"
  ),
  device_errors.XLA: ". --jit_compile=false does without",
  device_errors.LOST: "",
}


def train_and_evaluate(config):
  """Trains, evaluates and writes everything to `config.workdir`.

  If the workdir holds an unfinished run of this config, that run goes on from
  its newest whole checkpoint, and ends as if it had never been stopped.

  Args:
    config: a `TrainConfig` with a `workdir`.

  Returns:
    dict, the content of `result.json`; None for a worker that is not the
    chief.

  Raises:
    InvalidInputError: if the data, the network or the workdir do not fit the
      configuration; nothing has been written then. Or if images can no longer
      be read; the last checkpoint is whole.
    TrainingDivergedError: if the loss is no longer finite.
    TrainingInterrupted: if it was asked to stop, or another worker was lost.
      The same call, made again, goes on from there.
    DeviceError: if a device is out of memory or gone, or if XLA fails. The
      last checkpoint is whole.
    StorageError: if the disk is full.
  """
  if not config.workdir:
    raise errors.InvalidInputError(
      "Argument `workdir` must be a folder. Received: none"
    )
  # What the run's flags name must be found from anywhere.
  config = config.with_absolute_places()
  directory = layout.Workdir(config.workdir)
  xla_cache.enable(config.jit_compile, config.cache_dir)
  devices.prepare(config.deterministic, config.seed)
  with interruption_lib.catch() as interruption, _as_own_error(directory):
    config = automatic.resolve(config, directory)
    if directory.find_run(config) == "finished":
      # Its result stands, though its data may be gone.
      if directory.is_moved(config) or run_dataset.is_there(config):
        run_dataset.check(directory, config, layout.REPLACE)
      if config.noise_matrix and os.path.exists(config.noise_matrix):
        directory.check_noise_matrix(noise_matrix.read(config.noise_matrix))
      _logger.info("Workdir %s holds this very run, finished", config.workdir)
      if config.export_dir:
        _logger.info("It is not exported: scripts.export does that")
      return directory.read_result()
    strategy = distribution.create(**config.strategy_options)
    is_chief = distribution.is_chief(strategy)
    if not is_chief:  # It would repeat what the chief logs.
      logging.getLogger("nct_tf").setLevel(logging.WARNING)
    try:
      with directory.lock() if is_chief else contextlib.nullcontext():
        result = _run(config, directory, strategy, interruption)
        distribution.wait_for_all(strategy)
        return result
    except _LOST_WORKER as error:
      is_own = device_errors.explain(error) is not None
      if is_own or not distribution.is_multi_worker(strategy):
        raise
      raise errors.TrainingInterrupted(
        f"another worker was lost: {error.message.splitlines()[0]}"
      ) from error


@contextlib.contextmanager
def _as_own_error(directory):
  """Raises the error of this package that TensorFlow's error tells of."""
  try:
    yield
  except tf.errors.OpError as error:
    failure = device_errors.explain(error)
    if failure is None:
      raise
    if failure.kind == device_errors.INPUT:
      raise errors.InvalidInputError(failure.text) from error
    saved = resuming.Records(directory).saved
    raise errors.DeviceError(
      f"{failure.text}{_REMEDIES[failure.kind]}. The last whole checkpoint: "
      f"{saved.last() or 'none yet'}"
    ) from error


def _run(config, directory, strategy, interruption):
  """Does the work of `train_and_evaluate`, within the workdir's lock."""
  is_chief = distribution.is_chief(strategy)
  if config.export_dir and is_chief:
    exporting.check_writable(config.export_dir)
  goes_on = _goes_on(config, directory)
  if config.pretrained_weights and not goes_on:
    # Checked before the data are read, which may take hours.
    pretrained.find(config.pretrained_weights)
  data = run_data.load(config, _logger.warning)
  _check_batches(config, data, strategy.num_replicas_in_sync)
  # Not before, as what is wrong with the data is told in one line.
  devices.log(config.mixed_precision, config.jit_compile, strategy)
  for each in config.method_options.uses:
    _logger.info("%s uses %s", config.method, each)
  keras.utils.set_random_seed(config.seed)
  with strategy.scope():
    model = building.create_compiled(
      config,
      data.dataset.image_shape,
      data.dataset.num_classes,
      len(data.noisy.train),
      **_find_truth(config, data),
    )
  phases = model.phases(config.num_epochs)
  ending.check_early_stopping(
    config.early_stopping, len(data.noisy.validation), phases
  )
  config.check_decay_epochs(
    phases_lib.Phases(phases, config.num_epochs).longest_schedule
  )
  pretrained_sha256 = _load_pretrained(config, data, model, goes_on)
  if is_chief:
    images, index = data.noisy.train.images, data.noisy.train.index
    kept = images[index[: max(server_config.BATCH_SIZES)]]
    record = data_record.of_dataset(data.dataset)
    with interruption.hold():
      directory.start(config, data.noisy, record, kept, pretrained_sha256)
  distribution.wait_for_all(strategy)
  accuracies = fitting.fit(model, config, data, directory, interruption)
  if not is_chief:
    return None
  return _finish(config, data, record, model, directory, accuracies)


def _finish(config, data, record, model, directory, accuracies):
  """Writes the last files of a trained run; returns its result."""
  history = directory.read_history()
  result = {
    **_describe_run(config, data.dataset, data.noisy, model),
    "data_sha256": _fingerprints(record, data.noisy),
    "pretrained_weights_sha256": directory.read_pretrained_sha256(),
    **result_lib.summarize_history(history, config.num_epochs),
    **accuracies,
    "warnings": _find_warnings(history, data),
  }
  if config.monitor_every_epochs:
    plotting.plot_memorisation(
      [(directory.path.name, result, history)], directory.memorisation_file
    )
  if config.export_dir:
    # The export gets a model that is rebuilt in float32, without a strategy.
    restored = restoring.restore_weights(directory, config, result)
    images = directory.read_warmup_images()
    exporting.export(restored, config, result, images, config.export_dir)
  # This file is the last one: if it is there, all others are.
  directory.write_result(result)
  return result


def _find_warnings(history, data):
  """Returns why a run is no good: list of str, empty if it is."""
  labels = data.noisy.measured.given_labels
  num_classes = data.dataset.num_classes
  found = (
    learned.find_guessing(history, labels, num_classes),
    learned.find_high_loss(history, num_classes),
  )
  return [each for each in found if each]


def _find_truth(config, data):
  """Returns what the method is told of the noise: arguments of `remember`."""
  if not config.method_options.uses:
    return {}  # It is not to know.
  if config.noise_type == "none" and not data.dataset.test_labels_are_clean:
    return {}  # Nobody knows.
  train = data.noisy.train
  return {
    "true_noise_rate": float(np.mean(~train.is_clean)),
    "true_transition": label_noise.transition_matrix(
      train.true_labels, train.given_labels, data.dataset.num_classes
    ).tolist(),
  }


def _goes_on(config, directory):
  """Returns whether the workdir holds a checkpoint to go on from."""
  is_unfinished = directory.find_run(config) == "unfinished"
  return (
    is_unfinished and resuming.Records(directory).find_position() is not None
  )


def _load_pretrained(config, data, model, goes_on):
  """Loads the config's `pretrained_weights`, if it has any and needs them.

  A run that goes on has them in its checkpoint. It needs them only if a phase
  restarts.

  Returns:
    the SHA-256 of the file for a run that begins, or None.
  """
  phases = model.phases(config.num_epochs)
  is_needed = not goes_on or any(phase.restart for phase in phases)
  if not config.pretrained_weights or not is_needed:
    return None
  sha256 = pretrained.load(
    model, config.pretrained_weights, data.dataset.moments
  )
  return None if goes_on else sha256


def _check_batches(config, data, num_replicas):
  num_examples = data.batching.examples_per_epoch(data.noisy.train)
  if config.batch_size > num_examples:
    raise errors.InvalidInputError(
      f"Argument `batch_size` must be at most {num_examples}, the training "
      f"examples of an epoch. Received: {config.batch_size}"
    )
  if config.batch_size % num_replicas:
    raise errors.InvalidInputError(
      f"Argument `batch_size` must be a multiple of the {num_replicas} "
      f"replicas. Received: {config.batch_size}"
    )
  if batching.is_tail_too_small(num_examples, config.batch_size, num_replicas):
    raise errors.InvalidInputError(
      f"Argument `batch_size` must leave the last batch of {num_examples} "
      f"training examples at least one for each of the {num_replicas} "
      f"replicas. Received: {config.batch_size}"
    )


def _fingerprints(record, noisy):
  """Returns digests of what was trained on and tested on: dict of str."""
  return {
    split: data_record.fingerprint(
      record, split, examples.index, examples.given_labels
    )
    for split, examples in (("train", noisy.all_train), ("test", noisy.test))
  }


def _describe_run(config, dataset, noisy, model):
  mean, std = dataset.moments
  noise = layout.noise_arrays(noisy)
  return {
    "method": config.method,
    "uses": list(config.method_options.uses),
    "dataset": config.dataset,
    "noise_type": config.noise_type,
    "noise_rate": noisy.nominal_noise_rate,
    "actual_noise_rate": noisy.actual_noise_rate,
    "num_train_examples": len(noisy.train),
    "num_test_examples": len(noisy.test),
    "test_labels": noisy_dataset.describe_test_labels(dataset, noisy.test),
    "num_epochs": config.num_epochs,
    "network": config.network,
    "width": config.width,
    "pretrained_weights": config.pretrained_weights,
    "seed": config.seed,
    "noise_seed": config.noise_seed,
    "noise_sha256": label_noise.fingerprint(
      **{name: noise[name] for name in ("index", "given_label", "true_label")}
    ),
    "num_parameters": metrics.count_parameters(model),
    "image_shape": list(dataset.image_shape),
    "crop_size": config.crop_size,
    "resizing": dataset.resizing,
    "class_names": list(dataset.class_names),
    "mean": list(mean),
    "std": list(std),
    "nct_tf": version.__version__,
    "git_commit": provenance.git_commit(),
    "tensorflow": tf.__version__,
    "keras": keras.__version__,
  }
