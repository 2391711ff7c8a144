"""How many labels are wrong, and what they were mistaken for.

Two ways, because neither is right for all noise; docs/label_audit.md has how
well both did in simulations.

* `noise_model`: exact where all mistakes are about equally frequent, for then
  wrong labels are unlike the networks' own mistakes. Where a class is mistaken
  for one other, it takes wrong labels for images that are hard to tell apart.
* `anchors`: right for any transition matrix, but it counts images that nobody
  can tell apart as wrong labels.

The first is taken where a symmetric matrix predicts labels best, and where the
second does not find many more.
"""

import dataclasses
import typing

import numpy as np
from scipy import special

from nct_tf.noise_estimation import anchors, noise_model

# How strongly the matrix is drawn to a symmetric one, see `noise_model.fit`.
_STRENGTHS = (10.0, 30.0, 100.0, 300.0, 1000.0, np.inf)
_SYMMETRIC_FROM = 300.0
_NUM_PARTS = 5  # Of the examples; each is predicted by the others' matrices.
_MAX_DIFFERENCE = 0.1
# Above that, it is not clear whether labels or networks are wrong.
MAX_CONTRADICTED = 0.4
_MIN_EXAMPLES = 50  # Fewer do not tell one transition matrix from another.
_MIN_PER_CLASS = 20  # Fewer do not tell which mistakes are frequent.

_NUM_RESAMPLED = 40
_PERCENTILES = (2.5, 97.5)
# The model is fitted to a sample of so many probabilities of larger data, and
# not at all to more classes, of which too few examples would be left.
_MAX_PROBABILITIES = 500_000
_MAX_CLASSES = 200


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


class NoiseEstimate(typing.NamedTuple):
  """What predictions say of the noise as a whole.

  Attributes:
    noise_rate: `Estimate` of the share of wrong labels.
    transition: `Estimate` of the transition matrix [num_classes, num_classes],
      row true class, column given label; rows add up to 1.
    is_directed: bool, whether some mistakes are much more frequent than others.
  """

  noise_rate: Estimate
  transition: Estimate
  is_directed: bool


def estimate(labels, pred_probs, seed=0):
  """Estimates how many labels are wrong, and what they were mistaken for.

  The intervals hold the truth in nine of ten simulations or more. They tell
  the uncertainty of the examples, by resampling them, and that of the way. The
  cells of more than 200 classes have intervals from 0 to 1.

  Args:
    labels: integer array [num_examples].
    pred_probs: float array [num_examples, num_classes], of networks that did
      not learn the labels of these examples.
    seed: int, of the resampling.

  Returns:
    a `NoiseEstimate`.
  """
  rng = np.random.default_rng(seed)
  way = _choose(labels, pred_probs, rng)
  uniform = np.full(way.num_examples, 1 / way.num_examples)
  noise_rates, transitions = [], []
  for _ in range(_NUM_RESAMPLED):
    weights = rng.multinomial(way.num_examples, uniform)
    noise_rate, transition = way.resample(weights, rng)
    noise_rates.append(noise_rate)
    if len(transition) <= _MAX_CLASSES:
      transitions.append(transition)
  noise_rate = _with_interval(way.noise_rate, noise_rates, way.FORM_ERROR)
  return NoiseEstimate(
    dataclasses.replace(noise_rate, low=min(noise_rate.low, way.lowest)),
    _with_interval(way.transition, transitions, way.FORM_ERROR),
    way.is_directed,
  )


def count_contradicted(labels, pred_probs):
  """Counts what networks that learned these very labels contradict.

  That may be far off, so the intervals are from 0 to 1.

  Args:
    labels: integer array [num_examples].
    pred_probs: float array [num_examples, num_classes].

  Returns:
    a `NoiseEstimate`; the mistakes do not count as directed.
  """
  num_classes = pred_probs.shape[1]
  predicted = pred_probs.argmax(axis=1)
  counts = np.zeros((num_classes, num_classes))
  np.add.at(counts, (predicted, labels), 1)
  totals = counts.sum(axis=1, keepdims=True)
  transition = np.where(
    totals > 0, counts / np.maximum(totals, 1), np.eye(num_classes)
  )
  noise_rate, transition = (
    Estimate(value, 0 * value, 0 * value + 1)
    for value in (float(np.mean(predicted != labels)), transition)
  )
  return NoiseEstimate(noise_rate, transition, is_directed=False)


