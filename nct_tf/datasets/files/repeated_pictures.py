"""Pictures that occur more than once in a user's own dataset."""

import numpy as np

from nct_tf.datasets.files import findings, split_names

# A split, one whose pictures it must not have, and the words for it.
_LEFT_OUT = (
  (
    split_names.TRAIN,
    split_names.TEST,
    "Training pictures that are test pictures too, left out of training",
  ),
  (
    split_names.TRAIN,
    split_names.VALIDATION,
    "Training pictures that are validation pictures too, left out of training",
  ),
  (
    split_names.VALIDATION,
    split_names.TEST,
    "Validation pictures that are test pictures too, left out of validation",
  ),
)


def find(names, labels, splits, digests):
  """Finds pictures that occur more than once, in one split or in two.

  Args:
    names: sequence of str, of the pictures.
    labels: integer array [num_examples], the given labels.
    splits: array [num_examples] of str, of `split_names.SPLITS`.
    digests: array [num_examples]; pictures with equal values are the same.

  Returns:
    a pair: bool array [num_examples], False for the pictures to leave out of
    their split, as a later one has them too; list of `findings.Finding`.
  """
  is_kept = np.ones(len(digests), bool)
  found = []
  for split, other, text in _LEFT_OUT:
    others = digests[is_kept & (splits == other)]
    repeated = is_kept & (splits == split) & np.isin(digests, others)
    if repeated.any():
      items = tuple(names[index] for index in np.flatnonzero(repeated))
      found.append(findings.Finding(text, items))
    is_kept &= ~repeated
  return is_kept, [*found, *_find_kept(names, labels, digests, is_kept)]


def _find_kept(names, labels, digests, is_kept):
  """Finds what occurs more than once in a split, with equal labels or not."""
  kept = np.flatnonzero(is_kept)
  _, group, counts = np.unique(
    digests[kept], return_inverse=True, return_counts=True
  )
  repeated = np.flatnonzero(counts[group] > 1)
  by_group = {}
  for index in repeated[np.argsort(group[repeated], kind="stable")]:
    by_group.setdefault(group[index], []).append(kept[index])
  same, different = [], []
  for indices in by_group.values():
    is_same = len({labels[index] for index in indices}) == 1
    text = " = ".join(names[index] for index in indices)
    (same if is_same else different).append(text)
  texts = (
    (different, "The same picture under different labels, kept"),
    (same, "The same picture more than once under one label, kept"),
  )
  return [
    findings.Finding(text, tuple(items)) for items, text in texts if items
  ]
