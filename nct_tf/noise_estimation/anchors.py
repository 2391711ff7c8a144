"""How often labels disagree with what networks are surest of.

Of each predicted class, the examples are ordered by how sure the networks are.
The surer they are, the fewer of their mistakes count as wrong labels. What is
left at the sure end are wrong labels, and images that nobody can be sure of.
(Anchor points: Patrini et al., "Making Deep Neural Networks Robust to Label
Noise", 2017. There one example a class is taken; here a curve through all.)
"""

import numpy as np

# The share of labels that disagree is a + b u^g, where u in (0, 1) is the place
# in the order, from sure to unsure; these are the g.
_EXPONENTS = (1, 1.5, 2, 3, 4, 6, 9)
_SURE = 0.3
_MIN_SHARE = 1e-3


def order(pred_probs):
  """Returns predicted classes, and each example's place among its class's.

  Args:
    pred_probs: float array [num_examples, num_classes].

  Returns:
    a pair: int array [num_examples]; float array [num_examples], u.
  """
  predicted = pred_probs.argmax(axis=1)
  confidence = pred_probs.max(axis=1)
  place = np.empty(len(predicted))
  for label in np.unique(predicted):
    members = np.flatnonzero(predicted == label)
    ranks = np.argsort(np.argsort(-confidence[members], kind="stable"))
    place[members] = (ranks + 0.5) / len(members)
  return predicted, place


def disagreement_when_sure(disagrees, place, weights=None):
  """Returns the share of labels that disagree with the surest predictions.

  Curves of all exponents are weighted by their likelihoods. As mistakes only
  add to the share, the result is by the curves' spread lower than their mean.

  Args:
    disagrees: bool array [num_examples], whether the label is not the predicted
      class.
    place: float array [num_examples], see `order`.
    weights: float array [num_examples], how often each example counts; None for
      once.

  Returns:
    float in [0, 1].
  """
  weights = np.ones(len(place)) if weights is None else weights
  starts, log_likelihoods = zip(
    *(
      _fit_curve(disagrees * 1.0, place**exponent, weights)
      for exponent in _EXPONENTS
    ),
    strict=True,
  )
  starts, shares = np.array(starts), np.array(log_likelihoods)
  shares = np.exp(shares - shares.max())
  shares /= shares.sum()
  mean = shares @ starts
  spread = np.sqrt(shares @ (starts - mean) ** 2)
  return float(max(mean - spread, 0))


def _fit_curve(disagrees, x, weights):
  """Returns where a rising line through points begins, and its likelihood."""
  total = weights.sum()
  mean_x, mean_y = weights @ x / total, weights @ disagrees / total
  variance = weights @ (x - mean_x) ** 2 / total
  covariance = weights @ ((x - mean_x) * (disagrees - mean_y)) / total
  slope = max(0, covariance / variance) if variance > 0 else 0.0
  start = max(0, mean_y - slope * mean_x)
  share = np.clip(start + slope * x, _MIN_SHARE, 1 - _MIN_SHARE)
  chances = np.where(disagrees > 0, share, 1 - share)
  return start, weights @ np.log(chances)


def transition_when_sure(labels, predicted, place, noise_rate, num_classes):
  """Returns the transition matrix of the surest predictions.

  Args:
    labels: integer array [num_examples].
    predicted: integer array [num_examples], see `order`.
    place: float array [num_examples], see there.
    noise_rate: float, the share of wrong labels over all classes, which the
      matrix is scaled to.
    num_classes: int.

  Returns:
    float array [num_classes, num_classes], rows add up to 1. A class that is
    never predicted has a 1 on the diagonal.
  """
  sure = place <= max(_SURE, place.min())
  counts = np.zeros((num_classes, num_classes))
  np.add.at(counts, (predicted[sure], labels[sure]), 1)
  totals = counts.sum(axis=1, keepdims=True)
  wrong = counts / np.maximum(totals, 1)
  np.fill_diagonal(wrong, 0)
  sizes = np.bincount(predicted, minlength=num_classes) / len(predicted)
  found = sizes @ wrong.sum(axis=1)
  scale = noise_rate / found if found else 0.0
  # No class can have more wrong labels than labels.
  wrong *= np.minimum(scale, 1 / np.maximum(wrong.sum(axis=1), _MIN_SHARE))[
    :, None
  ]
  return wrong + np.diag(1 - wrong.sum(axis=1))
