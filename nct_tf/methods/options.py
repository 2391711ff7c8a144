"""The methods' options, and what cards, tables and `--help` say of them.

A class each, in five modules: here, in `loss_options`, `selection_options`,
`correction_options` and `meta_options`. None imports TensorFlow. An option's
name is that of its flag. Methods may share a name where they mean the same by
it.
"""

import dataclasses
from typing import ClassVar

from nct_tf import errors
from nct_tf.options import fields


@dataclasses.dataclass(frozen=True)
class MethodOptions(fields.Options):
  """What every method says of itself.

  Attributes:
    TITLE: str, its name in tables and figures.
    SUMMARY: str, a sentence or two on how it trains, and how it predicts.
    REFERENCE: str, the paper; empty where there is none.
    ADVICE: str, a sentence on how far its probabilities can be trusted.
    REMEDY: str, what to change where it has memorised wrong labels.
    NUM_NETWORKS: int, 1 or 2.
    NUM_VIEWS: int, as how many images a training step gets each example, which
      are augmented independently. If there are several, they are float [batch,
      NUM_VIEWS, ...], and the method's `prepare` is to make [rows, ...] of
      them.
    SWEEP: tuple of str, the `--sweep` of `scripts.tune` if none is given.
  """

  TITLE: ClassVar[str]
  SUMMARY: ClassVar[str]
  REFERENCE: ClassVar[str] = ""
  ADVICE: ClassVar[str]
  REMEDY: ClassVar[str] = "Train with --method=nct or fewer epochs"
  NUM_NETWORKS: ClassVar[int] = 1
  NUM_VIEWS: ClassVar[int] = 1
  SWEEP: ClassVar[tuple[str, ...]] = ()

  @classmethod
  def describe(cls):
    """Returns its title, how it trains, and its networks, as one line."""
    sentence = f"{cls.SUMMARY.partition('. ')[0].removesuffix('.')}."
    number = "1 network" if cls.NUM_NETWORKS == 1 else "2 networks"
    return f"{cls.TITLE}: {sentence} ({number})"

  @property
  def uses(self):
    """What it is told that nobody knows of real data: tuple of str.

    Such as "the true noise rate".
    """
    return ()

  @property
  def is_estimated(self):
    """Whether it learns the noise from examples of `models.held_out`."""
    return False

  def of_equal_cost(self):
    """Returns the options by which runs are equal that cost the same.

    That is, they compute the same from step to step, with other numbers.
    """
    return self


# Sentences for `ADVICE`.
SURE_OF_ITSELF = (
  "The probabilities are no frequencies: a network that learned wrong labels "
  "by heart is sure of itself."
)
NEVER_SURE = (
  "The probabilities rank well, but are no frequencies: who learns from soft "
  "and from random labels is never sure."
)


@dataclasses.dataclass(frozen=True)
class NCT(MethodOptions):
  """Options of Noisy Concurrent Training."""

  TITLE = "Noisy Concurrent Training"
  SUMMARY = (
    "Two networks learn together, each from its labels and from the other's "
    "predictions. The prediction is that of their ensemble, the softmax of the "
    "mean of their logits."
  )
  REFERENCE = "Sarfraz, Arani, Zonooz, WACV 2021"
  ADVICE = NEVER_SURE
  REMEDY = "Train with a larger --target_variability_max or fewer epochs"
  NUM_NETWORKS = 2
  # The one parameter that the paper tunes, at its values.
  SWEEP = ("target_variability_max=0,0.1,0.3,0.5,0.7,0.9",)

  temperature: float = fields.option(
    4.0,
    "Temperature of the mimicry loss (tau of Eq. 1 and 2).",
    low=0,
    low_open=True,
  )
  alpha_max: float = fields.option(
    0.9,
    "Final weight of the mimicry loss (Eq. 4); 0 turns it off.",
    low=0,
    high=1,
  )
  alpha_steepness: float = fields.option(
    0.65,
    "The weight starts at exp(-steepness) times its final value. The steepness "
    "is minus the beta of Eq. 4 as the paper prints it.",
    low=0,
  )
  alpha_rampup_epochs: int | None = fields.option(
    None,
    "Epoch at which the weight is final (e_r of Eq. 4). If not given, it is "
    "90 % of --num_epochs.",
    unit="epochs",
    low=0,
  )
  target_variability_min: float = fields.option(
    0.0,
    "Probability that a label is randomised at the start (r_min of Eq. 5).",
    low=0,
    high=1,
  )
  target_variability_max: float | None = fields.option(
    None,
    "Probability that a label is randomised at the end (r_max of Eq. 5); 0 "
    "turns it off. It is the one parameter that the paper tunes.",
    low=0,
    high=1,
    auto=True,
    paper=0.5,
  )
  target_variability_warmup_epochs: int = fields.option(
    1,
    "Epochs with the probability of the start (e_w of Eq. 5). As log(1) = 0, "
    "the probability begins to rise two epochs after these.",
    unit="epochs",
    low=0,
  )
  target_variability_exclude_true: bool = fields.option(
    True,
    "Whether a random label always differs from the given one, as in Algorithm "
    "2; the authors' code draws from all classes.",
  )

  def __post_init__(self):
    super().__post_init__()
    if self.target_variability_max is not None:
      errors.check_range(
        "target_variability_max",
        self.target_variability_max,
        self.target_variability_min,
        1,
      )

  def of_equal_cost(self):
    """Whether labels are randomised costs something, how many does not."""
    return dataclasses.replace(
      self,
      alpha_rampup_epochs=None,
      target_variability_min=0.0,
      target_variability_max=float(self.target_variability_max > 0),
    )


@dataclasses.dataclass(frozen=True)
class Standard(MethodOptions):
  """Standard training has no options of its own."""

  TITLE = "Standard training"
  SUMMARY = "One network trained with plain cross entropy."
  ADVICE = SURE_OF_ITSELF


@dataclasses.dataclass(frozen=True)
class DML(MethodOptions):
  """Deep Mutual Learning has no options of its own."""

  TITLE = "Deep Mutual Learning"
  SUMMARY = (
    "Two networks learn together: each minimises its cross entropy plus the "
    "divergence of its predictions from the other's, both with weight 1. The "
    "prediction is that of their ensemble."
  )
  REFERENCE = "Zhang, Xiang, Hospedales, Lu, CVPR 2018"
  ADVICE = SURE_OF_ITSELF
  NUM_NETWORKS = 2


@dataclasses.dataclass(frozen=True)
class Bootstrap(MethodOptions):
  """Options of bootstrapping."""

  TITLE = "Bootstrapping"
  SUMMARY = (
    "One network learns from a mixture of its labels and of its own "
    "predictions, so that it may contradict a label it finds unlikely."
  )
  REFERENCE = "Reed et al., ICLR 2015 workshop"
  ADVICE = SURE_OF_ITSELF
  REMEDY = "Train with --method=nct, a lower --bootstrap_beta or fewer epochs"

  bootstrap_type: str = fields.option(
    "soft",
    "What is mixed into the label: soft mixes the predicted probabilities in, "
    "hard the likeliest class.",
    choices=("soft", "hard"),
  )
  bootstrap_beta: float | None = fields.option(
    None,
    "Weight of the label; the prediction has the rest. If not given, it is "
    "0.95 for soft and 0.8 for hard, as in the paper.",
    low=0,
    high=1,
  )
