"""Rules for the classes and the splits of a user's own dataset."""

import collections
import unicodedata

import numpy as np

from nct_tf.datasets import image_dataset
from nct_tf.datasets.files import findings

_FEW = 10
_SPLIT_SEED = 0


def find_unprintable(class_names):
  """Finds names with unprintable characters: list of `findings.Finding`."""
  names = [name for name in class_names if not name.isprintable()]
  if not names:
    return []
  return [
    findings.Finding(
      "Names of classes must be of printable characters",
      tuple(map(repr, names)),
      is_refused=True,
    )
  ]


def find_alike(class_names):
  """Finds class names that probably mean the same class.

  Args:
    class_names: sequence of str.

  Returns:
    list of `findings.Finding`.
  """
  groups = collections.defaultdict(list)
  for name in class_names:
    folded = unicodedata.normalize("NFKC", name).casefold()
    groups["".join(folded.split())].append(name)
  alike = [names for names in groups.values() if len(names) > 1]
  if not alike:
    return []
  return [
    findings.Finding(
      "Names that differ in case or spaces alone must be made one class",
      tuple(" and ".join(map(repr, names)) for names in alike),
      is_refused=True,
    )
  ]


def choose_test(labels, groups, test_fraction):
  """Chooses a stratified test split that keeps each group together.

  Args:
    labels: integer array [num_examples].
    groups: array [num_examples]; examples with equal values are the same
      picture.
    test_fraction: float in (0, 1), the share of the groups that is chosen.

  Returns:
    bool array [num_examples], True for the examples of the test split.

  Raises:
    InvalidInputError: if a class has too few examples for that.
  """
  _, first, group = np.unique(groups, return_index=True, return_inverse=True)
  chosen = image_dataset.stratified_sample(
    labels[first],
    max(1, round(test_fraction * len(first))),
    _SPLIT_SEED,
    "test_fraction",
  )
  return chosen[group]


def find_few(labels, is_test, class_names):
  """Finds classes with few training examples, or with none to test on.

  Args:
    labels: integer array [num_examples].
    is_test: bool array [num_examples].
    class_names: sequence of str.

  Returns:
    list of `findings.Finding`.
  """
  num_train, num_test = (
    np.bincount(labels[part], minlength=len(class_names))
    for part in (~is_test, is_test)
  )

  def named(mask, counts=None):
    return tuple(
      class_names[index] + ("" if counts is None else f" ({counts[index]})")
      for index in np.flatnonzero(mask)
    )

  result = []
  if np.any(num_train == 0):
    result.append(
      findings.Finding(
        "Classes without a training picture cannot be learned",
        named(num_train == 0),
        is_refused=True,
      )
    )
  few = (num_train > 0) & (num_train < _FEW)
  if few.any():
    result.append(
      findings.Finding(
        f"Classes with under {_FEW} training pictures, too few to tell their "
        "wrong labels",
        named(few, num_train),
      )
    )
  if np.any(num_test == 0):
    result.append(
      findings.Finding(
        "Classes without a test picture, whose accuracy cannot be measured",
        named(num_test == 0),
      )
    )
  return result
