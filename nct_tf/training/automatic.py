"""Chooses what is `auto`: settings that fit one's own pictures and the time.

The rules are this project's own. docs/data.md tells them, and how they were
found.
"""

import dataclasses
import functools
import logging
import math

import numpy as np
import tensorflow as tf

from nct_tf import datasets, distribution, errors, methods, networks, units
from nct_tf.input_pipeline import noisy_dataset, run_data
from nct_tf.options import training as training_options
from nct_tf.system import devices
from nct_tf.training import cost, mirroring, phases as phases_lib

_logger = logging.getLogger(__name__)

# What the audit trains by default to predict each label by networks that did
# not learn it; that costs as many trainings less one.
NUM_FOLDS = 3

_SECONDS = 1.5  # How long a candidate's steps are timed, and its evaluation.
_NUM_SAMPLED = 1000
# So many steps of 32 images were enough for digits, clothes and textures.
_NUM_STEPS = 2000
_STEP_SIZE = 32
_MAX_EPOCHS = 100
_MIN_EPOCHS = 20
_FEW = 10_000  # Fewer examples than this get small batches.
_MIN_AUGMENTED_SIZE = 24
_TARGET_VARIABILITY = 0.1


@dataclasses.dataclass(frozen=True)
class _Candidate:
  """A network, and what it costs.

  Attributes:
    network: str.
    width: int.
    max_size: int, pixels of the images' shorter side that it gets.
    relative_cost: float, of a step at 32 pixels, measured on two cores.
  """

  network: str
  width: int
  max_size: int
  relative_cost: float


_ON_CPU = (
  _Candidate("simple_cnn", 32, 32, 1.0),
  _Candidate("simple_cnn", 16, 32, 0.4),
  _Candidate("simple_cnn", 16, 16, 0.1),
)
_ON_GPU = (
  _Candidate("preact_resnet18", 64, 64, 150.0),
  _Candidate("preact_resnet18", 64, 32, 40.0),
  *_ON_CPU,
)
_MIN_CONVOLVED_SIZE = 4
_FOR_DOTS = (_Candidate("mlp", 64, _MIN_CONVOLVED_SIZE, 0.05),)


@dataclasses.dataclass(frozen=True)
class Choice:
  """What was chosen, why, and what it costs.

  Attributes:
    config: the `TrainConfig`, nothing of which is `auto` any more.
    facts: str, what was known of the pictures.
    reasons: dict from the name of each option that was `auto` to str.
    train_seconds: float, how long the training will take, as measured.
    audit_seconds: float, how long an audit with folds will take; None where
      the budget has no room for it.
  """

  config: object
  facts: str
  reasons: dict
  train_seconds: float
  audit_seconds: float | None

  def describe(self):
    """Returns the choice and its price as lines of text."""
    values = self.config.values()
    flags = {
      name: f"--{name}="
      + ("(as they are)" if values[name] is None else str(values[name]))
      for name in self.reasons
    }
    width = max(map(len, flags.values()))
    audit = "its audit has no time to train again"
    if self.audit_seconds is not None:
      audit = f"its audit {units.seconds(self.audit_seconds)}"
    return "\n".join(
      [
        f"Chosen for {self.facts}:",
        *(
          f"  {flag:<{width}}  {self.reasons[name]}"
          for name, flag in flags.items()
        ),
        f"  Training will take about {units.seconds(self.train_seconds)}, "
        f"{audit} (--time_budget_minutes="
        f"{self.config.time_budget_minutes:g})",
      ]
    )


def resolve(config, directory=None):
  """Returns a config with values for what is `auto`, and logs them.

  Args:
    config: a `TrainConfig`.
    directory: the run's `Workdir`. If it holds a run that may go on, that run's
      values are taken.

  Raises:
    InvalidInputError: if the dataset is refused; or if several machines would
      have to choose the same.
  """
  config = _resolve_precision(config, directory)
  if config.automatic_options and directory is not None:
    config = _recorded(config, directory)
  if not config.automatic_options:
    return config
  choice = choose(config)
  _logger.info("%s", choice.describe())
  return choice.config


