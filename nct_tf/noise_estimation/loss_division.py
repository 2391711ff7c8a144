"""Right labels told from wrong ones by two clusters of losses."""

from typing import NamedTuple
import warnings

import numpy as np
from sklearn import exceptions, mixture
import threadpoolctl

# As in the authors' code of DivideMix.
_MIXTURE = {"max_iter": 10, "tol": 1e-2, "reg_covar": 5e-4}
# The least share of the examples whose labels are taken for right.
_LEAST_SHARE = 0.05


class Division(NamedTuple):
  """Training examples divided by their losses.

  Attributes:
    probability_right: float64 array [num_examples], that the label is right.
    is_labelled: bool array [num_examples], whether to learn from the label.
    remark: str, what was done where the losses have no two clusters; empty
      otherwise.
  """

  probability_right: np.ndarray
  is_labelled: np.ndarray
  remark: str = ""


def normalize(losses):
  """Returns losses moved and scaled to [0, 1]: float64 array; 0 if all equal.

  Args:
    losses: float array [num_examples].
  """
  losses = np.asarray(losses, np.float64)
  spread = np.ptp(losses)
  return (losses - losses.min()) / spread if spread else np.zeros_like(losses)


def divide(losses, num_classes, threshold=0.5, seed=0):
  """Divides examples by a mixture of two Gaussians.

  A label is right with the probability that its loss is of the Gaussian with
  the smaller mean, and is learned from if that is above a threshold. There are
  always some of those: if fewer than a twentieth of the examples, or than
  classes, are above, the likeliest ones are taken; of equal probability, those
  with the smallest losses.

  Args:
    losses: float array [num_examples], in [0, 1]; see `normalize`.
    num_classes: int.
    threshold: float in [0, 1).
    seed: int, of where the mixture begins.

  Returns:
    `Division`.

  References:
    Li et al., DivideMix, ICLR 2020, Section 3.1.
  """
  losses = np.asarray(losses, np.float64)
  if np.ptp(losses) == 0:
    ones = np.ones_like(losses)
    remark = "all losses are equal, so all labels are taken for right"
    return Division(ones, ones > 0, remark)
  is_right = _of_smaller_mean(losses, seed)
  is_labelled = is_right > threshold
  least = max(num_classes, round(_LEAST_SHARE * len(losses)))
  least = min(least, len(losses))
  if is_labelled.sum() >= least:
    return Division(is_right, is_labelled)
  remark = (
    f"{is_labelled.sum()} labels seem right, so the {least} likeliest are taken"
  )
  is_labelled = np.zeros(len(losses), bool)
  is_labelled[np.lexsort((losses, -is_right))[:least]] = True
  return Division(is_right, is_labelled, remark)


def _of_smaller_mean(losses, seed):
  """Returns the probability of the smaller mean: float64 [num_examples]."""
  model = mixture.GaussianMixture(2, random_state=seed, **_MIXTURE)
  # Several threads would add up in any order: the last digits would differ from
  # run to run. They would not be faster either.
  with threadpoolctl.threadpool_limits(limits=1), warnings.catch_warnings():
    # So few iterations seldom converge.
    warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
    model.fit(losses[:, None])
    probabilities = model.predict_proba(losses[:, None])
  return probabilities[:, model.means_[:, 0].argmin()]
