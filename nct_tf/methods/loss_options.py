"""Options of the methods of one network that change its loss or its images."""

import dataclasses

from nct_tf import errors
from nct_tf.methods import options
from nct_tf.methods.selection_options import ESTIMATED, TRUE
from nct_tf.options import fields

_ROBUST = (
  "The probabilities are no frequencies: the loss leaves those of examples low "
  "that look wrong."
)


def _absolute_matrix(source):
  return source if source in (ESTIMATED, TRUE) else fields.absolute_path(source)


@dataclasses.dataclass(frozen=True)
class Mixup(options.MethodOptions):
  """Options of mixup."""

  TITLE = "Mixup"
  SUMMARY = (
    "One network learns from images that are mixed from two, with both labels."
  )
  REFERENCE = "Zhang, Cisse, Dauphin, Lopez-Paz, ICLR 2018"
  ADVICE = options.NEVER_SURE
  REMEDY = "Train with a larger --mixup_alpha or fewer epochs"

  mixup_alpha: float = fields.option(
    1.0,
    "The share of an image is drawn from Beta(alpha, alpha). With a large one, "
    "such as 32, nearly all are halves, which suits noisy labels. If not "
    "given, it is 1; for m_correction it is 32.",
    low=0,
    low_open=True,
  )


@dataclasses.dataclass(frozen=True)
class GCE(options.MethodOptions):
  """Options of generalised cross entropy."""

  TITLE = "Generalised cross entropy"
  SUMMARY = (
    "One network minimises a loss between cross entropy and absolute error, "
    "which unlikely labels influence less."
  )
  REFERENCE = "Zhang, Sabuncu, NeurIPS 2018"
  ADVICE = _ROBUST
  REMEDY = "Train with a larger --gce_q or fewer epochs"

  gce_q: float = fields.option(
    0.7,
    "0 would be cross entropy, 1 is the absolute error.",
    low=0,
    high=1,
    low_open=True,
  )
  gce_truncation: float | None = fields.option(
    None,
    "Examples whose label has less than this probability (k) are left out from "
    "--gce_prune_epochs on; the authors take 0.5. If not given, none is.",
    low=0,
    high=1,
    low_open=True,
    high_open=True,
  )
  gce_prune_epochs: int | None = fields.option(
    None,
    "After how many epochs examples are first left out. If not given, a third "
    "of --num_epochs.",
    unit="epochs",
    low=1,
  )
  gce_prune_every_epochs: int = fields.option(
    10,
    "After how many epochs more it is decided anew which.",
    unit="epochs",
    low=1,
  )

  def __post_init__(self):
    super().__post_init__()
    if self.gce_truncation is None and self.gce_prune_epochs is not None:
      raise errors.InvalidInputError(
        "Argument `gce_prune_epochs` belongs to a gce_truncation. Received: "
        f"gce_prune_epochs={self.gce_prune_epochs}, no gce_truncation"
      )


@dataclasses.dataclass(frozen=True)
class SCE(options.MethodOptions):
  """Options of symmetric cross entropy."""

  TITLE = "Symmetric cross entropy"
  SUMMARY = (
    "One network minimises the cross entropy and the reverse cross entropy, in "
    "which label and prediction change places."
  )
  REFERENCE = "Wang et al., ICCV 2019"
  ADVICE = _ROBUST
  REMEDY = "Train with a lower --sce_alpha or fewer epochs"

  sce_alpha: float = fields.option(
    0.1,
    "Weight of the cross entropy. The authors' values of alpha and beta: 0.01 "
    "and 1 for MNIST, 0.1 and 1 for CIFAR-10, 6 and 0.1 for CIFAR-100.",
    low=0,
  )
  sce_beta: float = fields.option(
    1.0,
    "Weight of the reverse cross entropy.",
    low=0,
  )