def _choose(labels, pred_probs, rng):
  """Returns the `_Model` or the `_Anchors` that suits the noise."""
  num_classes = pred_probs.shape[1]
  if len(labels) < _MIN_EXAMPLES or num_classes > _MAX_CLASSES:
    return _Anchors(labels, pred_probs)  # Too few to tell how mistakes are.
  has_many = len(labels) >= _MIN_PER_CLASS * num_classes
  by_anchors = _Anchors(labels, pred_probs, is_directed=has_many)
  num_sampled = _MAX_PROBABILITIES // num_classes
  if len(labels) > num_sampled:
    sampled = rng.permutation(len(labels))[:num_sampled]
    labels, pred_probs = labels[sampled], pred_probs[sampled]
  by_model = _Model(labels, pred_probs, rng)
  difference = by_anchors.noise_rate - by_model.noise_rate
  if by_model.is_symmetric and difference <= _MAX_DIFFERENCE:
    return by_model
  if np.mean(pred_probs.argmax(axis=1) != labels) > MAX_CONTRADICTED:
    # Either frequent mistakes of labels, or classes that are told apart badly.
    by_anchors.lowest = max(
      0, by_model.symmetric_noise_rate - _Model.FORM_ERROR
    )
  return by_anchors


def _with_interval(value, resampled, form_error):
  """Returns an `Estimate` from a value and values of resampled examples."""
  if not resampled:
    return Estimate(value, 0 * value, 0 * value + 1)
  low, high = np.percentile(np.array(resampled), _PERCENTILES, axis=0)
  below, above = (
    np.hypot(np.maximum(distance, 0), form_error)
    for distance in (value - low, high - value)
  )
  return Estimate(
    value, np.maximum(value - below, 0), np.minimum(value + above, 1)
  )


class _Anchors:
  """The estimates by `anchors`.

  Attributes:
    FORM_ERROR: float, what they may be off by beside chance, by simulations.
    is_directed: bool, whether some mistakes are much more frequent than others.
    lowest: float, the noise rate if the networks' mistakes explain what they
      can; the lower end of the interval is not above it.
  """

  FORM_ERROR = 0.05

  def __init__(self, labels, pred_probs, is_directed=False):
    self._labels = labels
    self.is_directed = is_directed
    self.lowest = 1.0
    self.num_examples = len(labels)
    self._num_classes = pred_probs.shape[1]
    self._predicted, self._place = anchors.order(pred_probs)
    self.noise_rate = self._find(None)
    self.transition = self._find_transition(self.noise_rate)

  def _find(self, weights):
    return anchors.disagreement_when_sure(
      self._labels != self._predicted, self._place, weights
    )

  def _find_transition(self, noise_rate, chosen=slice(None)):
    return anchors.transition_when_sure(
      self._labels[chosen],
      self._predicted[chosen],
      self._place[chosen],
      noise_rate,
      self._num_classes,
    )

  def resample(self, weights, rng):
    """Returns noise rate and transition matrix of examples drawn anew."""
    del rng
    noise_rate = self._find(weights)
    chosen = np.repeat(np.arange(len(weights)), weights)
    return noise_rate, self._find_transition(noise_rate, chosen)


class _Model:
  """The estimates by `noise_model`, averaged over matrices of all strengths.

  Attributes:
    FORM_ERROR: see `_Anchors`.
  """

  FORM_ERROR = 0.03
  is_directed = False
  lowest = 1.0

  def __init__(self, labels, pred_probs, rng):
    self._labels = labels
    self.num_examples = len(labels)
    self._pred_probs = pred_probs
    self._fits = [
      noise_model.fit(labels, pred_probs, strength) for strength in _STRENGTHS
    ]
    self._shares = self._weigh(rng)
    self.noise_rate, self.transition = (
      sum(
        share * getattr(each, name)
        for share, each in zip(self._shares, self._fits, strict=True)
      )
      for name in ("noise_rate", "transition")
    )

  @property
  def symmetric_noise_rate(self):
    """The share of wrong labels if all mistakes are equally frequent."""
    return self._fits[-1].noise_rate

  @property
  def is_symmetric(self):
    """Whether the labels are predicted best by nearly symmetric matrices."""
    strong = np.array(_STRENGTHS) >= _SYMMETRIC_FROM
    return self._shares[strong].sum() > 0.5

  def _weigh(self, rng):
    """Returns each strength's share: by how it predicts other labels."""
    part = rng.permutation(len(self._labels)) % _NUM_PARTS
    log_likelihoods = np.zeros(len(_STRENGTHS))
    for number in range(_NUM_PARTS):
      held_out = part == number
      for index, strength in enumerate(_STRENGTHS):
        fitted = noise_model.fit(
          self._labels,
          self._pred_probs,
          strength,
          1.0 * ~held_out,
          self._fits[index],
        )
        log_likelihoods[index] += noise_model.log_likelihood(
          fitted, self._labels[held_out], self._pred_probs[held_out]
        ).sum()
    return special.softmax(log_likelihoods)

  def resample(self, weights, rng):
    """Returns noise rate and transition matrix of examples drawn anew."""
    number = rng.choice(len(_STRENGTHS), p=self._shares)
    fitted = noise_model.fit(
      self._labels,
      self._pred_probs,
      _STRENGTHS[number],
      weights,
      self._fits[number],
    )
    return fitted.noise_rate, fitted.transition
