"""The options of the methods that correct labels; see `options`."""

import dataclasses

from nct_tf import errors
from nct_tf.methods import options
from nct_tf.methods.selection_options import ESTIMATED
from nct_tf.options import fields


@dataclasses.dataclass(frozen=True)
class Pencil(options.MethodOptions):
  """Options of PENCIL."""

  TITLE = "PENCIL"
  SUMMARY = (
    "One network learns from soft labels, which begin as the given ones and "
    "are learned as its weights are, by gradient descent."
  )
  REFERENCE = "Yi, Wu, CVPR 2019"
  ADVICE = options.NEVER_SURE
  REMEDY = "Train with a larger --pencil_label_rate or --learning_rate"

  pencil_alpha: float = fields.option(
    0.4,
    "Weight of the labels' cross entropy with the given ones, which holds them "
    "back.",
    low=0,
  )
  pencil_beta: float = fields.option(
    0.1,
    "Weight of the predictions' entropy, divided by the number of classes.",
    low=0,
  )
  pencil_label_rate: float = fields.option(
    600.0,
    "Learning rate of the labels (lambda), whose gradient is that of a mean "
    "over batch and classes: with 128 images and 10 classes, a label moves by "
    "0.47 times its distance from the prediction.",
    low=0,
  )
  pencil_label_scale: float = fields.option(
    10.0,
    "Logit of the given class at first (K); that of the others is 0.",
    low=0,
    low_open=True,
  )
  pencil_begin_epochs: int | None = fields.option(
    None,
    "How long the network learns from the given labels. If not given, it is "
    "7/32 of --num_epochs, as published.",
    unit="epochs",
    low=1,
  )
  pencil_correction_epochs: int | None = fields.option(
    None,
    "How long the labels are learned after that; then they stay. If not given, "
    "it is 13/32 of --num_epochs, as published.",
    unit="epochs",
    low=1,
  )
  pencil_learning_rate: float | None = fields.option(
    None,
    "Constant learning rate until the labels stay. If not given, it is that of "
    "the run's schedule.",
    low=0,
    low_open=True,
  )
  pencil_final_learning_rate: float | None = fields.option(
    None,
    "Learning rate of the epochs in which the labels stay, multiplied by 0.1 "
    "after a third and after two thirds of them. If not given, it is that of "
    "the run's schedule, which begins anew there if there is a "
    "pencil_learning_rate.",
    low=0,
    low_open=True,
  )


@dataclasses.dataclass(frozen=True)
class JointOptim(options.MethodOptions):
  """Options of joint optimisation."""

  TITLE = "Joint optimisation"
  SUMMARY = (
    "One network learns at a high learning rate, while the labels become the "
    "mean of its predictions of ten epochs. Then it starts again, and learns "
    "from these."
  )
  REFERENCE = "Tanaka et al., CVPR 2018"
  ADVICE = options.NEVER_SURE
  REMEDY = "Train with a larger --joint_learning_rate or --learning_rate"

  joint_alpha: float = fields.option(
    1.2,
    "Weight of the divergence of the batch's mean prediction from classes that "
    "are equally frequent.",
    low=0,
  )
  joint_beta: float = fields.option(
    0.8,
    "Weight of the predictions' entropy.",
    low=0,
  )
  joint_first_epochs: int | None = fields.option(
    None,
    "How long labels are corrected before the network starts again. If not "
    "given, it is 5/8 of --num_epochs, as published.",
    unit="epochs",
    low=1,
  )
  joint_replace_epochs: int | None = fields.option(
    None,
    "After how many epochs the labels are first replaced. If not given, it is "
    "35 % of the epochs before the start again, as published.",
    unit="epochs",
    low=1,
  )
  joint_learning_rate: float | None = fields.option(
    None,
    "Constant learning rate until the network starts again. If not given, it "
    "is that of the run's schedule, which begins anew there in any case.",
    low=0,
    low_open=True,
  )


