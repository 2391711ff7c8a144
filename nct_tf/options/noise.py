"""How labels are corrupted, decided upon and held out."""

import dataclasses

from nct_tf import class_maps, errors
from nct_tf.options import fields

# What becomes of a label depends on its class alone.
BY_CLASS = (
  "none",
  "symmetric_inclusive",
  "symmetric_exclusive",
  "pair_flip",
  "asymmetric",
)
SYNTHETIC = (*BY_CLASS, "instance_dependent")
# Labels that people gave.
HUMAN = (
  "human_aggre",
  "human_random1",
  "human_random2",
  "human_random3",
  "human_worse",
  "human_noisy",
)
NOISE_TYPES = (*SYNTHETIC, *HUMAN)
NOISE_COUNTS = ("exact", "bernoulli")

MAX_SEED = 2**32 - 1  # NumPy's.


@dataclasses.dataclass(frozen=True)
class Noise(fields.Options):
  """Label noise, label decisions and folds."""

  TITLE = "noise"

  noise_type: str = fields.option(
    "none",
    "How labels are corrupted before training. symmetric_inclusive draws the "
    "new label from all classes, symmetric_exclusive from the other ones, "
    "pair_flip takes the next class. asymmetric takes the class that "
    "--noise_map or --noise_matrix says, instance_dependent one that depends "
    "on the image. human_... takes labels that people gave: human_noisy those "
    "of the dataset cifar100_n, the others those of cifar10_n.",
    choices=NOISE_TYPES,
  )
  noise_rate: float = fields.option(
    0.0,
    "Share of the training labels that is corrupted. It must be below 0.5 for "
    "pair_flip and asymmetric. It must be 0 for human_... and with "
    "--noise_matrix, whose rate comes with the labels or the matrix.",
    low=0,
    high=1,
  )
  noise_map: str | None = fields.option(
    None,
    "Which published map of mistakes --noise_type=asymmetric takes: that of "
    "mnist (as 7 for 1), fashion_mnist (as pullover for coat), cifar10 (as cat "
    "for dog) or cifar100 (the next class in a block of five). If not given, "
    "it is that of --dataset.",
    choices=class_maps.NAMES,
  )
  noise_matrix: str | None = fields.option(
    None,
    "File of the transition matrix of --noise_type=asymmetric, .npy or CSV: a "
    "row for each true class, with the probability of each given label. It "
    "takes the place of --noise_map and --noise_rate.",
    absolute=fields.absolute_path,
  )
  noise_count: str | None = fields.option(
    None,
    "How many labels --noise_rate corrupts: exact, that share of them; "
    "bernoulli, each with that probability. If not given, it is exact for "
    "symmetric_inclusive and bernoulli for the others. It is always bernoulli "
    "for instance_dependent and with --noise_matrix.",
    choices=NOISE_COUNTS,
  )
  noise_seed: int = fields.option(
    0,
    "Seed of the corruption, apart from --seed.",
    low=0,
    high=MAX_SEED,
  )
  label_decisions: str | None = fields.option(
    None,
    "CSV file that the page of scripts.audit gives (columns id, decision and "
    "label). It names the labels to replace and the examples to drop, training "
    "and test examples alike. Several, of one audit after the other, stand in "
    "that order with commas between them.",
    absolute=fields.absolute_paths,
  )
  drop_flagged: str | None = fields.option(
    None,
    "The labels.csv of an audit. All training examples that it flags are "
    "dropped. This needs --force_drop_flagged too, because hard examples look "
    "like wrong labels.",
    absolute=fields.absolute_path,
  )
  force_drop_flagged: bool = fields.option(False, "Confirm --drop_flagged.")
  num_folds: int | None = fields.option(
    None,
    "Divide the training examples into this many parts and hold out --fold, "
    "with its noisy labels, for validation. It takes the place of "
    "--validation_fraction.",
    low=2,
  )
  fold: int | None = fields.option(
    None, "Which of --num_folds is held out, counted from 0.", low=0
  )

  def __post_init__(self):
    super().__post_init__()
    check_noise(self.noise_type, self.noise_rate, self.noise_count)
    self._check_asymmetric()
    needs_rate = _is_made(self.noise_type) and not self.noise_matrix
    if needs_rate and not self.noise_rate:
      raise errors.InvalidInputError(
        "Argument `noise_rate` must be above 0 where `noise_type` is "
        f"{self.noise_type}: otherwise no label changes, as with "
        f"noise_type=none. Received: noise_rate={self.noise_rate:g}"
      )
    if (self.num_folds is None) != (self.fold is None):
      raise errors.InvalidInputError(
        "Arguments `num_folds` and `fold` belong together. Received: "
        f"num_folds={self.num_folds}, fold={self.fold}"
      )
    if self.num_folds is not None:
      errors.check_range("fold", self.fold, 0, self.num_folds, high_open=True)
    if self.drop_flagged and not self.force_drop_flagged:
      raise errors.InvalidInputError(
        "Argument `drop_flagged` drops what looks wrong, as hard examples do "
        "too: without them, classes lose their rare kinds, and the method "
        "learns from wrong labels anyway. Decide by looking "
        "(--label_decisions), or insist with --force_drop_flagged. Received: "
        f"drop_flagged={self.drop_flagged}"
      )

  @property
  def decision_files(self):
    """The files of `label_decisions`, in the order they apply: tuple of str."""
    return tuple(filter(None, fields.split_paths(self.label_decisions or "")))

  def _check_asymmetric(self):
    for name in ("noise_map", "noise_matrix"):
      value = getattr(self, name)
      if value and self.noise_type != "asymmetric":
        raise errors.InvalidInputError(
          f"Argument `{name}` belongs to noise_type=asymmetric. Received: "
          f"{name}={value}, noise_type={self.noise_type}"
        )
    if not self.noise_matrix:
      return
    if self.noise_map or self.noise_rate:
      raise errors.InvalidInputError(
        "Arguments `noise_map` and `noise_rate` must not be given with "
        "`noise_matrix`, which says both. Received: "
        f"noise_map={self.noise_map}, noise_rate={self.noise_rate:g}"
      )
    if self.noise_count == "exact":
      raise errors.InvalidInputError(
        "Argument `noise_count` must be bernoulli with `noise_matrix`, from "
        "whose rows labels are drawn. Received: noise_count=exact"
      )


