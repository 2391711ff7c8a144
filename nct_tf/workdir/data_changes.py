"""In what the data of today differ from those that a run was trained on."""

import re
import typing

import numpy as np

from nct_tf.datasets import digests as digests_lib

_TEST = "test/"  # Before the names of test examples that have no path.


def describe(before, now):
  """Returns in what data differ, in one line; None if they are the same.

  Where examples stand in a folder, and how many bytes their files have, is no
  difference.

  Args:
    before: `DataRecord`, of the data that a run was trained on.
    now: `DataRecord`.
  """
  if before.published != now.published:
    return (
      f"the dataset was {before.published or 'not a published one'} and is "
      f"{now.published or 'not a published one'}"
    )
  changes = [
    *_describe_classes(before.class_names, now.class_names),
    *_describe_examples(before, now),
    *_describe_shape(before.image_shape, now.image_shape),
  ]
  return "; ".join(changes) or None


def describe_form(class_names, image_shape, now):
  """As `describe`, of what a model needs of data: classes and shape.

  Args:
    class_names: sequence of str, of the data that a run was trained on.
    image_shape: sequence of three ints, likewise.
    now: `DataRecord`.
  """
  changes = [
    *_describe_classes(tuple(class_names), now.class_names),
    *_describe_shape(tuple(image_shape), now.image_shape),
  ]
  return "; ".join(changes) or None


def _describe_classes(before, now):
  added = [name for name in now if name not in before]
  removed = [name for name in before if name not in now]
  if added:
    yield f"{_count(added, 'class', 'classes')} added ({', '.join(added)})"
  if removed:
    yield (
      f"{_count(removed, 'class', 'classes')} removed ({', '.join(removed)})"
    )
  if before != now and not added and not removed:
    yield f"the classes are in another order ({', '.join(now)})"


def _count(names, singular, plural):
  return f"{len(names):,} {singular if len(names) == 1 else plural}"


def _describe_shape(before, now):
  if before != now:
    yield (
      f"images have the shape {'x'.join(map(str, now))} (was "
      f"{'x'.join(map(str, before))})"
    )


def _describe_examples(before, now):
  if _has_same_examples(before, now):
    return
  found = _Differences(_by_id(before), _by_id(now), bool(now.published))
  texts = list(found.describe())
  if texts:
    yield from texts
  else:
    yield from _describe_order(before, now)


def _has_same_examples(before, now):
  return before.splits.keys() == now.splits.keys() and all(
    split.ids == now.splits[name].ids
    and np.array_equal(split.digests, now.splits[name].digests)
    and _label_names(before, split) == _label_names(now, now.splits[name])
    for name, split in before.splits.items()
  )


def _label_names(record, split):
  return [record.class_names[label] for label in split.labels.tolist()]


class _Example(typing.NamedTuple):
  """What is known of an example beside its id."""

  digest: bytes
  label: str
  split: str


def _by_id(record):
  """Returns dict from each example's id to its `_Example`."""
  result = {}
  for name, split in record.splits.items():
    digests = split.digests
    if digests is None:
      digests = np.zeros(len(split.labels), digests_lib.DTYPE)
    labels = _label_names(record, split)
    for key, *values in zip(split.ids, digests.tolist(), labels, strict=True):
      result[key] = _Example(*values, name)
  return result


class _Differences:
  """The examples of two records, paired.

  Args:
    before: dict of `_by_id`.
    now: dict of `_by_id`.
    is_published: bool, whether no pictures are known by digests.
  """

  def __init__(self, before, now, is_published):
    self._before = before
    self._now = now
    self._removed = [key for key in before if key not in now]
    self._added = dict.fromkeys(key for key in now if key not in before)
    pairs = [(key, key) for key in before if key in now]
    # What has no path is named otherwise in the other split.
    pairs += self._pair(self._other_split)
    self._changed = self._where(pairs, lambda a, b: a.digest != b.digest)
    pairs = self._where(pairs, lambda a, b: a.digest == b.digest)
    self._renamed = []
    if not is_published:
      renamed = self._pair(self._same_picture())
      self._renamed = self._where(renamed, lambda a, b: a.label == b.label)
      pairs += renamed
    self._relabelled = self._where(pairs, lambda a, b: a.label != b.label)
    self._resplit = self._where(pairs, lambda a, b: a.split != b.split)

  def _pair(self, find):
    """Pairs removed examples with added ones, which are neither then."""
    pairs, removed = [], []
    for key in self._removed:
      other = find(key)
      if other is None:
        removed.append(key)
      else:
        pairs.append((key, other))
        del self._added[other]
    self._removed = removed
    return pairs

  def _other_split(self, key):
    other = key.removeprefix(_TEST) if key.startswith(_TEST) else _TEST + key
    return other if other in self._added else None

  def _same_picture(self):
    """Returns a function that gives an added example of the same picture."""
    by_digest = {}
    for key in reversed(self._added):
      by_digest.setdefault(self._now[key].digest, []).append(key)

    def find(key):
      same = by_digest.get(self._before[key].digest)
      return same.pop() if same else None

    return find

  def _where(self, pairs, is_wanted):
    return [
      (old, new)
      for old, new in pairs
      if is_wanted(self._before[old], self._now[new])
    ]

  def describe(self):
    """Yields a text for each kind of difference."""
    total = len(self._before)

    def tell(found, what, first):
      yield f"{len(found):,} of {total:,} pictures {what}, the first is {first}"

    if self._renamed:
      old, new = _first(self._renamed)
      yield from tell(self._renamed, "renamed", f"{new} (was {old})")
    if self._changed:
      yield from tell(self._changed, "changed", _first(self._changed)[1])
    if self._relabelled:
      old, new = _first(self._relabelled)
      labels = self._before[old].label, self._now[new].label
      change = "of the class {1} (was {0})".format(*labels)
      yield from tell(self._relabelled, "relabelled", f"{new}, {change}")
    if self._removed:
      first = min(self._removed, key=_natural)
      yield from tell(self._removed, "removed", first)
    if self._added:
      first = min(self._added, key=_natural)
      count = _count(self._added, "picture", "pictures")
      yield f"{count} added to {total:,}, the first is {first}"
    if self._resplit and not (
      self._renamed
      or self._changed
      or self._relabelled
      or self._removed
      or self._added
    ):  # Else the split was chosen anew because of that.
      old, new = _first(self._resplit)
      splits = self._before[old].split, self._now[new].split
      change = "of the {1} split (was {0})".format(*splits)
      yield from tell(self._resplit, "in another split", f"{new}, {change}")


def _first(pairs):
  """Returns the pair of ids that comes first by the new one."""
  return min(pairs, key=lambda pair: _natural(pair[1]))


def _natural(name):
  """Returns what orders ids as people do, 7 before 10, whatever their split."""
  parts = re.split(r"(\d+)", name.removeprefix(_TEST))
  return [int(part) if part.isdecimal() else part for part in parts]


def _describe_order(before, now):
  """Yields what differs between records of the same examples."""
  for name, split in before.splits.items():
    for old, new in zip(split.ids, now.splits[name].ids, strict=True):
      if old != new:
        yield (
          f"the {name} pictures are in another order, the first is {new} (was "
          f"{old})"
        )
        return
