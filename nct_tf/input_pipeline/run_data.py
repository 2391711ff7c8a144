"""Loads the data of a run, which its configuration names."""

import dataclasses
import logging

import numpy as np

from nct_tf import class_maps, datasets, errors, noise_matrix
from nct_tf.datasets.files import findings
from nct_tf.input_pipeline import batching, label_decisions, noisy_dataset

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class RunData:
  """What a run trains on.

  Attributes:
    dataset: a `datasets.ImageDataset`.
    noisy: the `noisy_dataset.NoisyDataset` made of it.
    batching: the `batching.Batching` of the run.
  """

  dataset: datasets.ImageDataset
  noisy: noisy_dataset.NoisyDataset
  batching: batching.Batching


def load(config, say=lambda finding: None):
  """Returns the `RunData` of a config; see `load_dataset`."""
  # Checked before the data are read, which may take hours.
  _find_noise_map(config)
  _read_noise_matrix(config)
  dataset = load_dataset(config, say)
  return RunData(
    dataset,
    load_noisy_dataset(config, dataset),
    batching.Batching.of_run(config, dataset.moments),
  )


def load_dataset(config, say=lambda finding: None):
  """Returns the `ImageDataset` that a config names.

  Args:
    config: a `TrainConfig`.
    say: function that gets each problem of the dataset, as text.
  """
  dataset = datasets.load(
    config.dataset,
    data_dir=config.data_dir,
    download=config.download,
    image_size=config.image_size,
    cache=config.cache,
    cache_dir=config.cache_dir,
    test_fraction=config.test_fraction,
    accepted=config.accept_findings,
    **(config.fake_options if config.dataset == "fake" else {}),
  )
  for finding in dataset.findings:
    say(finding.describe(findings.NUM_SHOWN))
  return dataset


def load_noisy_dataset(config, dataset):
  """Returns the `NoisyDataset` of a config, and logs how noisy it is."""
  noisy = noisy_dataset.prepare(
    dataset,
    num_train_examples=config.num_train_examples,
    num_test_examples=config.num_test_examples,
    validation_fraction=config.validation_fraction,
    noise_type=config.noise_type,
    noise_rate=config.noise_rate,
    noise_count=config.noise_count,
    noise_seed=config.noise_seed,
    noise_map=_find_noise_map(config),
    noise_matrix=_read_noise_matrix(config, dataset.num_classes),
    decisions=_read_decisions(config, dataset),
    num_folds=config.num_folds,
    fold=config.fold,
  )
  _logger.info(
    "%s: %d training, %d validation, %d test examples of %d classes",
    dataset.name,
    len(noisy.train),
    len(noisy.validation),
    len(noisy.test),
    dataset.num_classes,
  )
  if (
    dataset.validation_labels is not None
    and not noisy.has_own_validation
    and config.num_folds is None
  ):
    _logger.info(
      "The dataset's own %d validation examples are not used: "
      "--validation_fraction takes their place",
      len(dataset.validation_labels),
    )
  emptied = np.setdiff1d(dataset.train_labels, noisy.all_train.given_labels)
  if len(emptied):
    _logger.warning(
      "No training example is left of %s: it stays a class, and is not learned",
      ", ".join(dataset.class_names[label] for label in emptied),
    )
  if noisy_dataset.describe_test_labels(dataset, noisy.test) == "given":
    _logger.info(
      "The test labels are as given. Some may be wrong, and accuracies are "
      "measured on them"
    )
  if config.noise_type != "none" or noisy.actual_noise_rate:
    _logger.info(
      "Label noise: %s, nominal rate %.4f, actual rate %.4f",
      config.noise_type,
      noisy.nominal_noise_rate,
      noisy.actual_noise_rate,
    )
  return noisy


def load_test_examples(config, dataset):
  """Returns the `Examples` that a run of a config is tested on."""
  decisions = _read_label_decisions(config, dataset)
  _log_decisions(decisions, ["test"])
  return noisy_dataset.take_test_examples(
    dataset, config.num_test_examples, decisions
  )


def _find_noise_map(config):
  """Returns which of `class_maps.NAMES` a config's noise is by, or None."""
  if config.noise_type != "asymmetric" or config.noise_matrix:
    return None
  name = config.noise_map or class_maps.find_name(config.dataset)
  if name is None:
    raise errors.InvalidInputError(
      "Argument `noise_type` can be asymmetric for a dataset with a published "
      f"map of mistakes, {', '.join(class_maps.NAMES)}: give "
      "--noise_matrix=FILE for any other, or --noise_map for a copy of one of "
      f"these. Received: dataset={config.dataset}"
    )
  return name


def _read_noise_matrix(config, num_classes=None):
  """Returns what `noise_matrix.read` does, or None if a config has no file."""
  if not config.noise_matrix:
    return None
  return noise_matrix.read(config.noise_matrix, num_classes)


def _read_decisions(config, dataset):
  decisions = _read_label_decisions(config, dataset)
  if config.drop_flagged:
    decisions.append(label_decisions.drop_flagged(config.drop_flagged, dataset))
  _log_decisions(decisions, label_decisions.SPLITS)
  return decisions


def _read_label_decisions(config, dataset):
  """Returns a list, empty if there are none."""
  return [label_decisions.read(path, dataset) for path in config.decision_files]


def _log_decisions(decisions, splits):
  for part in decisions:
    for split in splits:
      counts = part[split].counts()
      if any(counts.values()):
        _logger.info(
          "Label decisions, %s split: %s",
          split,
          ", ".join(f"{number} {what}" for what, number in counts.items()),
        )
