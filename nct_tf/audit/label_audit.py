"""Which labels are most likely wrong, and how many are, from predictions.

Predictions of any model, on images or on anything else, will do.
"""

import dataclasses

import numpy as np
from sklearn import metrics as sklearn_metrics

from nct_tf import errors
from nct_tf.noise_estimation import noise_estimate, noise_model

# The threshold that flags nothing: a score may be 1, and is float32.
ABOVE_ALL = float(np.nextafter(np.float32(1), np.float32(2)))

_SUM_TOLERANCE = 1e-3
_CHUNK_BYTES = 2**25

# The matrix that ranks has this share of one in which all mistakes are equally
# frequent, and so large a noise rate at least: no mistake is impossible.
_SMOOTHING = 0.2
_MIN_NOISE_RATE = 0.05


@dataclasses.dataclass(frozen=True)
class LabelAudit:
  """What the predictions say of the labels.

  Attributes:
    labels: int64 array [num_examples], the given labels.
    pred_probs: float32 array [num_examples, num_classes].
    suggested: int64 array [num_examples], the likeliest class other than the
      given one, see `audit`.
    score: float32 array [num_examples] in [0, 1]: the higher, the more
      suspicious.
    rank: int64 array [num_examples], 1 for the most suspicious.
    threshold: float, the score from which on a label is flagged, equal ones
      included; `ABOVE_ALL` if no label is estimated to be wrong.
    noise_rate: `noise_estimate.Estimate` of the share of wrong labels.
    transition: `noise_estimate.Estimate` of [num_classes, num_classes]: row
      true class, column given label; rows add up to 1.
  """

  labels: np.ndarray
  pred_probs: np.ndarray
  suggested: np.ndarray
  score: np.ndarray
  rank: np.ndarray
  threshold: float
  noise_rate: noise_estimate.Estimate
  transition: noise_estimate.Estimate

  @property
  def flagged(self):
    """Bool array [num_examples], whether a label is probably wrong."""
    return self.score >= self.threshold

  @property
  def given_probability(self):
    """Float32 array [num_examples]."""
    return _take(self.pred_probs, self.labels)

  @property
  def suggested_probability(self):
    """Float32 array [num_examples]."""
    return _take(self.pred_probs, self.suggested)

  @property
  def margin(self):
    """By how much the suggested label is the likelier: float32 array."""
    return self.suggested_probability - self.given_probability


def audit(labels, pred_probs, score=None, seed=0, is_held_out=True):
  """Ranks examples by how likely their label is wrong, and counts the wrong.

  As many are flagged as there are estimated to be wrong.

  Args:
    labels: integer array [num_examples], the given labels, in
      [0, num_classes).
    pred_probs: float array [num_examples, num_classes], of a model that was
      not trained on these labels, or has not memorised them: rows add up to 1.
    score: float array [num_examples], the means of `label_scores.LabelScores`
      over the epochs of a training, which rank better than what is predicted
      after the last, see `weigh`. Where it is NaN, and if it is None, the score
      is `scores_of` the predictions.
    seed: int, of the intervals.
    is_held_out: see `find_noise`.

  Returns:
    a `LabelAudit`.

  Raises:
    InvalidInputError: if the arrays do not fit together.
  """
  labels = np.asarray(labels)
  pred_probs = np.asarray(pred_probs, np.float32)
  _check(labels, pred_probs)
  noise = find_noise(labels, pred_probs, is_held_out, seed)
  by_predictions = scores_of(labels, pred_probs, noise)
  if score is None:
    return rank(labels, pred_probs, by_predictions, noise)
  score = np.asarray(score, np.float32)
  if score.shape != labels.shape or np.any((score < 0) | (score > 1)):
    raise errors.InvalidInputError(
      f"Argument `score` must be {len(labels)} numbers in [0, 1], or NaN. "
      f"Received: {list(score.shape)}, from {score.min()} to {score.max()}"
    )
  weighed = weigh(score, labels, pred_probs, noise)
  return rank(
    labels,
    pred_probs,
    np.where(np.isnan(score), by_predictions, weighed),
    noise,
  )


