"""How labels are corrupted, decided upon and held out."""

import dataclasses

from nct_tf import errors
from nct_tf.options import fields

SYNTHETIC = ("none", "symmetric_inclusive", "symmetric_exclusive", "pair_flip")
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
    "pair_flip takes the next class. human_... takes labels that people gave: "
    "human_noisy those of the dataset cifar100_n, the others those of "
    "cifar10_n.",
    choices=NOISE_TYPES,
  )
  noise_rate: float = fields.option(
    0.0,
    "Share of the training labels that is corrupted. It must be below 0.5 for "
    "pair_flip. It must be 0 for human_..., whose rate comes with the labels.",
    low=0,
    high=1,
  )
  noise_count: str | None = fields.option(
    None,
    "How many labels --noise_rate corrupts: exact, that share of them; "
    "bernoulli, each with that probability. If not given, it is exact for "
    "symmetric_inclusive and bernoulli for the others.",
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
    "and test examples alike.",
    absolute=fields.absolute_path,
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
    if _is_made(self.noise_type) and not self.noise_rate:
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
  if noise_type == "pair_flip" and noise_rate >= 0.5:
    raise errors.InvalidInputError(
      "Argument `noise_rate` must be below 0.5 for pair_flip, or most labels "
      f"of a class are another's. Received: noise_rate={noise_rate}"
    )


def _is_made(noise_type):
  return noise_type != "none" and noise_type not in HUMAN
