"""How many labels are wrong, and what they were mistaken for.

The model: an image's true class k has the probability softmax(z / t)_k, where z
are the logarithms of what networks predict that did not learn its label; and an
image of class k is given the label j with the probability T_kj. The temperature
t and the transition matrix T are those that make the given labels likeliest.
So unsure predictions do not count as wrong labels, and neither do mistakes that
the networks are unsure of. Mistakes that they are sure of do.
"""

import dataclasses

import numpy as np
from scipy import optimize, special

_NUM_ITERATIONS = 100
_TOLERANCE = 1e-6  # Of the mean log likelihood, in nats.
_MIN_PROBABILITY = 1e-9
_LOG_TEMPERATURES = (-4.0, 4.0)

# The transition matrix is drawn towards one in which all mistakes of all
# classes are equally frequent, by as many imagined examples of each class. How
# many it needs is found by how well the labels of other examples are predicted.
STRENGTHS = (10.0, 30.0, 100.0, 300.0, 1000.0, np.inf)


_NUM_PARTS = 5  # For that.
_NUM_RESAMPLED = 60
_PERCENTILES = (2.5, 97.5)
# What the model's form is off by, at most, in nine cases of ten of simulations;
# see docs/label_audit.md.
_FORM_ERROR = 0.02
# Larger data are fitted by a sample of so many probabilities.
_MAX_PROBABILITIES = 300_000


@dataclasses.dataclass(frozen=True)
class Estimate:
  """A figure, or an array of them, with the interval that it lies in.

  Attributes:
    value: float or float array.
    low: like it.
    high: like it.
  """

  value: float | np.ndarray
  low: float | np.ndarray
  high: float | np.ndarray