def _resolve_precision(config, directory):
  """As `resolve`, for `mixed_precision` alone.

  A run that goes on keeps what it began with, on another device, too.
  """
  if config.mixed_precision != "auto":
    return config
  if directory is not None and _holds_run(config, directory):
    mixed_precision = directory.read_config().mixed_precision
    reason = "as the run began"
  else:
    strategy = distribution.create(**config.strategy_options)
    mixed_precision = devices.choose_precision("auto", strategy)
    reason = "the GPU has units for it"
    if mixed_precision == "none":
      reason = "no GPU with bfloat16 units"
  _logger.info("Chosen: --mixed_precision=%s (%s)", mixed_precision, reason)
  return dataclasses.replace(config, mixed_precision=mixed_precision)


def _holds_run(config, directory):
  return not config.overwrite and directory.flags_file.exists()


def _recorded(config, directory):
  """Returns a config that has the values of the run in its workdir."""
  if not _holds_run(config, directory):
    return config
  values = directory.read_config().values()
  return config.replace(
    **{name: values.get(name) for name in config.automatic_options}
  )


def choose(config):
  """Chooses what is `auto` in a config of one's own pictures.

  Args:
    config: a `TrainConfig`.

  Returns:
    a `Choice`.

  Raises:
    InvalidInputError: see `resolve`.
  """
  names = config.automatic_options
  if config.strategy == "multi_worker":
    config.check_alike_for_all()
  strategy = distribution.create(**config.strategy_options)
  pictures = _Pictures(config)
  reasons = {}
  values = {}

  def take(name, value, reason):
    if name in names:
      values[name], reasons[name] = value, reason

  take(*_choose_batch_size(pictures, strategy.num_replicas_in_sync))
  take(*_choose_target_variability())
  partial = config.replace(**values)
  candidates = _candidates(partial, pictures)
  found = _fit_into_budget(partial, pictures, candidates)
  size = pictures.size_for(found.candidate)
  take("network", found.candidate.network, found.reason)
  take("width", found.candidate.width, "goes with the network")
  take("image_size", *pictures.describe_size(size))
  take("num_epochs", found.num_epochs, found.epochs_reason)
  take(*_choose_augmentation(partial, pictures, size))
  return Choice(
    config.replace(**values),
    pictures.describe(),
    {name: reasons[name] for name in names},
    found.train_seconds,
    found.audit_seconds,
  )


class _Pictures:
  """What is known of one's own pictures before training.

  Args:
    config: a `TrainConfig`.
  """

  def __init__(self, config):
    # Picture files are decoded when they are needed, as few of them are.
    cache = None if config.dataset.startswith("npz:") else "none"
    self.dataset = run_data.load_dataset(
      dataclasses.replace(config, cache=cache)
    )
    self.is_resized = config.image_size is not None
    self.num_train = _num_train(config, len(self.dataset.train_labels))
    self.num_in_epoch = min(
      self.num_train, config.num_examples_per_epoch or self.num_train
    )
    num_sampled = max(_NUM_SAMPLED, config.batch_size or 0)
    order = np.random.default_rng(0).permutation(len(self.dataset.train_labels))
    self._sampled = np.sort(order[:num_sampled])

  @property
  def side(self):
    """Pixels of the images' shorter side."""
    return min(self.dataset.image_shape[:2])

  def describe(self):
    """Returns what the pictures are, as text."""
    height, width, channels = self.dataset.image_shape
    colours = "grey" if channels == 1 else f"{channels} channels"
    return (
      f"{self.num_train:,} training images of {width}x{height} pixels "
      f"({colours}) and {self.dataset.num_classes} classes"
    )

  def size_for(self, candidate):
    """Returns the side that images get for a candidate; None for their own."""
    height, width, _ = self.dataset.image_shape
    if not self.is_resized and self.side > candidate.max_size:
      return candidate.max_size
    return height if height == width else None

  def describe_size(self, size):
    """Returns an image size as it is, and the reason for it."""
    if size is None or size == self.side:
      return size, "their own"
    reason = f"of {self.side}, as few as do; give more for small details"
    return size, reason

  @functools.cached_property
  def _sample(self):
    """Some training images, and their labels: a pair of arrays."""
    labels = self.dataset.train_labels[self._sampled]
    return self.dataset.train_images[self._sampled], labels

  def sample(self, size=None):
    """Returns an `ImageDataset` of some of the pictures, to try things with.

    Args:
      size: int, the side that images are resized to; None for their own.
    """
    images, labels = self._sample
    dataset = datasets.ImageDataset(
      name="sample",
      train_images=images,
      train_labels=labels,
      test_images=images,
      test_labels=labels,
      class_names=self.dataset.class_names,
    )
    return dataset.resize(size) if size else dataset


