"""Options of the methods that choose which examples to learn from."""

import dataclasses

from nct_tf import errors
from nct_tf.methods import options
from nct_tf.options import fields

ESTIMATED = "estimated"
TRUE = "true"

_NOISE_RATE = "the true noise rate"
_LEFT_OUT = (
  "The probabilities are no frequencies: the networks never learned from "
  "examples that they find hard."
)


def _rampup_epochs():
  return fields.option(
    10,
    "How long the share rises from 0 (T_k).",
    unit="epochs",
    low=1,
  )


@dataclasses.dataclass(frozen=True)
class ForgetRate(options.MethodOptions):
  """Options of methods that leave the examples with the largest losses out."""

  forget_rate: str = fields.option(
    ESTIMATED,
    "Share of each batch that is left out in the end: a number in [0, 1); "
    "true, the share of wrong labels, which nobody knows of real data; or "
    "estimated, that share as scripts.audit estimates it. For an estimate, a "
    "tenth of the training examples is not learned from until the share has "
    "risen, or in the first half of the training.",
  )
  forget_warmup_epochs: int | None = fields.option(
    None,
    "How long nothing is left out before --forget_rate=estimated. "
    "If not given, it is 10 % of --num_epochs.",
    unit="epochs",
    low=1,
  )
  forget_rampup_epochs: int = _rampup_epochs()
  forget_exponent: float = fields.option(
    1.0,
    "While it rises, the share rises to forget_rate ** exponent.",
    low=0,
    low_open=True,
  )

  def __post_init__(self):
    super().__post_init__()
    if self.forget_rate not in (ESTIMATED, TRUE):
      _check_forget_rate(self.forget_rate)
    if self.forget_warmup_epochs is not None and not self.is_estimated:
      raise errors.InvalidInputError(
        "Argument `forget_warmup_epochs` belongs to forget_rate=estimated. "
        f"Received: forget_warmup_epochs={self.forget_warmup_epochs}, "
        f"forget_rate={self.forget_rate}"
      )

  def of_equal_cost(self):
    """A rate costs the same, whatever it is; an estimate costs more."""
    if self.is_estimated:
      return self
    return dataclasses.replace(self, forget_rate="0")

  @property
  def is_estimated(self):
    """Whether the forget rate is estimated in training."""
    return self.forget_rate == ESTIMATED

  @property
  def uses(self):
    """What it is told that nobody knows; see `MethodOptions`."""
    return (_NOISE_RATE,) if self.forget_rate == TRUE else ()


def _check_forget_rate(text):
  try:
    is_rate = 0 <= float(text) < 1
  except ValueError:
    is_rate = False
  if not is_rate:
    raise errors.InvalidInputError(
      "Argument `forget_rate` must be estimated, true, or a number in [0, 1). "
      f"Received: {text}"
    )


def _agreement_epochs():
  return fields.option(
    None,
    "How long examples count on which the networks agree, too. If not given, "
    "it is 10 % of --num_epochs.",
    unit="epochs",
    low=0,
  )


@dataclasses.dataclass(frozen=True)
class CoTeaching(ForgetRate):
  """Options of Co-teaching."""

  TITLE = "Co-teaching"
  SUMMARY = (
    "Two networks learn together, each from the examples of a batch whose "
    "labels the other finds easiest. The prediction is that of their ensemble."
  )
  REFERENCE = "Han et al., NeurIPS 2018"
  ADVICE = _LEFT_OUT
  REMEDY = "Train with a larger --forget_rate or fewer epochs"
  NUM_NETWORKS = 2


@dataclasses.dataclass(frozen=True)
class CoTeachingPlus(ForgetRate):
  """Options of Co-teaching+."""

  TITLE = "Co-teaching+"
  SUMMARY = (
    "As Co-teaching, but after some epochs only the examples count about which "
    "the two networks disagree. The prediction is that of their ensemble."
  )
  REFERENCE = "Yu et al., ICML 2019"
  ADVICE = _LEFT_OUT
  REMEDY = "Train with a larger --forget_rate or fewer epochs"
  NUM_NETWORKS = 2

  agreement_epochs: int | None = _agreement_epochs()