def find_noise(labels, pred_probs, is_held_out=True, seed=0):
  """Returns a `noise_estimate.NoiseEstimate` of some examples.

  Args:
    labels: integer array [num_examples].
    pred_probs: float array [num_examples, num_classes].
    is_held_out: bool, or bool array [num_examples], whether predictions are of
      a model that was not trained on the label: these alone tell how many
      labels are wrong. Where there are none, the labels that the predictions
      contradict are counted, which may be far off.
    seed: int, of the intervals.
  """
  told_by = np.broadcast_to(is_held_out, labels.shape)
  if not told_by.any():
    return noise_estimate.count_contradicted(labels, pred_probs)
  if told_by.all():  # To choose them would copy all.
    return noise_estimate.estimate(labels, pred_probs, seed)
  return noise_estimate.estimate(labels[told_by], pred_probs[told_by], seed)


def scores_of(labels, pred_probs, noise=None):
  """Returns `p(other) / (p(given) + p(other))`, float32 [num_examples].

  If the noise is directed, p(k) gets the factor T[k, given], as Bayes' rule
  says: how often images of class k have the given label.

  Args:
    labels: integer array [num_examples].
    pred_probs: float array [num_examples, num_classes].
    noise: a `noise_estimate.NoiseEstimate`; None for one that is not directed.
  """
  matrix = _ranking_matrix(noise)
  given = _take(pred_probs, labels)
  if matrix is not None:
    given = given * matrix[labels, labels]
  _, other = _likeliest_other(labels, pred_probs, matrix)
  sums = given + other
  # Where neither is likely at all, neither is preferred.
  halves = np.full(len(labels), 0.5, np.float32)
  return np.divide(other, sums, out=halves, where=sums > 0, casting="same_kind")


def weigh(score, labels, pred_probs, noise):
  """Returns scores of a training as they are once the noise is known.

  A score is the probability that a label is wrong. If the noise is directed,
  its odds get the factor T[k, given] / T[given, given], where k is the class
  that is suggested.

  Args:
    score: float array [num_examples] in [0, 1], or NaN.
    labels: integer array [num_examples].
    pred_probs: float array [num_examples, num_classes].
    noise: a `noise_estimate.NoiseEstimate`.

  Returns:
    float32 array [num_examples].
  """
  matrix = _ranking_matrix(noise)
  if matrix is None:
    return score
  suggested, _ = _likeliest_other(labels, pred_probs, matrix)
  odds = score * matrix[suggested, labels] / matrix[labels, labels]
  return (odds / (odds + 1 - score)).astype(np.float32)


def rank(labels, pred_probs, score, noise):
  """Returns the `LabelAudit` of given scores.

  Args:
    labels: integer array [num_examples].
    pred_probs: float32 array [num_examples, num_classes].
    score: float32 array [num_examples] in [0, 1].
    noise: a `noise_estimate.NoiseEstimate`.
  """
  suggested, _ = _likeliest_other(labels, pred_probs, _ranking_matrix(noise))
  order = np.argsort(-score, kind="stable")
  place = np.empty(len(labels), np.int64)
  place[order] = np.arange(1, len(labels) + 1)
  num_flagged = round(noise.noise_rate.value * len(labels))
  threshold = score[order[num_flagged - 1]] if num_flagged else ABOVE_ALL
  return LabelAudit(
    labels=labels.astype(np.int64),
    pred_probs=pred_probs,
    suggested=suggested,
    score=score,
    rank=place,
    threshold=float(threshold),
    noise_rate=noise.noise_rate,
    transition=noise.transition,
  )


def _ranking_matrix(noise):
  """Returns the transition matrix that ranks, float64 [classes, classes].

  None where the noise is not directed: it would change no order.
  """
  if noise is None or not noise.is_directed:
    return None
  transition = noise.transition.value
  noise_rate = max(noise.noise_rate.value, _MIN_NOISE_RATE)
  equal = noise_model.symmetric(noise_rate, len(transition))
  return (1 - _SMOOTHING) * transition + _SMOOTHING * equal


