"""The options of the methods that learn how to learn; see `options`."""

import dataclasses

from nct_tf import errors
from nct_tf.methods import options
from nct_tf.options import fields


@dataclasses.dataclass(frozen=True)
class MLNT(options.MethodOptions):
  """Options of Meta-Learning based noise-tolerant training."""

  TITLE = "Meta-Learning (MLNT)"
  SUMMARY = (
    "One network learns such that steps on wrong labels, which are made up for "
    "it, would not lead it away from the average of its past weights."
  )
  REFERENCE = "Li, Wong, Zhao, Kankanhalli, CVPR 2019"
  ADVICE = options.SURE_OF_ITSELF
  REMEDY = "Train with fewer epochs, above all fewer --mlnt_plain_epochs"

  mlnt_plain_epochs: int | None = fields.option(
    None,
    "How long plain training with cross entropy comes first. If not given, it "
    "is a quarter of --num_epochs.",
    unit="epochs",
    low=1,
  )
  mlnt_label_sets: int = fields.option(
    10,
    "How many sets of wrong labels each step makes up (M). A step takes three "
    "times as long as one of plain training for each.",
    low=1,
  )
  mlnt_neighbors: int = fields.option(
    10,
    "A wrong label is that of one of so many nearest neighbours in the batch.",
    low=1,
  )
  mlnt_fast_rate: float = fields.option(
    0.2,
    "Learning rate of the steps on wrong labels. The authors take 0.02, beside "
    "a --learning_rate of 0.0008.",
    low=0,
    low_open=True,
  )
  mlnt_weight: float = fields.option(
    1.0,
    "Weight, after the ramp, of the divergences that the steps lead to. The "
    "authors' code has 1 over the number of classes.",
    low=0,
  )
  mlnt_rampup_start: float = fields.option(
    0.016,
    "Up to this share of what follows plain training, nothing but the cross "
    "entropy counts.",
    low=0,
    high=1,
  )
  mlnt_rampup_end: float = fields.option(
    0.064,
    "From this share on, the steps on wrong labels count in full, and the "
    "average of past weights is slower.",
    low=0,
    high=1,
  )

  def __post_init__(self):
    super().__post_init__()
    if self.mlnt_rampup_end < self.mlnt_rampup_start:
      raise errors.InvalidInputError(
        "Argument `mlnt_rampup_end` must be at least mlnt_rampup_start. "
        f"Received: mlnt_rampup_end={self.mlnt_rampup_end}, "
        f"mlnt_rampup_start={self.mlnt_rampup_start}"
      )


@dataclasses.dataclass(frozen=True)
class MetaCleaner(options.MethodOptions):
  """Options of MetaCleaner."""

  TITLE = "MetaCleaner"
  SUMMARY = (
    "One network learns from the weighted means of the features of images with "
    "the same label. The weights say how far each image fits the others."
  )
  REFERENCE = "Zhang, Wang, Qiao, CVPR 2019"
  ADVICE = options.SURE_OF_ITSELF
  REMEDY = "Train with a larger --meta_cleaner_set_size or fewer epochs"

  meta_cleaner_set_size: int = fields.option(
    5,
    "How many images of a batch with the same label make a set (K); what is "
    "left over of a label makes a smaller one.",
    low=1,
  )
  meta_cleaner_units: int = fields.option(
    128,
    "Units of the hidden layer that gives the weights.",
    low=1,
  )