def _num_train(config, num_examples):
  """Returns how many training examples there are, about."""
  share = 1 - config.validation_fraction
  if config.num_folds is not None:
    share = 1 - 1 / config.num_folds
  return round(share * (config.num_train_examples or num_examples))


def _choose_batch_size(pictures, num_replicas):
  """Returns name, value and reason, as the functions below."""
  size, reason = 32, "few images: small batches make more steps of them"
  if pictures.num_in_epoch >= _FEW:
    size, reason = 128, "the paper's"
  size = min(size, pictures.num_in_epoch)
  return "batch_size", max(1, size // num_replicas) * num_replicas, reason


def _choose_target_variability():
  return (
    "target_variability_max",
    _TARGET_VARIABILITY,
    "little, as the share of wrong labels is unknown",
  )


def _choose_augmentation(config, pictures, size):
  name = "augmentation"
  if (size or pictures.side) < _MIN_AUGMENTED_SIZE:
    return name, "none", "images so small lose too much by it"
  sample = pictures.sample()
  images, labels = sample.train_images, sample.train_labels
  shares = mirroring.compare(images, labels, config.seed)
  if shares is None:
    return name, "none", "too few images to tell what else is as good"
  recognised, mirrored, *_ = shares
  found = f"by pixels, {recognised:.0%} are recognised, {mirrored:.0%} mirrored"
  if mirroring.keeps_class(*shares):
    return name, "crop_flip", f"{found}: one is as good as the other"
  return name, "none", f"{found}: images are where they belong"


def _candidates(config, pictures):
  """Returns the `_Candidate`s that a config leaves, the best first."""
  has_gpu = bool(tf.config.list_physical_devices("GPU"))
  candidates = _ON_GPU if has_gpu else _ON_CPU
  if pictures.side < _MIN_CONVOLVED_SIZE:
    candidates = _FOR_DOTS
  if config.network is not None:
    candidates = [
      each for each in candidates if each.network == config.network
    ] or [_Candidate(config.network, 64, candidates[0].max_size, 1.0)]
  if config.width is not None:
    candidates = [
      dataclasses.replace(each, width=config.width) for each in candidates
    ]
  return list(dict.fromkeys(candidates))


@dataclasses.dataclass(frozen=True)
class _Fit:
  """A candidate, with as many epochs as there is time for."""

  candidate: _Candidate
  reason: str
  num_epochs: int
  epochs_reason: str
  train_seconds: float
  audit_seconds: float | None


def _fit_into_budget(config, pictures, candidates):
  """Returns the `_Fit` of the best candidate for which there is time."""
  budget = 60 * config.time_budget_minutes
  fewest = fewest_epochs(config)
  wanted = config.num_epochs or max(
    fewest, _wanted_epochs(pictures.num_in_epoch)
  )

  def cost_of(candidate):
    share = min(pictures.side, candidate.max_size) / candidate.max_size
    return candidate.relative_cost * share**2

  # Measuring takes seconds, so what is far too slow is passed over.
  waiting = list(candidates)
  while True:
    candidate = waiting.pop(0)
    epoch_seconds = _measure_epoch(config, pictures, candidate, wanted)
    seconds = wanted * epoch_seconds * NUM_FOLDS
    if seconds <= budget or not waiting:
      break
    affordable = cost_of(candidate) * budget / seconds
    fitting = [each for each in waiting if cost_of(each) <= affordable]
    waiting = fitting or waiting[-1:]
  return _shorten(config, candidate, fewest, wanted, epoch_seconds, candidates)


def _shorten(config, candidate, fewest, wanted, epoch_seconds, candidates):
  """Returns the `_Fit` of a candidate, with fewer epochs where need be."""
  budget = 60 * config.time_budget_minutes
  is_best = candidate is candidates[0]
  reason = (
    "the first choice" if is_best else "the first choice would take too long"
  )
  num_epochs, has_folds = wanted, True
  the_fewest = f"the fewest that {config.method} can do"
  epochs_reason = the_fewest if wanted == fewest else _why(wanted)
  if wanted * epoch_seconds * NUM_FOLDS > budget:
    fewest_with_folds = max(fewest, _MIN_EPOCHS / 2)
    has_folds = budget >= NUM_FOLDS * fewest_with_folds * epoch_seconds
    share = budget / (NUM_FOLDS if has_folds else 1)
    affordable = int(share / epoch_seconds)
    epochs_reason = f"what there is time for; {wanted} were better"
    if config.num_epochs is not None:
      has_folds = False
    elif affordable < fewest:
      num_epochs = fewest
      epochs_reason = f"{the_fewest}; there is time for {affordable}"
    else:
      num_epochs = min(wanted, affordable)
  audit_seconds = None
  if has_folds:
    audit_seconds = (NUM_FOLDS - 1) * num_epochs * epoch_seconds
  return _Fit(
    candidate,
    reason,
    num_epochs,
    epochs_reason,
    num_epochs * epoch_seconds,
    audit_seconds,
  )


def fewest_epochs(config):
  """Returns the fewest epochs in which a method does all that it does: an int.

  If `_MAX_EPOCHS` are too few, it is 1, and the method says what it needs.

  Args:
    config: a `TrainConfig`.
  """
  model_class = methods.get_model(config.method)
  model = model_class.from_options(
    [
      networks.create("mlp", (1, 1, 1), 2, width=1)
      for _ in range(model_class.Options.NUM_NETWORKS)
    ],
    config.method_options,
  )

  def is_enough(num_epochs):
    try:
      phases_lib.Phases(model.phases(num_epochs), num_epochs)
    except errors.InvalidInputError:
      return False
    return True

  return next(filter(is_enough, range(1, _MAX_EPOCHS + 1)), 1)


def _wanted_epochs(num_in_epoch):
  wanted = math.ceil(_NUM_STEPS * _STEP_SIZE / num_in_epoch)
  return min(_MAX_EPOCHS, max(_MIN_EPOCHS, wanted))


def _why(wanted):
  """Returns the reason for so many epochs, if there is time for them: str."""
  if wanted == _MAX_EPOCHS:
    return "few images need many"
  if wanted == _MIN_EPOCHS:
    return "more would gain little"
  return f"about {_NUM_STEPS:,} steps of {_STEP_SIZE} images"


def _measure_epoch(config, pictures, candidate, num_epochs):
  """Returns the seconds of an epoch with a candidate, its evaluations too.

  That is the last one of `num_epochs`: many methods begin with cheaper ones.
  """
  size = pictures.size_for(candidate)
  dataset = pictures.sample(size)
  trial = config.replace(
    network=candidate.network,
    width=candidate.width,
    image_size=size,
    augmentation=config.augmentation or "crop_flip",
    num_epochs=num_epochs,
    **training_options.CONSTANT_RATES,
  )
  return cost.estimate(
    trial,
    dataset,
    noisy_dataset.prepare(dataset),
    num_train=pictures.num_train,
    num_evaluated=len(pictures.dataset.test_labels),
    seconds=_SECONDS,
  )["epoch_seconds"]