def check_noise(noise_type, noise_rate, noise_count=None):
  """Raises `InvalidInputError` unless type, rate and count fit together."""
  errors.check_choice("noise_type", noise_type, NOISE_TYPES)
  errors.check_range("noise_rate", noise_rate, 0, 1)
  is_made = _is_made(noise_type)
  if not is_made and noise_rate > 0:
    raise errors.InvalidInputError(
      f"Argument `noise_rate` must be 0 where `noise_type` is {noise_type}. "
      f"Received: noise_rate={noise_rate}"
    )
  if noise_count is not None:
    errors.check_choice("noise_count", noise_count, NOISE_COUNTS)
    if not is_made:
      raise errors.InvalidInputError(
        "Argument `noise_count` belongs to noise that is made. Received: "
        f"noise_count={noise_count}, noise_type={noise_type}"
      )
  if noise_type in ("pair_flip", "asymmetric") and noise_rate >= 0.5:
    raise errors.InvalidInputError(
      f"Argument `noise_rate` must be below 0.5 for {noise_type}, or most "
      f"labels of a class are another's. Received: noise_rate={noise_rate}"
    )
  if noise_type == "instance_dependent" and noise_count == "exact":
    raise errors.InvalidInputError(
      "Argument `noise_count` must be bernoulli for instance_dependent, where "
      "each example has a rate of its own. Received: noise_count=exact"
    )


def _is_made(noise_type):
  return noise_type != "none" and noise_type not in HUMAN
