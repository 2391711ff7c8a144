"""Whether a run has learned anything, by what it measured."""

import math

import numpy as np

# A rate is above another by chance by less than so many standard errors, or
# less than so much, nearly always.
_NUM_STANDARD_ERRORS = 2
_SMALL = 0.02
# Of the cross entropy of guessing.
_MAX_LOSS = 2

_REMEDY = (
  "Let --network, --image_size, --num_epochs and, with nct, "
  "--target_variability_max be auto, give it more --time_budget_minutes, or "
  "try another --learning_rate"
)


def find_guessing(history, labels, num_classes):
  """Returns why a run is no better than guessing, or None if it is better.

  Args:
    history: dict of `Workdir.read_history`.
    labels: integer array, those that its `val_` columns were measured on.
    num_classes: int.

  Returns:
    str, a sentence without its full stop.
  """
  accuracy = history["val_ensemble_accuracy"][-1]
  balanced = history["val_ensemble_balanced_accuracy"][-1]
  return describe_guessing(accuracy, balanced, labels, num_classes)


def describe_guessing(accuracy, balanced_accuracy, labels, num_classes):
  """As `find_guessing`, of two accuracies.

  An accuracy near the share of the commonest class is not bad where the classes
  are of different sizes and each of them is recognised.

  Args:
    accuracy: float, the share of examples whose label is predicted.
    balanced_accuracy: float, the mean of that share over the classes.
    labels: integer array.
    num_classes: int.
  """
  commonest = np.bincount(labels).max() / len(labels)
  if accuracy > _bound(commonest, len(labels)):
    return None
  if balanced_accuracy > _bound(1 / num_classes, len(labels)):
    return None
  return (
    f"The networks have learned nothing: they predict {accuracy:.1%} of "
    f"{len(labels):,} labels that they did not train on, and the commonest "
    f"label has {commonest:.1%}. {_REMEDY}"
  )


def _bound(share, num_examples):
  """Returns what a share of so many examples may well be by chance."""
  standard_error = math.sqrt(share * (1 - share) / num_examples)
  return share + max(_SMALL, _NUM_STANDARD_ERRORS * standard_error)


def find_high_loss(history, num_classes):
  """Returns what is wrong with a run's loss, or None if nothing is.

  Args:
    history: see `find_guessing`.
    num_classes: int.
  """
  loss = history["val_ensemble_cross_entropy"][-1]
  guessing = math.log(num_classes)
  if loss <= _MAX_LOSS * guessing:
    return None
  return (
    f"The cross entropy of labels that it did not train on is {loss:.2f}, far "
    f"above {guessing:.2f}, that of guessing: it is sure of what is wrong. "
    "Train for fewer epochs, with --method=nct, or with a lower --learning_rate"
  )
