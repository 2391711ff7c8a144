"""TrainConfig: all that defines a run, and its form as a flag file."""

import dataclasses
import types
import typing

from nct_tf import (
  distribution,
  errors,
  label_noise,
  networks,
  optimizers,
  preprocessing,
  schedules,
)
from nct_tf.input_pipeline import sampling
from nct_tf.networks import layers, preact_resnet, pretrained
from nct_tf.platform import addons

METHODS = ("nct", "standard", "dml", "bootstrap")
MIXED_PRECISIONS = ("none", "bfloat16", "float16")
CACHES = ("memory", "disk", "none")

_INFINITY = float("inf")
_MAX_SEED = 2**32 - 1  # NumPy's.

# Where a run's files and images are, and who takes part, is not a part of it.
_PLACES = (
  "workdir",
  "overwrite",
  "export_dir",
  "cache",
  "cache_dir",
  "workers",
  "worker_index",
)

# What may differ when a run goes on: its results are the same, up to rounding.
CIRCUMSTANCES = (
  "data_dir",
  "download",
  "checkpoint_every_epochs",
  "checkpoint_every_minutes",
  "keep_checkpoints",
  "strategy",
  "num_virtual_cpus",
)

# Field -> (lowest, highest, lowest itself is refused, highest itself is).
_RANGES = {
  "image_size": (1, _INFINITY, False, False),
  "crop_size": (1, _INFINITY, False, False),
  "num_train_examples": (1, _INFINITY, False, False),
  "num_test_examples": (1, _INFINITY, False, False),
  "test_fraction": (0, 1, True, True),
  "validation_fraction": (0, 1, False, True),
  "num_folds": (2, _INFINITY, False, False),
  "fold": (0, _INFINITY, False, False),
  "noise_rate": (0, 1, False, False),
  "noise_seed": (0, _MAX_SEED, False, False),
  "num_examples_per_epoch": (1, _INFINITY, False, False),
  "fake_num_train_examples": (1, _INFINITY, False, False),
  "fake_num_test_examples": (1, _INFINITY, False, False),
  "fake_image_size": (1, _INFINITY, False, False),
  "fake_num_channels": (1, _INFINITY, False, False),
  "fake_num_classes": (2, _INFINITY, False, False),
  "width": (1, _INFINITY, False, False),
  "temperature": (0, _INFINITY, True, False),
  "alpha_max": (0, 1, False, False),
  "alpha_steepness": (0, _INFINITY, False, False),
  "alpha_rampup_epochs": (0, _INFINITY, False, False),
  "target_variability_min": (0, 1, False, False),
  "target_variability_max": (0, 1, False, False),
  "target_variability_warmup_epochs": (0, _INFINITY, False, False),
  "num_epochs": (1, _INFINITY, False, False),
  "batch_size": (1, _INFINITY, False, False),
  "learning_rate": (0, _INFINITY, True, False),
  "momentum": (0, 1, False, True),
  "weight_decay": (0, _INFINITY, False, False),
  "lr_decay_factor": (0, 1, True, False),
  "seed": (0, _MAX_SEED, False, False),
  "monitor_every_epochs": (0, _INFINITY, False, False),
  "clip_norm": (0, _INFINITY, True, False),
  "ema_decay": (0, 1, False, True),
  "checkpoint_every_epochs": (1, _INFINITY, False, False),
  "checkpoint_every_minutes": (0, _INFINITY, True, False),
  "keep_checkpoints": (1, _INFINITY, False, False),
  "num_virtual_cpus": (1, _INFINITY, False, False),
}

_CHOICES = {
  "augmentation": preprocessing.AUGMENTATIONS,
  "sampling": tuple(sampling.SAMPLERS),
  "noise_type": label_noise.NOISE_TYPES,
  "network": networks.NAMES,
  "kernel_initializer": layers.KERNEL_INITIALIZERS,
  "pool": preact_resnet.POOLS,
  "method": METHODS,
  "optimizer": optimizers.OPTIMIZERS,
  "strategy": distribution.STRATEGIES,
  "mixed_precision": MIXED_PRECISIONS,
}