@dataclasses.dataclass(frozen=True)
class NCERCE(options.MethodOptions):
  """Options of the active passive loss NCE+RCE."""

  TITLE = "Active passive loss (NCE+RCE)"
  SUMMARY = (
    "One network minimises the normalised cross entropy, which is robust, and "
    "the reverse cross entropy, which learns what that misses."
  )
  REFERENCE = "Ma et al., ICML 2020"
  ADVICE = _ROBUST
  REMEDY = "Train with fewer epochs"

  nce_rce_alpha: float = fields.option(
    1.0,
    "Weight of the normalised cross entropy. The authors' values of alpha and "
    "beta: 1 and 10 for MNIST, 1 and 1 for CIFAR-10, 10 and 0.1 for CIFAR-100.",
    low=0,
  )
  nce_rce_beta: float = fields.option(
    1.0,
    "Weight of the reverse cross entropy.",
    low=0,
  )


@dataclasses.dataclass(frozen=True)
class ForwardCorrection(options.MethodOptions):
  """Options of forward loss correction."""

  TITLE = "Forward correction"
  SUMMARY = (
    "One network is trained so that its predictions, after a transition matrix "
    "has made them wrong as labels are, agree with the labels. The prediction "
    "is that before the matrix."
  )
  REFERENCE = "Patrini et al., CVPR 2017"
  ADVICE = (
    "The probabilities are those of right labels, as far as the transition "
    "matrix is right."
  )
  REMEDY = "Train with fewer epochs"

  transition_matrix: str = fields.option(
    ESTIMATED,
    "The transition matrix (row true class, column given label): estimated, "
    "from a plain training of --transition_epochs on nine tenths of the "
    "examples, after which the network starts again; true, from the true "
    "labels, which nobody knows of real data; or a file of C rows of C numbers "
    "(.npy or CSV).",
    absolute=_absolute_matrix,
  )
  transition_epochs: int | None = fields.option(
    None,
    "How many of --num_epochs the plain training takes. If not given, half.",
    unit="epochs",
    low=1,
  )
  transition_filter: bool = fields.option(
    True,
    "Whether the matrix is estimated at the 97th percentile of each class's "
    "probability, and not where it is largest, as outliers may be there. "
    "The authors do without for CIFAR-100.",
  )
  transition_blend: float = fields.option(
    0.0,
    "Share of the identity that is mixed into the estimated matrix.",
    low=0,
    high=1,
  )

  def __post_init__(self):
    super().__post_init__()
    if not self.is_estimated and self.transition_epochs is not None:
      raise errors.InvalidInputError(
        "Argument `transition_epochs` belongs to transition_matrix=estimated. "
        f"Received: transition_epochs={self.transition_epochs}, "
        f"transition_matrix={self.transition_matrix}"
      )

  @property
  def is_estimated(self):
    """Whether the matrix is estimated in training."""
    return self.transition_matrix == ESTIMATED

  @property
  def uses(self):
    """What it is told that nobody knows; see `MethodOptions`."""
    is_true = self.transition_matrix == TRUE
    return ("the true transition matrix",) if is_true else ()


@dataclasses.dataclass(frozen=True)
class ELR(options.MethodOptions):
  """Options of early-learning regularisation."""

  TITLE = "Early-learning regularisation"
  SUMMARY = (
    "One network is held to a moving average of its own earlier predictions, "
    "from before it memorised wrong labels."
  )
  REFERENCE = "Liu et al., NeurIPS 2020"
  ADVICE = options.SURE_OF_ITSELF
  REMEDY = "Train with a larger --elr_lambda or fewer epochs"

  elr_lambda: float = fields.option(
    3.0,
    "Weight of the regulariser. The authors have these beta and lambda: 0.7, "
    "3 for CIFAR-10 with symmetric noise, 0.9 and 1 with asymmetric, 0.9 and 7 "
    "for CIFAR-100.",
    low=0,
  )
  elr_beta: float = fields.option(
    0.7,
    "Momentum of the average.",
    low=0,
    high=1,
    high_open=True,
  )
