"""A run from its configuration to its result."""

import contextlib
import logging

import keras
import tensorflow as tf

import nct_tf
from nct_tf import (
  config as config_lib,
  distribution,
  errors,
  label_noise,
  metrics,
)
from nct_tf.input_pipeline import batching, run_data
from nct_tf.methods import building
from nct_tf.networks import pretrained
from nct_tf.platform import interruption as interruption_lib, provenance
from nct_tf.reporting import plotting
from nct_tf.serving import exporting, server_config
from nct_tf.training import fitting
from nct_tf.workdir import layout, restoring, result as result_lib

TrainConfig = config_lib.TrainConfig

_logger = logging.getLogger(__name__)


# What TensorFlow raises where another worker is not there any more.
_LOST_WORKER = (
  tf.errors.AbortedError,
  tf.errors.CancelledError,
  tf.errors.DeadlineExceededError,
  tf.errors.InternalError,
  tf.errors.UnavailableError,
)


def train_and_evaluate(config):
  """Trains, evaluates and leaves everything in `config.workdir`.

  A run of this config that the workdir holds unfinished goes on from its
  newest whole checkpoint, and ends as if it had never been stopped.

  Args:
    config: a `TrainConfig` with a `workdir`.

  Returns:
    dict, the content of `result.json`; None for a worker that is not the
    chief.

  Raises:
    InvalidInputError: if the data, the network or the workdir do not fit the
      configuration; nothing has been written then.
    TrainingDivergedError: if the loss is no longer finite.
    TrainingInterrupted: if it was asked to stop, or another worker was lost;
      the same call goes on from there.
    StorageError: if the disk is full.
  """
  if not config.workdir:
    raise errors.InvalidInputError(
      "Argument `workdir` must be a folder. Received: none"
    )
  directory = layout.Workdir(config.workdir)
  if directory.find_run(config) == "finished":
    _logger.info("Workdir %s holds this very run, finished", config.workdir)
    return directory.read_result()
  with interruption_lib.catch() as interruption:
    strategy = distribution.create(**config.strategy_options)
    is_chief = distribution.is_chief(strategy)
    if not is_chief:  # It would say what the chief says.
      logging.getLogger("nct_tf").setLevel(logging.WARNING)
    try:
      with directory.lock() if is_chief else contextlib.nullcontext():
        result = _run(config, directory, strategy, interruption)
        distribution.wait_for_all(strategy)
        return result
    except _LOST_WORKER as error:
      if not distribution.is_multi_worker(strategy):
        raise
      raise errors.TrainingInterrupted(
        f"another worker was lost: {error.message.splitlines()[0]}"
      ) from error


def _run(config, directory, strategy, interruption):
  """Does the work of `train_and_evaluate`, within the workdir's lock."""
  is_chief = distribution.is_chief(strategy)
  if config.export_dir and is_chief:
    exporting.check_writable(config.export_dir)
  weights = _starting_weights(config, directory)
  dataset = run_data.load_dataset(config, _logger.warning)
  noisy = run_data.load_noisy_dataset(config, dataset)
  keras.utils.set_random_seed(config.seed)
  _check_batches(
    config,
    fitting.examples_per_epoch(config, noisy),
    strategy.num_replicas_in_sync,
  )
  with strategy.scope():
    model = building.create_compiled(
      config, dataset.image_shape, dataset.num_classes
    )
  pretrained_sha256 = (
    pretrained.load(model, weights, dataset.moments) if weights else None
  )
  if is_chief:
    first = noisy.train.index[: max(server_config.BATCH_SIZES)]
    with interruption.hold():
      directory.start(
        config, noisy, noisy.train.images[first], pretrained_sha256
      )
  distribution.wait_for_all(strategy)
  extra_tests = fitting.fit(
    model, config, dataset, noisy, directory, interruption
  )
  if not is_chief:
    return None
  history = directory.read_history()
  result = {
    **_describe_run(config, dataset, noisy, model),
    "pretrained_weights_sha256": directory.read_pretrained_sha256(),
    **result_lib.summarize_history(history),
    "extra_tests": extra_tests,
  }
  if config.monitor_every_epochs:
    plotting.plot_memorisation(
      [(directory.path.name, result, history)], directory.memorisation_file
    )
  if config.export_dir:
    # Rebuilt in float32, and outside of any strategy.
    restored = restoring.restore_weights(directory, config, result)
    images = directory.read_warmup_images()
    exporting.export(restored, config, result, images, config.export_dir)
  # The last of all files: where it is, everything is.
  directory.write_result(result)
  return result


def _starting_weights(config, directory):
  """Returns `pretrained_weights`, which are there; None where a run goes on."""
  if not config.pretrained_weights:
    return None
  is_unfinished = directory.find_run(config) == "unfinished"
  if is_unfinished and fitting.find_position(directory) is not None:
    return None
  # Before the data are read, which may take hours.
  pretrained.find(config.pretrained_weights)
  return config.pretrained_weights


def _check_batches(config, num_examples, num_replicas):
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


def _describe_run(config, dataset, noisy, model):
  mean, std = dataset.moments
  noise = layout.noise_arrays(noisy)
  return {
    "method": config.method,
    "dataset": config.dataset,
    "noise_type": config.noise_type,
    "noise_rate": config.noise_rate,
    "actual_noise_rate": noisy.actual_noise_rate,
    "num_train_examples": len(noisy.train),
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
    "nct_tf": nct_tf.__version__,
    "git_commit": provenance.git_commit(),
    "tensorflow": tf.__version__,
    "keras": keras.__version__,
  }