def _likeliest_other(labels, pred_probs, transition=None):
  """Returns the likeliest classes but the given ones, and what they amount to.

  Args:
    labels: integer array [num_examples].
    pred_probs: float array [num_examples, num_classes].
    transition: float array [num_classes, num_classes]: row true class, column
      given label; None leaves it out.

  Returns:
    a pair: int array [num_examples], the classes; array [num_examples], their
    probabilities, times those of the given labels if they are the true ones.
  """
  num_classes = pred_probs.shape[1]
  size = max(1, _CHUNK_BYTES // (8 * num_classes))
  classes = np.empty(len(labels), np.int64)
  largest = np.empty(len(labels), pred_probs.dtype)
  for begin in range(0, len(labels), size):
    part = slice(begin, begin + size)
    others = pred_probs[part].copy()
    if transition is not None:
      others *= transition[:, labels[part]].T
    np.put_along_axis(others, labels[part, None], -1, axis=1)
    classes[part] = others.argmax(axis=1)
    largest[part] = others.max(axis=1)
  return classes, largest


def _check(labels, pred_probs):
  if pred_probs.ndim != 2 or labels.shape != pred_probs.shape[:1]:
    raise errors.InvalidInputError(
      "Arguments `labels` and `pred_probs` must have shapes [examples] and "
      f"[examples, classes]. Received: {list(labels.shape)} and "
      f"{list(pred_probs.shape)}"
    )
  num_classes = pred_probs.shape[1]
  if labels.dtype.kind not in "iu" or not len(labels):
    raise errors.InvalidInputError(
      "Argument `labels` must be integers, at least one. Received: "
      f"{labels.dtype} {list(labels.shape)}"
    )
  if not 0 <= labels.min() <= labels.max() < num_classes:
    raise errors.InvalidInputError(
      f"Argument `labels` must be in [0, {num_classes}). Received labels from "
      f"{labels.min()} to {labels.max()}"
    )
  sums = pred_probs.sum(axis=1)
  if pred_probs.min() < 0 or not np.allclose(sums, 1, atol=_SUM_TOLERANCE):
    raise errors.InvalidInputError(
      "Argument `pred_probs` must hold probabilities that add up to 1 in each "
      f"row. Received: values from {pred_probs.min():.4f}, rows that add up to "
      f"{sums.min():.4f} to {sums.max():.4f}"
    )


def _take(values, index):
  return np.take_along_axis(values, index[:, None], axis=1)[:, 0]


def compare_with_truth(result, true_labels):
  """Measures an audit where the truth is known.

  Args:
    result: a `LabelAudit`.
    true_labels: integer array [num_examples].

  Returns:
    dict ready for JSON, fractions: `average_precision` of the ranking;
    `precision_at_wrong`, among as many of its first as there are wrong labels;
    `flagged_precision`, `flagged_recall`; `suggestion_accuracy`, how often the
    suggestion is right where the label is wrong; `noise_rate`, the true one,
    `noise_rate_error` and `transition_error`, the mean absolute one of the
    matrix' cells. None where no label is wrong.
  """
  wrong = result.labels != true_labels
  if not wrong.any():
    return None
  num_classes = result.pred_probs.shape[1]
  joint = np.zeros((num_classes, num_classes))
  np.add.at(joint, (true_labels, result.labels), 1)
  totals = joint.sum(axis=1, keepdims=True)
  transition = joint / np.maximum(totals, 1)
  present = totals[:, 0] > 0
  num_hits = int(np.sum(wrong & result.flagged))
  right = result.suggested[wrong] == true_labels[wrong]
  return {
    "average_precision": float(
      sklearn_metrics.average_precision_score(wrong, result.score)
    ),
    "precision_at_wrong": float(np.mean(wrong[result.rank <= wrong.sum()])),
    "flagged_precision": num_hits / max(1, int(result.flagged.sum())),
    "flagged_recall": num_hits / int(wrong.sum()),
    "suggestion_accuracy": float(np.mean(right)),
    "noise_rate": float(np.mean(wrong)),
    "noise_rate_error": float(result.noise_rate.value - np.mean(wrong)),
    "transition_error": float(
      np.abs(result.transition.value - transition)[present].mean()
    ),
  }
