"""A run from its configuration to its result."""

import logging

import keras
import numpy as np
import tensorflow as tf

import nct_tf
from nct_tf import (
  config as config_lib,
  datasets,
  distribution,
  errors,
  exporting,
  fitting,
  input_pipeline,
  label_noise,
  metrics,
  model_building,
  noisy_dataset,
  plotting,
  provenance,
  workdir as workdir_lib,
)
from nct_tf.serving import server_config

TrainConfig = config_lib.TrainConfig

_logger = logging.getLogger(__name__)


def train_and_evaluate(config):
  """Trains, evaluates and leaves everything in `config.workdir`.

  Args:
    config: a `TrainConfig` with a `workdir`.

  Returns:
    dict, the content of `result.json`.

  Raises:
    InvalidInputError: if the data, the network or the workdir do not fit the
      configuration; nothing has been written then.
    TrainingDivergedError: if the loss is no longer finite.
  """
  if not config.workdir:
    raise errors.InvalidInputError(
      "Argument `workdir` must be a folder. Received: none"
    )
  directory = workdir_lib.Workdir(config.workdir)
  directory.check_vacant(config)
  if config.export_dir:
    exporting.check_writable(config.export_dir)
  dataset = load_dataset(config)
  noisy = load_noisy_dataset(config, dataset)
  keras.utils.set_random_seed(config.seed)
  strategy = distribution.create(config.strategy)
  _check_batches(config, len(noisy.train), strategy.num_replicas_in_sync)
  with strategy.scope():
    model = model_building.create_compiled(
      config, dataset.image_shape, dataset.num_classes
    )

  directory.start(config)
  noise = directory.write_noise(noisy)
  directory.write_warmup_images(
    noisy.train.images[noisy.train.index[: max(server_config.BATCH_SIZES)]]
  )
  history = fitting.fit(model, config, dataset, noisy, directory)
  result = {
    **_describe_run(config, dataset, noisy, model),
    "noise_sha256": label_noise.fingerprint(**noise),
    **summarize_history(history),
  }
  directory.write_result(result)
  if config.monitor_every_epochs:
    plotting.plot_memorisation([directory], directory.memorisation_file)
  if config.export_dir:
    # Rebuilt in float32, and outside of any strategy.
    exporting.export_run(directory, config.export_dir)
  return result


def _check_batches(config, num_examples, num_replicas):
  if config.batch_size > num_examples:
    raise errors.InvalidInputError(
      f"Argument `batch_size` must be at most {num_examples}, the number of "
      f"training examples. Received: {config.batch_size}"
    )
  if config.batch_size % num_replicas:
    raise errors.InvalidInputError(
      f"Argument `batch_size` must be a multiple of the {num_replicas} "
      f"replicas. Received: {config.batch_size}"
    )
  if input_pipeline.is_tail_too_small(
    num_examples, config.batch_size, num_replicas
  ):
    raise errors.InvalidInputError(
      f"Argument `batch_size` must leave the last batch of {num_examples} "
      f"training examples at least one for each of the {num_replicas} "
      f"replicas. Received: {config.batch_size}"
    )


def load_dataset(config):
  """Returns the `ImageDataset` that a config names."""
  return datasets.load(
    config.dataset,
    data_dir=config.data_dir,
    download=config.download,
    image_size=config.image_size,
    cache=config.cache,
    cache_dir=config.cache_dir,
    **(config.fake_options if config.dataset == "fake" else {}),
  )


def load_noisy_dataset(config, dataset):
  """Returns the `NoisyDataset` of a config, and says how noisy it is."""
  noisy = noisy_dataset.prepare(
    dataset,
    num_train_examples=config.num_train_examples,
    validation_fraction=config.validation_fraction,
    noise_type=config.noise_type,
    noise_rate=config.noise_rate,
    noise_seed=config.noise_seed,
  )
  _logger.info(
    "%s: %d training, %d validation, %d test examples of %d classes",
    dataset.name,
    len(noisy.train),
    len(noisy.validation),
    len(noisy.test),
    dataset.num_classes,
  )
  _logger.info(
    "Label noise: %s, nominal rate %.4f, actual rate %.4f",
    config.noise_type,
    config.noise_rate,
    noisy.actual_noise_rate,
  )
  return noisy


def _describe_run(config, dataset, noisy, model):
  mean, std = dataset.moments
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
    "seed": config.seed,
    "noise_seed": config.noise_seed,
    "num_parameters": metrics.count_parameters(model),
    "image_shape": list(dataset.image_shape),
    "class_names": list(dataset.class_names),
    "mean": list(mean),
    "std": list(std),
    "nct_tf": nct_tf.__version__,
    "git_commit": provenance.git_commit(),
    "tensorflow": tf.__version__,
    "keras": keras.__version__,
  }


def summarize_history(history):
  """The figures of a run.

  The best epoch is the one with the best validation: on held-out examples with
  their noisy labels, or, without any, on the test split itself.

  Args:
    history: dict from column of `history.csv` to float array [num_epochs].

  Returns:
    dict of `result.json`'s accuracies, fractions, of the test split's clean
    labels but for `train_accuracy_clean` and `train_accuracy_noisy`, which
    are of the given labels of training examples, None where not measured;
    and of its times.
  """
  split = "test" if "test_ensemble_accuracy" in history else "val"
  accuracy = history[f"{split}_ensemble_accuracy"]
  best_epoch = int(history["val_ensemble_accuracy"].argmax())

  def last(column):
    return float(history[column][-1]) if column in history else None

  speed = history["examples_per_second"]
  return {
    "best_accuracy": float(accuracy[best_epoch]),
    "best_epoch": best_epoch,
    "best_selected_on": "validation" if split == "test" else "test",
    "last_accuracy": float(accuracy[-1]),
    "last10_accuracy": float(accuracy[-10:].mean()),
    "network1_accuracy": last(f"{split}_accuracy_1"),
    "network2_accuracy": last(f"{split}_accuracy_2"),
    "train_accuracy_clean": last("train_accuracy_clean"),
    "train_accuracy_noisy": last("train_accuracy_noisy"),
    # The first epoch traces the graph.
    "examples_per_second": float(
      np.median(speed[1:] if speed[1:].size else speed)
    ),
    "seconds": float(history["seconds"].sum()),
  }
