"""Samples of examples in which the classes keep their proportions."""

import numpy as np
from sklearn import model_selection

from nct_tf import errors


def sample(labels, num_examples, seed, name):
  """Chooses examples so that the classes keep their proportions.

  Args:
    labels: integer array [n].
    num_examples: int, at most n.
    seed: int.
    name: str, of the argument that set `num_examples`, for the message.

  Returns:
    bool array [n], True for the chosen examples.

  Raises:
    InvalidInputError: if there are too few examples for that.
  """
  chosen = np.zeros(len(labels), bool)
  if num_examples == len(labels):
    return ~chosen
  # scikit-learn does not stratify if fewer examples remain than there are
  # classes. So few of them hardly change the proportions.
  few_remain = len(labels) - num_examples < len(np.unique(labels))
  try:
    index, _ = model_selection.train_test_split(
      np.arange(len(labels)),
      train_size=num_examples,
      stratify=None if few_remain else labels,
      random_state=seed,
    )
  except ValueError as error:
    raise errors.InvalidInputError(
      f"Argument `{name}` must give each class an example. Received: "
      f"{num_examples} of {len(labels)} examples ({error})"
    ) from error
  chosen[index] = True
  return chosen


def hold_out(labels, fraction, seed, name, groups=None):
  """Chooses a share of the examples of each class, of none the last one.

  Groups of one example are sampled as `sample` does. Larger ones, and those of
  classes that are too small for that, go one by one to whichever side lacks
  more of its share.

  Args:
    labels: integer array [n].
    fraction: float in (0, 1), the share of the examples.
    seed: int.
    name: str, of the argument that set `fraction`, for the message.
    groups: array [n]; examples with equal values stay together. None for no
      groups.

  Returns:
    bool array [n], True for the chosen examples.

  Raises:
    InvalidInputError: if no class has an example to spare.
  """
  if groups is None:
    groups = np.arange(len(labels))
  _, first, group, sizes = np.unique(
    groups, return_index=True, return_inverse=True, return_counts=True
  )
  group_labels = labels[first]
  chosen = np.zeros(len(first), bool)
  single = np.flatnonzero(_can_sample(group_labels, sizes))
  num_sampled = max(1, round(fraction * len(single)))
  if num_sampled >= len(np.unique(group_labels[single])) > 0:
    chosen[single] = sample(group_labels[single], num_sampled, seed, name)
  else:
    single = single[:0]
  left = np.setdiff1d(np.arange(len(first)), single)
  left = np.random.default_rng(seed).permutation(left)
  _add_groups(chosen, left, group_labels, sizes, fraction)
  if not chosen.any():
    raise errors.InvalidInputError(
      f"Argument `{name}` must leave each class an example. Received: "
      f"{fraction:g} of {len(labels)} examples, of which none can be spared"
    )
  return chosen[group]


def _can_sample(labels, sizes):
  """Returns bool array: the groups of one, of classes that have two of them."""
  is_single = sizes == 1
  counts = np.bincount(labels[is_single], minlength=labels.max() + 1)
  return is_single & (counts[labels] >= 2)


def _add_groups(chosen, left, labels, sizes, fraction):
  """Chooses more groups where their class lacks examples, in place.

  Args:
    chosen: bool array [num_groups].
    left: integer array, the groups that may be chosen, in the order to try.
    labels: integer array [num_groups].
    sizes: integer array [num_groups].
    fraction: float, the share of the examples of each class.
  """
  carried = 0.0  # What classes before lack of an example.
  num_staying = np.bincount(labels[~chosen], minlength=labels.max() + 1)
  totals = np.bincount(labels, sizes)
  held_out = np.bincount(labels[chosen], sizes[chosen], len(totals))
  by_class = {}
  for index in left.tolist():
    by_class.setdefault(int(labels[index]), []).append(index)
  for label, indices in by_class.items():
    lacking = fraction * totals[label] + carried - held_out[label]
    for index in indices:
      is_last = num_staying[label] == 1
      if not is_last and abs(lacking - sizes[index]) < abs(lacking):
        chosen[index] = True
        num_staying[label] -= 1
        lacking -= sizes[index]
    carried = lacking if abs(lacking) < 1 else 0.0