@dataclasses.dataclass(frozen=True)
class TrainConfig:
  """All that defines a run: two runs of equal configs give equal results.

  Each field is the flag of that name in `flags/`, which tells its meaning;
  the defaults are the paper's for CIFAR-10 with 50 % noise. None stands for
  "derived": see `resolved_alpha_rampup_epochs`, `resolved_lr_decay_epochs`.

  Raises:
    InvalidInputError: at construction, if a value or a combination of values
      is not possible.
  """

  dataset: str = "cifar10"
  data_dir: str | None = None
  download: bool = False
  image_size: int | None = None
  crop_size: int | None = None
  cache: str | None = None
  cache_dir: str | None = None
  test_fraction: float = 0.2
  num_train_examples: int | None = None
  num_test_examples: int | None = None
  validation_fraction: float = 0.0
  augmentation: str = "crop_flip"
  noise_type: str = "none"
  noise_rate: float = 0.0
  noise_count: str | None = None
  noise_seed: int = 0
  label_decisions: str | None = None
  drop_flagged: str | None = None
  force_drop_flagged: bool = False
  num_folds: int | None = None
  fold: int | None = None
  sampling: str = "natural"
  num_examples_per_epoch: int | None = None
  fake_num_train_examples: int = 1024
  fake_num_test_examples: int = 256
  fake_image_size: int = 32
  fake_num_channels: int = 3
  fake_num_classes: int = 10

  network: str = "preact_resnet18"
  width: int = 64
  kernel_initializer: str = "fan_in_uniform"
  final_bn: bool = False
  pool: str = "global"
  sync_batch_norm: bool = False
  pretrained_weights: str | None = None

  method: str = "nct"
  temperature: float = 4.0
  alpha_max: float = 0.9
  alpha_steepness: float = 0.65
  alpha_rampup_epochs: int | None = None
  target_variability_min: float = 0.0
  target_variability_max: float = 0.5
  target_variability_warmup_epochs: int = 1
  target_variability_exclude_true: bool = True

  num_epochs: int = 200
  batch_size: int = 128
  optimizer: str = "sgd"
  learning_rate: float = 0.02
  momentum: float = 0.9
  weight_decay: float = 1e-5
  decoupled_weight_decay: bool = False
  lr_decay_epochs: tuple[int, ...] | None = None
  lr_decay_factor: float = 0.1
  clip_norm: float | None = None
  ema_decay: float = 0.0
  seed: int = 0
  monitor_every_epochs: int = 1
  label_scores: bool = True
  checkpoint_every_epochs: int = 1
  checkpoint_every_minutes: float | None = None
  keep_checkpoints: int = 2

  strategy: str = "default"
  num_virtual_cpus: int | None = None
  workers: tuple[str, ...] | None = None
  worker_index: int | None = None
  mixed_precision: str = "none"

  workdir: str | None = None
  overwrite: bool = False
  export_dir: str | None = None

  def __post_init__(self):
    for name, (low, high, low_open, high_open) in _RANGES.items():
      value = getattr(self, name)
      if value is not None:
        errors.check_range(
          name, value, low, high, low_open=low_open, high_open=high_open
        )
    for name, choices in _CHOICES.items():
      errors.check_choice(name, getattr(self, name), choices)
    self._check_combinations()

  def _check_combinations(self):
    if self.cache is not None:
      errors.check_choice("cache", self.cache, CACHES)
    label_noise.check_noise(self.noise_type, self.noise_rate, self.noise_count)
    optimizers.check(self.optimizer)
    distribution.check(**self.strategy_options)
    if self.augmentation == "crop_flip_cutout":
      addons.require("--augmentation=crop_flip_cutout")
    errors.check_range(
      "target_variability_max",
      self.target_variability_max,
      self.target_variability_min,
      1,
    )
    if self.decoupled_weight_decay and self.optimizer != "sgd":
      raise errors.InvalidInputError(
        "Argument `decoupled_weight_decay` belongs to the optimizer sgd; the "
        f"others decouple it anyway. Received: optimizer={self.optimizer}"
      )
    if self.pretrained_weights is not None:
      pretrained.check(self.pretrained_weights, self.network)
    self._check_folds()
    is_subset = self.sampling == "balanced_subset"
    if is_subset != (self.num_examples_per_epoch is not None):
      raise errors.InvalidInputError(
        "Argument `num_examples_per_epoch` belongs to sampling=balanced_subset."
        f" Received: num_examples_per_epoch={self.num_examples_per_epoch}, "
        f"sampling={self.sampling}"
      )
    if self.drop_flagged and not self.force_drop_flagged:
      raise errors.InvalidInputError(
        "Argument `drop_flagged` drops what looks wrong, as hard examples do "
        "too: without them, classes lose their rare kinds, and the method "
        "learns from wrong labels anyway. Decide by looking "
        "(--label_decisions), or insist with --force_drop_flagged. Received: "
        f"drop_flagged={self.drop_flagged}"
      )
    for epoch in self.resolved_lr_decay_epochs:
      errors.check_range(
        "lr_decay_epochs", epoch, 0, self.num_epochs, high_open=True
      )

  def _check_folds(self):
    if (self.num_folds is None) != (self.fold is None):
      raise errors.InvalidInputError(
        "Arguments `num_folds` and `fold` belong together. Received: "
        f"num_folds={self.num_folds}, fold={self.fold}"
      )
    if self.num_folds is None:
      return
    errors.check_range("fold", self.fold, 0, self.num_folds, high_open=True)
    if self.validation_fraction:
      raise errors.InvalidInputError(
        "Argument `validation_fraction` must be 0 with `num_folds`, which "
        "holds a fold out. Received: "
        f"validation_fraction={self.validation_fraction}"
      )

  @property
  def resolved_alpha_rampup_epochs(self):
    """`alpha_rampup_epochs`, or 90 % of `num_epochs`."""
    if self.alpha_rampup_epochs is None:
      return schedules.default_rampup_epochs(self.num_epochs)
    return self.alpha_rampup_epochs

  @property
  def resolved_lr_decay_epochs(self):
    """`lr_decay_epochs`, or once, at 90 % of `num_epochs`, if that is not 0."""
    if self.lr_decay_epochs is not None:
      return self.lr_decay_epochs
    epoch = schedules.default_rampup_epochs(self.num_epochs)
    return (epoch,) if epoch > 0 else ()

  @property
  def method_options(self):
    """TEMPORARY."""
    from nct_tf import methods

    cls = methods.get_options(self.method)
    return cls(
      **{
        field.name: getattr(self, field.name)
        for field in dataclasses.fields(cls)
        if hasattr(self, field.name)
      }
    )

  @property
  def network_options(self):
    """Arguments of `networks.create` that differ from their defaults."""
    return {
      field.name: getattr(self, field.name)
      for field in dataclasses.fields(self)
      if field.name in networks.OPTIONS
      and getattr(self, field.name) != field.default
    }

  @property
  def strategy_options(self):
    """Arguments of `distribution.create`."""
    return {
      "name": self.strategy,
      "num_virtual_cpus": self.num_virtual_cpus,
      "workers": self.workers,
      "worker_index": self.worker_index,
    }

  @property
  def fake_options(self):
    """Arguments of `datasets.fake.load`."""
    return {
      "num_train_examples": self.fake_num_train_examples,
      "num_test_examples": self.fake_num_test_examples,
      "height": self.fake_image_size,
      "num_channels": self.fake_num_channels,
      "num_classes": self.fake_num_classes,
    }

  def to_flagfile(self):
    """Returns this config, but for its folders, as the text of a flag file."""
    lines = []
    for field in dataclasses.fields(self):
      if field.name in _PLACES:
        continue
      value = getattr(self, field.name)
      if value is not None:
        lines.append(f"--{field.name}={_format(value)}\n")
    return "".join(lines)

  def to_flags(self):
    """Returns all that is not the default as flags: list of --name=value."""
    values = {
      field.name: getattr(self, field.name)
      for field in dataclasses.fields(self)
      if getattr(self, field.name) != field.default
    }
    return [f"--{name}={_format(value)}" for name, value in values.items()]

  def without_circumstances(self):
    """Returns the config with which runs are equal that give equal results."""
    defaults = {
      field.name: field.default
      for field in dataclasses.fields(self)
      if field.name in _PLACES + CIRCUMSTANCES
    }
    return dataclasses.replace(self, **defaults)

  @classmethod
  def from_flagfile(cls, text):
    """Reads what `to_flagfile` wrote.

    Args:
      text: str, a line `--name=value` each.

    Returns:
      a `TrainConfig`.

    Raises:
      InvalidInputError: if a line is not of that form, or names no field.
    """
    parsers = {
      name: _parser(annotation)
      for name, annotation in typing.get_type_hints(cls).items()
    }
    values = {}
    for line in text.splitlines():
      name, separator, value = line.removeprefix("--").partition("=")
      if not separator or name not in parsers:
        raise errors.InvalidInputError(
          f"A flag file must hold lines of the form --name=value. Received: "
          f"{line!r}"
        )
      try:
        values[name] = parsers[name](value)
      except ValueError as error:
        raise errors.InvalidInputError(
          f"The flag file's {name} cannot be read: {error}"
        ) from error
    return cls(**values)


def _format(value):
  """Returns a field's value as a flag's text."""
  return ",".join(map(str, value)) if isinstance(value, tuple) else value


def _parser(annotation):
  """Returns the function from a flag's text to a field's value."""
  if typing.get_origin(annotation) is types.UnionType:
    annotation = typing.get_args(annotation)[0]
  if typing.get_origin(annotation) is tuple:
    kind, _ = typing.get_args(annotation)
    return lambda text: tuple(kind(part) for part in text.split(",") if part)
  if annotation is bool:
    return _parse_bool
  return annotation


def _parse_bool(text):
  if text not in ("True", "False"):
    raise ValueError(f"must be True or False. Received: {text}")
  return text == "True"