@dataclasses.dataclass(frozen=True)
class JoCoR(ForgetRate):
  """Options of JoCoR."""

  TITLE = "JoCoR"
  SUMMARY = (
    "Two networks minimise one loss of their cross entropies and of the "
    "divergences of their predictions, on the examples of a batch where it is "
    "smallest. The prediction is that of their ensemble."
  )
  REFERENCE = "Wei, Feng, Chen, An, CVPR 2020"
  ADVICE = _LEFT_OUT
  REMEDY = "Train with a larger --forget_rate or --jocor_lambda"
  NUM_NETWORKS = 2

  jocor_lambda: float = fields.option(
    0.1,
    "Weight of the divergences; the cross entropies have the rest. The authors "
    "take 0.1 for MNIST, 0.9 for CIFAR-10 (0.65 with 80 % noise) and 0.85 for "
    "CIFAR-100. A large one makes learning slow.",
    low=0,
    high=1,
  )


@dataclasses.dataclass(frozen=True)
class INCV(options.MethodOptions):
  """Options of iterative noisy cross-validation."""

  TITLE = "Iterative noisy cross-validation"
  SUMMARY = (
    "Two networks find examples whose labels each predicts without having "
    "learned them. Then two new ones learn from these by Co-teaching. The "
    "prediction is that of their ensemble."
  )
  REFERENCE = "Chen, Liao, Chen, Zhang, ICML 2019"
  ADVICE = _LEFT_OUT
  REMEDY = "Train with a smaller --incv_epochs"
  NUM_NETWORKS = 2

  incv_iterations: int = fields.option(
    4,
    "How many times examples are selected.",
    low=1,
  )
  incv_epochs: int | None = fields.option(
    None,
    "How long all iterations take together, each as long as the others. If not "
    "given, it is half of --num_epochs, as published.",
    unit="epochs",
    low=1,
  )
  incv_noise_pattern: str = fields.option(
    "unknown",
    "What is known of the wrong labels. symmetric: each other class is as "
    "likely; then the examples of largest loss are removed. asymmetric: they "
    "are mostly of one other class; then more of what was selected is left "
    "out. unknown: nothing is removed.",
    choices=("unknown", "symmetric", "asymmetric"),
  )
  incv_mix_epochs: int | None = fields.option(
    None,
    "How long Co-teaching learns from what was selected alone, before "
    "candidates are mixed in. If not given, it is 20 % of its epochs, or 40 %"
    " with asymmetric noise or if above 60 % of the labels seem wrong.",
    unit="epochs",
    low=1,
  )
  forget_rampup_epochs: int = _rampup_epochs()


@dataclasses.dataclass(frozen=True)
class Decoupling(options.MethodOptions):
  """Options of Decoupling."""

  TITLE = "Decoupling"
  SUMMARY = (
    "Two networks learn together, from the examples alone about which they "
    "disagree. The prediction is that of their ensemble."
  )
  REFERENCE = "Malach, Shalev-Shwartz, NeurIPS 2017"
  ADVICE = options.SURE_OF_ITSELF
  NUM_NETWORKS = 2

  agreement_epochs: int | None = _agreement_epochs()
  decoupling_floor: float = fields.option(
    0.1,
    "The losses are divided by the number of examples that count, or by this "
    "share of the batch if that is more.",
    low=0,
    high=1,
    low_open=True,
  )


@dataclasses.dataclass(frozen=True)
class MentorNet(options.MethodOptions):
  """Options of MentorNet's predefined curriculum."""

  TITLE = "MentorNet"
  SUMMARY = (
    "One network learns from the examples whose loss is below a moving average "
    "of a percentile of the batches' losses."
  )
  REFERENCE = "Jiang et al., ICML 2018"
  ADVICE = _LEFT_OUT
  REMEDY = "Train with a lower --loss_percentile or fewer epochs"

  mentornet_type: str = fields.option(
    "predefined",
    "predefined (the paper's MentorNet PD) lets all examples count at first, "
    "and weights those above the average at the end, too. self_paced leaves "
    "them out from the start. The learned MentorNet DD needs clean data; it "
    "is not here.",
    choices=("predefined", "self_paced"),
  )
  loss_percentile: float = fields.option(
    75.0,
    "Which percentile of a batch's losses. The authors take 75 for noise rates "
    "of 0.2 and 0.4, and 50 for 0.8.",
    low=0,
    high=100,
  )
  mentornet_gamma: float = fields.option(
    1.0,
    "In the last tenth of a predefined training, an example above the average "
    "counts less by its distance over this, down to nothing.",
    unit="nats",
    low=0,
    low_open=True,
  )
  example_dropout: float = fields.option(
    0.05,
    "Share of each batch that is left out at random.",
    low=0,
    high=1,
    high_open=True,
  )
  example_dropout_start: float = fields.option(
    0.5,
    "The same, in the first 17 % of the training.",
    low=0,
    high=1,
    high_open=True,
  )
