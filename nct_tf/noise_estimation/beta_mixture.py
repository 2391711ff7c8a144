"""A mixture of two beta distributions of losses: right and wrong labels.

Losses are normalised to [0, 1] between two of their percentiles. The component
of the larger mean is that of wrong labels.

References:
  Arazo et al., "Unsupervised Label Noise Modeling and Loss Correction", ICML
  2019, Section 3.1.
"""

from typing import NamedTuple

import numpy as np
from scipy import special

NUM_BINS = 100
_PERCENTILES = (5, 95)
# Of the lower and of the upper bound, as in the authors' code.
_OFFSETS = np.array([1e-5, 1e-6])
# What losses outside of the bounds become, and what the fit takes.
_MIN_NORMALIZED = 1e-3
_MIN_FITTED = 1e-4
_NUM_ITERATIONS = 10
_MIN_LIKELIHOOD = 1e-12
_MIN_VARIANCE = 1e-8
# Losses that differ by less, in nats, tell nothing.
_MIN_SPREAD = 1e-4


class Mixture(NamedTuple):
  """Two beta distributions, that of the smaller mean first.

  Attributes:
    a: float array [2].
    b: float array [2].
    weights: float array [2], the share of each.
  """

  a: np.ndarray
  b: np.ndarray
  weights: np.ndarray


class LossModel(NamedTuple):
  """What losses tell of labels.

  Attributes:
    mixture: `Mixture`; None where nearly all losses are alike.
    bounds: float array [2], see `normalize`.
    lookup: float array [NUM_BINS], the probability that a label is wrong whose
      normalised loss lies in each of as many parts of [0, 1]; 0 without a
      mixture.
  """

  mixture: Mixture | None
  bounds: np.ndarray
  lookup: np.ndarray


def fit_losses(losses):
  """Fits the mixture to the losses of a whole training set.

  Those below the 5th percentile and above the 95th are left out of the fit.

  Args:
    losses: float array [num_examples].

  Returns:
    a `LossModel`.
  """
  losses = np.asarray(losses, np.float64)
  low, high = np.percentile(losses, _PERCENTILES)
  chosen = losses[(losses >= low) & (losses <= high)]
  if high - low < _MIN_SPREAD or not len(chosen):
    return LossModel(None, np.array([0.0, 1.0]), np.zeros(NUM_BINS))
  bounds = np.array([low, high]) + _OFFSETS
  mixture = fit(normalize(chosen, bounds))
  return LossModel(mixture, bounds, make_lookup(mixture))


def normalize(losses, bounds):
  """Returns losses in [0.001, 0.999]: float array [num_examples].

  Args:
    losses: float array [num_examples].
    bounds: pair of float, which become 0 and 1.
  """
  low, high = bounds
  x = (np.asarray(losses) - low) / (high - low)
  x = np.where(x >= 1, 1 - _MIN_NORMALIZED, x)
  return np.where(x <= 0, _MIN_NORMALIZED, x)


def fit(x, num_iterations=_NUM_ITERATIONS):
  """Fits a mixture by expectation maximisation with matched moments.

  Args:
    x: float array [num_examples], in [0, 1].
    num_iterations: int.

  Returns:
    a `Mixture`. The authors' code does not put the smaller mean first, should
    the components have changed places.
  """
  x = np.clip(x, _MIN_FITTED, 1 - _MIN_FITTED)
  mixture = Mixture(*np.array([[1.0, 2.0], [2.0, 1.0], [0.5, 0.5]]))
  for _ in range(num_iterations):
    shares = np.maximum(_joint(mixture, x), _MIN_LIKELIHOOD)
    shares /= shares.sum(axis=0)
    totals = shares.sum(axis=1)
    means = shares @ x / totals
    variances = np.sum(shares * (x - means[:, None]) ** 2, axis=1) / totals
    variances = np.maximum(variances, _MIN_VARIANCE)
    a = means * (means * (1 - means) / variances - 1)
    mixture = Mixture(a, a * (1 - means) / means, totals / totals.sum())
  order = np.argsort(_means(mixture), kind="stable")
  return Mixture(*(values[order] for values in mixture))


def density(x, a, b):
  """Returns the density of a beta distribution, like x in (0, 1)."""
  return np.exp(
    special.xlogy(a - 1, x) + special.xlog1py(b - 1, -x) - special.betaln(a, b)
  )


def posterior(mixture, x):
  """Returns the probability of the second component: float array like x."""
  first, second = _joint(mixture, x)
  return second / (first + second + _MIN_LIKELIHOOD)


def make_lookup(mixture):
  """Returns the posterior as a table: float array [NUM_BINS].

  It does not fall behind its peak, and not before the first component's mean,
  either: with the authors' code, a second component that is wider on both sides
  makes the smallest losses those of wrong labels.

  Args:
    mixture: `Mixture`.
  """
  x = np.linspace(_MIN_LIKELIHOOD, 1 - _MIN_LIKELIHOOD, NUM_BINS)
  table = posterior(mixture, x)
  begin = int(NUM_BINS * _means(mixture)[0])
  peak = begin + int(np.argmax(table[begin:]))
  table[peak:] = table[peak]
  table[: begin + 1] = np.minimum.accumulate(table[begin::-1])[::-1]
  return table


def _joint(mixture, x):
  """Returns weight times density of both components: [2, ...]."""
  return np.stack(
    [weight * density(x, a, b) for a, b, weight in zip(*mixture, strict=True)]
  )


def _means(mixture):
  return mixture.a / (mixture.a + mixture.b)
