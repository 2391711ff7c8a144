"""Rules for the images, classes and splits of a user's own dataset."""

import collections
import re
import unicodedata

import numpy as np

from nct_tf.datasets import stratified
from nct_tf.datasets.files import findings

_FEW = 10
_MIN_RANGE = 16  # Of 256 levels of brightness.
_SPLIT_SEED = 0

# What programs write in place of a label that they do not have.
_MISSING = ("nan", "null", "n/a", "#n/a", "<na>", "nat")
_MISSING_AS_WRITTEN = ("NA", "None")
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+(\.0*)?")
_NEGATIVE_NUMBER = re.compile(r"-[0-9]+(\.0*)?")


def find_bad_names(labels, accepted=()):
  """Finds labels that are no names of classes, or several names of one.

  Args:
    labels: sequence of str, each example's, or a class's if it has none.
    accepted: names of `data.ACCEPTABLE_FINDINGS`.

  Returns:
    list of `findings.Finding`.
  """
  counts = collections.Counter(labels)
  return [
    *_find_unprintable(counts),
    *_find_missing(counts, accepted),
    *_find_numbers(counts, accepted),
    *_find_alike(counts, accepted),
  ]


def _find_missing(counts, accepted):
  """Finds labels that stand for no label."""
  has_negative = all(map(_WHOLE_NUMBER.fullmatch, counts))
  missing = [
    name
    for name in counts
    if name in _MISSING_AS_WRITTEN
    or name.casefold() in _MISSING
    or (has_negative and _NEGATIVE_NUMBER.fullmatch(name))
  ]
  if not missing:
    return []
  total = sum(counts.values())
  return [
    findings.refusal(
      "Labels that look like missing ones",
      [f"{name!r}: {counts[name]:,} of {total:,}" for name in sorted(missing)],
      "Leave these examples out or label them",
      findings.MISSING_LABELS,
      accepted,
    )
  ]


def _find_numbers(counts, accepted):
  """Finds numbers that are written in several ways."""
  groups = collections.defaultdict(list)
  for name in counts:
    if _WHOLE_NUMBER.fullmatch(name):
      groups[int(float(name))].append(name)
  items = _list_groups(groups)
  if not items:
    return []
  return [
    findings.refusal(
      "Labels that are one number",
      items,
      "Write each number in one way",
      findings.NUMBER_NAMES,
      accepted,
    )
  ]


def _list_groups(groups):
  """Returns the groups of more than one name, each as text."""
  return [
    " and ".join(map(repr, sorted(names)))
    for names in groups.values()
    if len(names) > 1
  ]


def _find_unprintable(class_names):
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


def _find_alike(class_names, accepted):
  """Finds class names that probably mean the same class."""
  groups = collections.defaultdict(list)
  for name in class_names:
    folded = unicodedata.normalize("NFKC", name).casefold()
    groups["".join(folded.split())].append(name)
  items = _list_groups(groups)
  if not items:
    return []
  return [
    findings.refusal(
      "Names of classes that differ in case or spaces alone",
      items,
      "Make them one class",
      findings.ALIKE_NAMES,
      accepted,
    )
  ]


def find_flat(names, low, high):
  """Finds images that show next to nothing.

  Args:
    names: iterable of str, of the images.
    low: sequence of the lowest value of each image, from 0 to 255.
    high: sequence of the highest.

  Returns:
    list of `findings.Finding`.
  """
  plain, dark = [], []
  for name, lowest, highest in zip(names, low, high, strict=True):
    if highest == lowest:
      plain.append(name)
    elif int(highest) - int(lowest) < _MIN_RANGE:
      dark.append(name)
  texts = (
    (plain, "Images of one colour, kept"),
    (
      dark,
      "Images that use less than a sixteenth of the range from black to white, "
      "kept (are they values of 12 bits in files of 16?)",
    ),
  )
  return [
    findings.Finding(text, tuple(found)) for found, text in texts if found
  ]


def choose_test(labels, groups, test_fraction):
  """Chooses a stratified test split that keeps copies of a picture together.

  Args:
    labels: integer array [num_examples].
    groups: array [num_examples]; examples with equal values are the same
      picture.
    test_fraction: float in (0, 1), the share of each class's examples.

  Returns:
    bool array [num_examples], True for the examples of the test split. A class
    of a single picture has none in it.

  Raises:
    InvalidInputError: if no class has an example to spare.
  """
  return stratified.hold_out(
    labels, test_fraction, _SPLIT_SEED, "test_fraction", groups
  )


def find_few(labels, splits, class_names):
  """Finds classes with few training examples, or with none to test on.

  Args:
    labels: integer array [num_examples].
    splits: array [num_examples] of str, of `split_names.SPLITS`.
    class_names: sequence of str.

  Returns:
    list of `findings.Finding`.
  """
  num_train, num_test = (
    np.bincount(labels[splits == split], minlength=len(class_names))
    for split in ("train", "test")
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
