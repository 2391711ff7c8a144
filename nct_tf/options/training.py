"""How a run is trained: sampling, optimisation, seeds, what is measured."""

import dataclasses

from nct_tf import errors, schedules
from nct_tf.options import fields, noise
from nct_tf.system import packages

SAMPLINGS = ("natural", "balanced", "balanced_subset")
OPTIMIZERS = ("sgd", "adamw", "lamb", "sgdw", "adam", "adagrad")
LR_SCHEDULES = ("step", "linear", "cosine", "time", "exponential")

# A schedule's own options, and those of several, with the schedules that have
# them.
_SCHEDULES_WITH = {
  "lr_decay_epochs": ("step", "linear", "time"),
  "lr_decay_factor": ("step", "time", "exponential"),
  "lr_min": ("cosine",),
  "lr_restart_epochs": ("cosine",),
  "lr_time_decay": ("time",),
  "final_momentum": ("step", "linear", "time"),
}
# Options of a training of a few epochs, where nothing but time is measured.
CONSTANT_RATES = {
  "lr_schedule": "step",
  "lr_decay_epochs": (),
  "lr_min": 0.0,
  "lr_restart_epochs": None,
  "lr_time_decay": None,
  "final_momentum": None,
}


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
    "sgd is the paper's. adam and adagrad are PyTorch's; other methods' papers "
    "use them with a --learning_rate of 0.001 and 0.01. lamb suits large "
    "batches. sgdw needs tensorflow-addons.",
    choices=OPTIMIZERS,
  )
  learning_rate: float = fields.option(
    0.02, "Learning rate of the first epoch.", low=0, low_open=True
  )
  momentum: float = fields.option(
    0.9,
    "Momentum of sgd and sgdw, beta_1 of adam.",
    low=0,
    high=1,
    high_open=True,
  )
  final_momentum: float | None = fields.option(
    None,
    "beta_1 of adam from the first of --lr_decay_epochs on. The moments stay. "
    "Co-teaching's is 0.1. If not given, it stays --momentum.",
    low=0,
    high=1,
    high_open=True,
  )
  nesterov: bool = fields.option(False, "Whether sgd has Nesterov's momentum.")
  weight_decay: float = fields.option(
    1e-5,
    "Weight decay. With sgd, adam and adagrad it is an L2 term of the "
    "gradient. The other optimizers decouple it, each in its own way.",
    low=0,
  )
  decoupled_weight_decay: bool = fields.option(
    False,
    "Whether sgd too keeps the weight decay out of the gradient, and takes "
    "learning rate x decay x weight from a weight instead.",
  )
  lr_schedule: str = fields.option(
    "step",
    "How the learning rate falls, from epoch to epoch. step multiplies it by "
    "--lr_decay_factor after each of --lr_decay_epochs. linear lets it fall to "
    "0 at --num_epochs, from the one epoch in --lr_decay_epochs on. cosine "
    "takes it to --lr_min in half a wave, over all epochs or, again and again, "
    "over --lr_restart_epochs. time divides that of step by 1 + "
    "--lr_time_decay x epoch. exponential multiplies it by --lr_decay_factor "
    "after each epoch. Where a method restarts, the schedule begins anew, and "
    "ends with that part of the training.",
    choices=LR_SCHEDULES,
  )
  lr_decay_epochs: tuple[int, ...] | None = fields.option(
    None,
    "Epochs after which the learning rate is multiplied by --lr_decay_factor, "
    "such as 60,120; each is below --num_epochs. If not given, that happens "
    "once, at 90 % of --num_epochs. If empty, it never happens. With "
    "--lr_schedule=linear, the one epoch from which it falls.",
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
  lr_min: float = fields.option(
    0.0, "Lowest learning rate of --lr_schedule=cosine.", low=0
  )
  lr_restart_epochs: int | None = fields.option(
    None,
    "After how many epochs --lr_schedule=cosine begins again with "
    "--learning_rate. If not given, it does not.",
    unit="epochs",
    low=1,
  )
  lr_time_decay: float | None = fields.option(
    None,
    "How fast --lr_schedule=time falls, per epoch: the `decay` of Keras 1 and "
    "2, which was per step, times the steps of an epoch.",
    low=0,
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
    self._check_of_optimizer("decoupled_weight_decay", "sgd")
    self._check_of_optimizer("nesterov", "sgd")
    self._check_of_optimizer("final_momentum", "adam")
    if self.nesterov and not self.momentum:
      raise errors.InvalidInputError(
        "Argument `momentum` must be above 0 with nesterov. Received: "
        f"momentum={self.momentum}"
      )
    self._check_schedule()
    if self.num_epochs is not None:
      self.check_decay_epochs(self.num_epochs)

  def _check_of_optimizer(self, name, optimizer):
    """Raises `InvalidInputError` if an option of another optimizer is given."""
    value = getattr(self, name)
    if value != fields.defaults_of(self)[name] and self.optimizer != optimizer:
      raise errors.InvalidInputError(
        f"Argument `{name}` belongs to the optimizer {optimizer}. Received: "
        f"{name}={value}, optimizer={self.optimizer}"
      )

  def _check_schedule(self):
    """Raises `InvalidInputError` unless the schedule's options fit it."""
    defaults = fields.defaults_of(self)
    for name, owners in _SCHEDULES_WITH.items():
      value = getattr(self, name)
      if value != defaults[name] and self.lr_schedule not in owners:
        raise errors.InvalidInputError(
          f"Argument `{name}` belongs to lr_schedule={' or '.join(owners)}. "
          f"Received: {name}={fields.format_value(value)}, "
          f"lr_schedule={self.lr_schedule}"
        )
    errors.check_range("lr_min", self.lr_min, 0, self.learning_rate)
    if self.lr_schedule == "time" and self.lr_time_decay is None:
      raise errors.InvalidInputError(
        "Argument `lr_time_decay` must be given with lr_schedule=time. "
        "Received: none"
      )
    given = self.lr_decay_epochs
    if given is None:
      return
    if self.lr_schedule == "linear" and len(given) != 1:
      raise errors.InvalidInputError(
        "Argument `lr_decay_epochs` must be one epoch with lr_schedule=linear, "
        "from which the learning rate falls. Received: "
        f"lr_decay_epochs={fields.format_value(given)}"
      )
    if self.final_momentum is not None and not given:
      raise errors.InvalidInputError(
        "Argument `lr_decay_epochs` must have an epoch with final_momentum, "
        "which holds from there on. Received: lr_decay_epochs="
      )

  def check_decay_epochs(self, num_epochs):
    """Raises `InvalidInputError` if the rate would decay after the end.

    Args:
      num_epochs: int, of a training, or of the longest one between restarts.
    """
    for epoch in self.lr_decay_epochs or ():
      errors.check_range(
        "lr_decay_epochs", epoch, 0, num_epochs, high_open=True
      )

  def decay_epochs(self, num_epochs):
    """Returns the epochs at which a training decays the rate: tuple of int.

    Args:
      num_epochs: int, of a training from its start or a restart.

    Returns:
      `lr_decay_epochs`, or once, at 90 % of `num_epochs`, if that is not 0.
    """
    if self.lr_decay_epochs is not None:
      return self.lr_decay_epochs
    epoch = schedules.default_rampup_epochs(num_epochs)
    return (epoch,) if epoch > 0 else ()

  def learning_rate_at(self, epoch, num_epochs):
    """Returns the learning rate of an epoch.

    Args:
      epoch: int, 0-based, since the start of the training or a restart.
      num_epochs: int, of that training.
    """
    rate = self.learning_rate
    if self.lr_schedule == "linear":
      # One epoch has no 90 %.
      (begin,) = self.decay_epochs(num_epochs) or (num_epochs,)
      return schedules.linear_decay(epoch, rate, begin, num_epochs)
    if self.lr_schedule == "cosine":
      return schedules.cosine_decay(
        epoch,
        rate,
        self.lr_restart_epochs or num_epochs,
        self.lr_min,
        restarts=self.lr_restart_epochs is not None,
      )
    if self.lr_schedule == "exponential":
      return schedules.exponential_decay(epoch, rate, self.lr_decay_factor)
    decay_epochs = self.decay_epochs(num_epochs)
    rate = schedules.step_decay(epoch, rate, decay_epochs, self.lr_decay_factor)
    if self.lr_schedule == "time":
      return schedules.time_decay(epoch, rate, self.lr_time_decay)
    return rate

  def momentum_at(self, epoch, num_epochs):
    """Returns the momentum of an epoch; see `learning_rate_at`."""
    if self.final_momentum is None:
      return self.momentum
    begin = min(self.decay_epochs(num_epochs), default=num_epochs)
    return self.final_momentum if epoch >= begin else self.momentum


def check_optimizer(name):
  """Raises `InvalidInputError` unless `name` can be had on this stack."""
  errors.check_choice("optimizer", name, OPTIMIZERS)
  if name == "sgdw":
    packages.require_addons("--optimizer=sgdw")
