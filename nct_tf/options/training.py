"""How a run is trained: sampling, optimisation, seeds, what is measured."""

import dataclasses

from nct_tf import errors, schedules
from nct_tf.options import fields, noise
from nct_tf.system import packages

SAMPLINGS = ("natural", "balanced", "balanced_subset")
OPTIMIZERS = ("sgd", "adamw", "lamb", "sgdw")


@dataclasses.dataclass(frozen=True)
class Sampling(fields.Options):
  """Which training examples an epoch has."""

  TITLE = "sampling"

  sampling: str = fields.option(
    "natural",
    "natural takes each training example once an epoch. balanced takes each "
    "class equally often, by its given label. balanced_subset takes "
    "--num_examples_per_epoch examples drawn anew each epoch without "
    "repetition, at most an equal share per class.",
    choices=SAMPLINGS,
  )
  num_examples_per_epoch: int | None = fields.option(
    None,
    "How many training examples an epoch of --sampling=balanced_subset has. "
    "There are fewer where classes have not enough. The paper's for Clothing1M "
    "is 32000.",
    low=1,
  )

  def __post_init__(self):
    super().__post_init__()
    is_subset = self.sampling == "balanced_subset"
    if is_subset != (self.num_examples_per_epoch is not None):
      raise errors.InvalidInputError(
        "Argument `num_examples_per_epoch` belongs to sampling=balanced_subset."
        f" Received: num_examples_per_epoch={self.num_examples_per_epoch}, "
        f"sampling={self.sampling}"
      )


@dataclasses.dataclass(frozen=True)
class Training(fields.Options):
  """Optimisation, seeds, averages, and what is measured on the way."""

  TITLE = "training"

  num_epochs: int | None = fields.option(
    None,
    "How long to train.",
    unit="epochs",
    low=1,
    auto=True,
    paper=200,
  )
  early_stopping: int | None = fields.option(
    None,
    "End the training when the accuracy on held-out examples, by their noisy "
    "labels, has not risen for this many epochs. Schedules stay those of "
    "--num_epochs. It needs --validation_fraction, --fold, or a dataset with a "
    "validation split of its own. If not given, all epochs are trained.",
    unit="epochs",
    low=1,
  )
  time_budget_minutes: float = fields.option(
    10.0,
    "How long training and audit of your own images may take together on this "
    "machine; what is auto is chosen for that. They take less where less is "
    "enough.",
    unit="minutes",
    low=0,
    low_open=True,
    scope=fields.PLACE,
  )
  batch_size: int | None = fields.option(
    None,
    "Examples of a step, over all devices. It is at most the number of "
    "training examples.",
    low=1,
    auto=True,
    paper=128,
  )
  optimizer: str = fields.option(
    "sgd",
    "sgd is the paper's. lamb suits large batches. sgdw needs "
    "tensorflow-addons.",
    choices=OPTIMIZERS,
  )
  learning_rate: float = fields.option(
    0.02, "Learning rate of the first epoch.", low=0, low_open=True
  )
  momentum: float = fields.option(
    0.9, "Momentum of sgd and sgdw.", low=0, high=1, high_open=True
  )
  weight_decay: float = fields.option(
    1e-5,
    "Weight decay. With sgd it is an L2 term of the gradient. The other "
    "optimizers decouple it, each in its own way.",
    low=0,
  )
  decoupled_weight_decay: bool = fields.option(
    False,
    "Whether sgd too keeps the weight decay out of the gradient, and takes "
    "learning rate x decay x weight from a weight instead.",
  )
  lr_decay_epochs: tuple[int, ...] | None = fields.option(
    None,
    "Epochs after which the learning rate is multiplied by --lr_decay_factor, "
    "such as 60,120; each is below --num_epochs. If not given, that happens "
    "once, at 90 % of --num_epochs. If empty, it never happens.",
    unit="epochs",
    low=0,
  )
  lr_decay_factor: float = fields.option(
    0.1,
    "What the learning rate is multiplied by.",
    low=0,
    high=1,
    low_open=True,
  )
  clip_norm: float | None = fields.option(
    None,
    "Largest norm of each network's gradient over all of its weights. A longer "
    "gradient is scaled down. If not given, nothing is clipped.",
    low=0,
    low_open=True,
  )
  ema_decay: float = fields.option(
    0.0,
    "Decay per step of an exponential moving average of the weights, such as "
    "0.999. The average is measured and exported in their place. With 0 there "
    "is none.",
    low=0,
    high=1,
    high_open=True,
  )
  seed: int = fields.option(
    0,
    "Seed of the weights, the order, the augmentation and whatever the method "
    "draws.",
    low=0,
    high=noise.MAX_SEED,
  )
  monitor_every_epochs: int = fields.option(
    1,
    "How often loss and accuracy are measured on the cleanly and on the "
    "wrongly labelled training examples; 0 for never.",
    unit="epochs",
    low=0,
  )
  label_scores: bool = fields.option(
    True,
    "Keep how suspicious each training label was, averaged over the epochs. "
    "scripts.audit ranks by that. It takes 8 bytes an example.",
  )

  def __post_init__(self):
    super().__post_init__()
    check_optimizer(self.optimizer)
    if self.decoupled_weight_decay and self.optimizer != "sgd":
      raise errors.InvalidInputError(
        "Argument `decoupled_weight_decay` belongs to the optimizer sgd; the "
        f"others decouple it anyway. Received: optimizer={self.optimizer}"
      )
    if self.num_epochs is None:
      return
    for epoch in self.resolved_lr_decay_epochs:
      errors.check_range(
        "lr_decay_epochs", epoch, 0, self.num_epochs, high_open=True
      )

  @property
  def resolved_lr_decay_epochs(self):
    """`lr_decay_epochs`, or once, at 90 % of `num_epochs`, if that is not 0."""
    if self.lr_decay_epochs is not None:
      return self.lr_decay_epochs
    epoch = schedules.default_rampup_epochs(self.num_epochs)
    return (epoch,) if epoch > 0 else ()


def check_optimizer(name):
  """Raises `InvalidInputError` unless `name` can be had on this stack."""
  errors.check_choice("optimizer", name, OPTIMIZERS)
  if name == "sgdw":
    packages.require_addons("--optimizer=sgdw")
