"""A model of wrong labels: calibrated predictions, and a transition matrix.

An image's true class k has the probability softmax(z / t)_k, where z
are the logarithms of what networks predict that did not learn its label; and an
image of class k is given the label j with the probability T_kj. The temperature
t and the transition matrix T are those that make the given labels likeliest.
So unsure predictions do not count as wrong labels, and neither do mistakes that
the networks are unsure of. Mistakes that they are sure of do.
"""

import dataclasses

import numpy as np

_NUM_ITERATIONS = 100
_TOLERANCE = 1e-6  # Of the mean log likelihood, in nats.
_MIN_PROBABILITY = 1e-9
_SCALES = (0.02, 50.0)  # One divided by the temperature.


@dataclasses.dataclass(frozen=True)
class Fit:
  """The fitted model.

  Attributes:
    temperature: float.
    transition: float array [num_classes, num_classes], rows add up to 1.
    noise_rate: float, the share of labels that are not the true class.
  """

  temperature: float
  transition: np.ndarray
  noise_rate: float


def fit(labels, pred_probs, strength, weights=None, start=None):
  """Fits the model by expectation maximisation.

  Args:
    labels: integer array [num_examples].
    pred_probs: float array [num_examples, num_classes].
    strength: float, how many imagined examples of each class draw the
      transition matrix towards one in which all mistakes are equally frequent;
      infinity for that one itself.
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
  scale, transition = 2.0, symmetric(0.2, num_classes)
  if start is not None:
    scale, transition = 1 / start.temperature, start.transition
  before = -np.inf
  for _ in range(_NUM_ITERATIONS):
    classes = _softmax(scale * logits)
    joint = classes * transition[:, labels].T
    likelihood = joint.sum(axis=1)
    posterior = joint / likelihood[:, None]
    counts = posterior.T @ given.T  # [true, given]
    noise_rate = 1 - np.trace(counts) / weights.sum()
    mean = float(weights @ np.log(likelihood) / weights.sum())
    if mean - before < _TOLERANCE:
      break
    before = mean
    transition = _smooth(counts, noise_rate, strength)
    scale = _sharpen(scale, classes, posterior, logits, weights)
  return Fit(1 / scale, transition, float(noise_rate))


def log_likelihood(fitted, labels, pred_probs):
  """Returns the logarithms of the labels' probabilities: [num_examples].

  Args:
    fitted: a `Fit`.
    labels: integer array [num_examples].
    pred_probs: float array [num_examples, num_classes].
  """
  classes = _softmax(_logits(pred_probs) / fitted.temperature)
  return np.log((classes * fitted.transition[:, labels].T).sum(axis=1))


def _logits(pred_probs):
  logits = np.log(np.maximum(np.asarray(pred_probs, float), _MIN_PROBABILITY))
  return logits - logits.max(axis=1, keepdims=True)


def _softmax(logits):
  """As SciPy's, of logits whose largest is 0, in half of its time."""
  exponentials = np.exp(logits)
  return exponentials / exponentials.sum(axis=1, keepdims=True)


def symmetric(noise_rate, num_classes):
  """Returns the matrix in which all mistakes are equally frequent.

  Args:
    noise_rate: float, the share of wrong labels of each class.
    num_classes: int.

  Returns:
    float64 array [num_classes, num_classes], rows add up to 1.
  """
  transition = np.full(
    (num_classes, num_classes), noise_rate / (num_classes - 1)
  )
  np.fill_diagonal(transition, 1 - noise_rate)
  return transition


def _smooth(counts, noise_rate, strength):
  """Returns a transition matrix of counts, drawn towards a symmetric one."""
  equal = symmetric(noise_rate, len(counts))
  if np.isinf(strength):
    return equal
  smoothed = counts + strength * equal
  return smoothed / smoothed.sum(axis=1, keepdims=True)


def _sharpen(scale, classes, posterior, logits, weights):
  """Returns a better scale of the logits: a step of Newton's method."""
  mean = np.sum(classes * logits, axis=1)
  variance = np.sum(classes * logits**2, axis=1) - mean**2
  aim = np.sum(posterior * logits, axis=1)
  step = weights @ (aim - mean) / max(weights @ variance, _MIN_PROBABILITY)
  return float(np.clip(scale + step, scale / 2, 2 * scale).clip(*_SCALES))