@dataclasses.dataclass(frozen=True)
class MCorrection(options.MethodOptions):
  """Options of M-correction."""

  TITLE = "M-correction"
  SUMMARY = (
    "One network learns from mixed images. Labels are bootstrapped with its "
    "own predictions, the more, the likelier its loss says they are wrong."
  )
  REFERENCE = "Arazo, Ortego, Albert, O'Connor, McGuinness, ICML 2019"
  ADVICE = options.NEVER_SURE
  REMEDY = "Train with a shorter --mixup_epochs or fewer epochs"

  m_correction_type: str = fields.option(
    "hard",
    "hard (the authors' M-DYR-H) corrects a label towards the likeliest class. "
    "soft (MD-DYR-SH) corrects it towards softened predictions that become "
    "sharp, and mixes images by how right their labels seem; it is for many "
    "wrong labels, or many classes.",
    choices=("hard", "soft"),
  )
  mixup_alpha: float = fields.option(
    32.0,
    "The share of an image is drawn from Beta(alpha, alpha). With a large one, "
    "such as 32, nearly all are halves.",
    low=0,
    low_open=True,
  )
  mixup_epochs: int | None = fields.option(
    None,
    "How long plain mixup comes first. If not given, 35 % of --num_epochs, as "
    "the authors' 105 of 300.",
    unit="epochs",
    low=1,
  )
  dynamic_mixup_epochs: int | None = fields.option(
    None,
    "Of soft: how long after that images alone are mixed by how right their "
    "labels seem. If not given, a sixtieth of --num_epochs.",
    unit="epochs",
    low=1,
  )
  sharpening_epochs: int | None = fields.option(
    None,
    "Of soft: how long the temperature of predictions then falls from 1 to "
    "0.001. If not given, up to two thirds of --num_epochs.",
    unit="epochs",
    low=1,
  )

  def __post_init__(self):
    super().__post_init__()
    if self.is_soft:
      return
    for name in ("dynamic_mixup_epochs", "sharpening_epochs"):
      if getattr(self, name) is not None:
        raise errors.InvalidInputError(
          f"Argument `{name}` belongs to m_correction_type=soft. Received: "
          f"{name}={getattr(self, name)}, m_correction_type=hard"
        )

  @property
  def is_soft(self):
    """Whether labels are corrected towards soft predictions."""
    return self.m_correction_type == "soft"

  def of_equal_cost(self):
    """When each stage begins costs something, a share does not."""
    return dataclasses.replace(self, mixup_alpha=1.0, sharpening_epochs=None)


@dataclasses.dataclass(frozen=True)
class D2L(options.MethodOptions):
  """Options of D2L."""

  TITLE = "D2L"
  SUMMARY = (
    "One network learns with cross entropy until the dimension of its features "
    "rises. From then on, labels are mixed with its own predictions."
  )
  REFERENCE = "Ma et al., ICML 2018"
  ADVICE = options.SURE_OF_ITSELF
  REMEDY = "Train with a shorter --d2l_init_epochs or fewer epochs"

  d2l_init_epochs: int | None = fields.option(
    None,
    "After how many epochs, and five more, labels may begin to be mixed. If "
    "not given, a third of --num_epochs, as the authors' 40 of 120.",
    unit="epochs",
    low=0,
  )


@dataclasses.dataclass(frozen=True)
class DivideMix(options.MethodOptions):
  """Options of DivideMix."""

  TITLE = "DivideMix"
  SUMMARY = (
    "Two networks tell each other which labels look right; of the other "
    "examples they guess the labels together, and they learn from mixed "
    "images. The prediction is that of their ensemble."
  )
  REFERENCE = "Li, Socher, Hoi, ICLR 2020"
  ADVICE = options.NEVER_SURE
  REMEDY = "Train with a shorter --dividemix_warmup_epochs or fewer epochs"
  NUM_NETWORKS = 2
  NUM_VIEWS = 2

  dividemix_warmup_epochs: int | None = fields.option(
    None,
    "How long all labels are learned from before. If not given, it is 10 % of "
    "--num_epochs.",
    unit="epochs",
    low=1,
  )
  confidence_penalty: float = fields.option(
    0.0,
    "Weight of the penalty on sure predictions in the warm-up. The authors "
    "take 1 with asymmetric noise.",
    low=0,
  )
  clean_threshold: float = fields.option(
    0.5,
    "A label is learned from if the probability that it is right is above.",
    low=0,
    high=1,
    high_open=True,
  )
  loss_history_epochs: int = fields.option(
    1,
    "Of how many epochs the losses are averaged that tell right labels from "
    "wrong ones. The authors take 5 with 90 % of wrong labels.",
    unit="epochs",
    low=1,
  )
  sharpening_temperature: float = fields.option(
    0.5,
    "Temperature of the guessed labels (T); below 1 they get sharper.",
    low=0,
    low_open=True,
  )
  mixup_alpha: float = fields.option(
    4.0,
    "The share of an image is drawn from Beta(alpha, alpha).",
    low=0,
    low_open=True,
  )
  lambda_u: str = fields.option(
    ESTIMATED,
    "Weight of the guessed labels: a number, or estimated, from the share of "
    "labels that look wrong: 0 up to 40 %, 25 from 50 % on, and in proportion "
    "between. The authors choose 0 to 150 by the true share.",
  )
  lambda_u_rampup_epochs: int | None = fields.option(
    None,
    "How long that weight rises from 0. If not given, it is 5 % of "
    "--num_epochs.",
    unit="epochs",
    low=1,
  )

  def __post_init__(self):
    super().__post_init__()
    if self.lambda_u != ESTIMATED:
      _check_lambda_u(self.lambda_u)

  def of_equal_cost(self):
    """Only how long the warm-up is, and what is kept, costs something."""
    return dataclasses.replace(
      self,
      confidence_penalty=0.0,
      clean_threshold=0.5,
      sharpening_temperature=0.5,
      mixup_alpha=4.0,
      lambda_u=ESTIMATED,
      lambda_u_rampup_epochs=None,
    )


def _check_lambda_u(text):
  try:
    is_weight = 0 <= float(text) < float("inf")
  except ValueError:
    is_weight = False
  if not is_weight:
    raise errors.InvalidInputError(
      "Argument `lambda_u` must be estimated, or a number that is at least 0. "
      f"Received: {text}"
    )