def estimate(labels, pred_probs, seed=0):
  """Estimates how many labels are wrong, and what they were mistaken for.

  Matrices that are drawn to a symmetric one by different strengths are averaged
  by how well they predict the labels of examples that they were not fitted to.
  The intervals tell three uncertainties: of the examples, which are resampled;
  of the strength, which is drawn anew for each; and of the model's form.

  Args:
    labels: integer array [num_examples].
    pred_probs: float array [num_examples, num_classes], of networks that did
      not learn the labels of these examples.
    seed: int, of the resampling.

  Returns:
    a pair of `Estimate`: of the share of wrong labels; of the transition matrix
    [num_classes, num_classes], row true class, column given label.
  """
  rng = np.random.default_rng(seed)
  num_sampled = max(1, _MAX_PROBABILITIES // pred_probs.shape[1])
  if len(labels) > num_sampled:
    sampled = rng.permutation(len(labels))[:num_sampled]
    labels, pred_probs = labels[sampled], pred_probs[sampled]
  fits = [fit(labels, pred_probs, strength) for strength in STRENGTHS]
  shares = _weigh_strengths(labels, pred_probs, fits, rng)
  resampled = []
  for _ in range(_NUM_RESAMPLED):
    number = rng.choice(len(STRENGTHS), p=shares)
    weights = rng.multinomial(
      len(labels), np.full(len(labels), 1 / len(labels))
    )
    resampled.append(
      fit(labels, pred_probs, STRENGTHS[number], weights, fits[number])
    )
  return tuple(
    _with_interval(
      sum(
        share * getattr(each, name)
        for share, each in zip(shares, fits, strict=True)
      ),
      np.array([getattr(each, name) for each in resampled]),
    )
    for name in ("noise_rate", "transition")
  )


def _with_interval(value, resampled):
  """Returns an `Estimate` from a value and values of resampled examples."""
  low, high = np.percentile(resampled, _PERCENTILES, axis=0)
  below, above = (
    np.hypot(np.maximum(distance, 0), _FORM_ERROR)
    for distance in (value - low, high - value)
  )
  return Estimate(
    value, np.maximum(value - below, 0), np.minimum(value + above, 1)
  )


def _weigh_strengths(labels, pred_probs, fits, rng):
  """Returns each strength's share in the average: float array."""
  part = rng.permutation(len(labels)) % _NUM_PARTS
  log_likelihoods = np.zeros(len(fits))
  for number in range(_NUM_PARTS):
    held_out = part == number
    for index, (strength, start) in enumerate(
      zip(STRENGTHS, fits, strict=True)
    ):
      fitted = fit(labels, pred_probs, strength, ~held_out * 1.0, start)
      likelihood = _joint(fitted, labels[held_out], pred_probs[held_out]).sum(1)
      log_likelihoods[index] += np.log(likelihood).sum()
  return special.softmax(log_likelihoods)


@dataclasses.dataclass(frozen=True)
class Fit:
  """The fitted model.

  Attributes:
    temperature: float.
    transition: float array [num_classes, num_classes], rows add up to 1.
    noise_rate: float, the share of labels that are not the true class.
    log_likelihood: float, the mean over the examples, in nats.
  """

  temperature: float
  transition: np.ndarray
  noise_rate: float
  log_likelihood: float


def _joint(fitted, labels, pred_probs):
  """Returns each true class's probability, with the given label: [N, C]."""
  classes = special.softmax(_logits(pred_probs) / fitted.temperature, axis=1)
  return classes * fitted.transition[:, labels].T


def fit(labels, pred_probs, strength, weights=None, start=None):
  """Fits the model by expectation maximisation.

  Args:
    labels: integer array [num_examples].
    pred_probs: float array [num_examples, num_classes].
    strength: float, see `STRENGTHS`.
    weights: float array [num_examples], how often each example counts; None for
      once.
    start: a `Fit` to begin with, or None.

  Returns:
    a `Fit`.
  """
  logits = _logits(pred_probs)
  num_classes = logits.shape[1]
  weights = np.ones(len(labels)) if weights is None else weights
  given = (labels == np.arange(num_classes)[:, None]) * weights  # [C, N]
  temperature, transition = 0.5, _symmetric(0.2, num_classes)
  if start is not None:
    temperature, transition = start.temperature, start.transition
  before = -np.inf
  for _ in range(_NUM_ITERATIONS):
    classes = special.softmax(logits / temperature, axis=1)
    joint = classes * transition[:, labels].T
    likelihood = joint.sum(axis=1)
    posterior = joint / likelihood[:, None]
    counts = posterior.T @ given.T  # [true, given]
    noise_rate = 1 - np.trace(counts) / weights.sum()
    log_likelihood = float(weights @ np.log(likelihood) / weights.sum())
    if log_likelihood - before < _TOLERANCE:
      break
    before = log_likelihood
    transition = _smooth(counts, noise_rate, strength)
    temperature = _best_temperature(logits, posterior, weights)
  return Fit(temperature, transition, float(noise_rate), log_likelihood)


def _logits(pred_probs):
  logits = np.log(np.maximum(np.asarray(pred_probs, float), _MIN_PROBABILITY))
  return logits - logits.max(axis=1, keepdims=True)


def _symmetric(noise_rate, num_classes):
  transition = np.full(
    (num_classes, num_classes), noise_rate / (num_classes - 1)
  )
  np.fill_diagonal(transition, 1 - noise_rate)
  return transition


def _smooth(counts, noise_rate, strength):
  """Returns a transition matrix of counts, drawn towards a symmetric one."""
  symmetric = _symmetric(noise_rate, len(counts))
  if np.isinf(strength):
    return symmetric
  smoothed = counts + strength * symmetric
  return smoothed / smoothed.sum(axis=1, keepdims=True)


def _best_temperature(logits, posterior, weights):
  """Returns the temperature at which the classes are likeliest."""
  aims = weights @ np.sum(posterior * logits, axis=1)

  def loss(log_temperature):
    scale = np.exp(-log_temperature)
    return weights @ special.logsumexp(scale * logits, axis=1) - scale * aims

  found = optimize.minimize_scalar(
    loss, bounds=_LOG_TEMPERATURES, method="bounded", options={"xatol": 1e-3}
  )
  return float(np.exp(found.x))
