"""Decisions of a person to keep or replace labels, or to drop examples."""

import dataclasses
import logging

import numpy as np

from nct_tf import errors
from nct_tf.datasets import image_dataset
from nct_tf.system import csv_files

KEEP, RELABEL, DROP = DECISIONS = ("keep", "relabel", "drop")
SPLITS = image_dataset.SPLITS

_logger = logging.getLogger(__name__)

_COLUMNS = ("id", "decision", "label")
_NUM_NAMED = 10  # Of classes, in a message.


@dataclasses.dataclass(frozen=True)
class Decisions:
  """Decisions about the given labels of a split.

  Attributes:
    labels: dict from an example's number in the split to its new label, an
      int.
    dropped: set of the numbers of examples that are left out.
    kept: set of the numbers of examples whose label was found right.
  """

  labels: dict = dataclasses.field(default_factory=dict)
  dropped: set = dataclasses.field(default_factory=set)
  kept: set = dataclasses.field(default_factory=set)

  def counts(self):
    """Returns dict from what was decided to the number of examples."""
    return {
      "relabelled": len(self.labels),
      "dropped": len(self.dropped),
      "kept": len(self.kept),
    }


def read(path, dataset):
  """Reads decisions that the audit's page, or a person, wrote.

  Args:
    path: str, see `parse`.
    dataset: the `ImageDataset` that the decisions are about.

  Returns:
    dict from each of `SPLITS` to `Decisions`.

  Raises:
    InvalidInputError: if the file, or a row of it, does not have that form.
  """
  places = _places(dataset)
  classes = {name: number for number, name in enumerate(dataset.class_names)}
  result = {split: Decisions() for split in SPLITS}
  decided = parse(path, dataset.name, places, classes)
  for name, (decision, label) in decided.items():
    split, number = places[name]
    if decision == RELABEL:
      result[split].labels[number] = classes[label]
    elif decision == DROP:
      result[split].dropped.add(number)
    else:
      result[split].kept.add(number)
  return result


def parse(path, dataset_name, ids, class_names):
  """Reads decisions as they are written.

  Args:
    path: str, a CSV file with three columns. `id` is the name of an example of
      any split, see `ImageDataset.split_ids`. `decision` is one of
      `DECISIONS`. `label` is a class name if the decision is `relabel`, else
      empty.
    dataset_name: str, for messages.
    ids: set or dict, all examples that may be decided about.
    class_names: set or dict.

  Returns:
    dict from id to a pair: its decision, its label.

  Raises:
    InvalidInputError: if the file, or a row of it, does not have that form.
  """
  decided = {}
  rows = csv_files.read(path, f"Label decisions {path}", _COLUMNS)
  for row_number, row in enumerate(rows, start=2):

    def fail(text, row_number=row_number):
      raise errors.InvalidInputError(
        f"Label decisions {path}, row {row_number}: {text}"
      )

    name, decision, label = (row[column] for column in _COLUMNS)
    if name not in ids:
      fail(f"{dataset_name} has no example {name!r}")
    if name in decided:
      fail(f"there is a decision about {name!r} above")
    if decision not in DECISIONS:
      fail(
        f"`decision` must be one of {', '.join(DECISIONS)}. Received: "
        f"{decision!r}"
      )
    if decision == RELABEL and label not in class_names:
      known = sorted(class_names)
      more = len(known) - _NUM_NAMED
      fail(
        f"{dataset_name} has no class {label!r}, but "
        + ", ".join(known[:_NUM_NAMED])
        + (f" and {more} more" if more > 0 else "")
      )
    if decision != RELABEL and label:
      fail(f"`label` must be empty where the decision is {decision}")
    decided[name] = (decision, label)
  return decided


def drop_flagged(path, dataset):
  """Returns decisions that drop the training examples that an audit flagged.

  Flagged validation and test examples stay, and a message counts them: those
  that a model finds hard are flagged, so that a test split without them would
  be easier.

  Args:
    path: str, the audit's `labels.csv`.
    dataset: an `ImageDataset`.

  Returns:
    as `read`.
  """
  places = _places(dataset)
  name = f"Audit {path}"
  rows = csv_files.read(path, name, ("id", "flagged"))
  flagged = [row["id"] for row in rows if row["flagged"] == "True"]
  unknown = [each for each in flagged if each not in places]
  if unknown:
    raise errors.InvalidInputError(
      f"{name} flags {unknown[0]!r}, which is no example of {dataset.name}"
    )
  result = {split: Decisions() for split in SPLITS}
  stay = dict.fromkeys(SPLITS, 0)
  for split, number in map(places.get, flagged):
    if split == "train":
      result[split].dropped.add(number)
    else:
      stay[split] += 1
  for split, number in stay.items():
    if number:
      _logger.warning(
        "%s flags %d %s examples, too; they stay in the %s split, which would "
        "be easier without them. Look at them, and drop those that you choose "
        "with --label_decisions",
        name,
        number,
        split,
        split,
      )
  return result


def _places(dataset):
  """Returns dict from each example's name to its split and number there."""
  return {
    name: (split, number)
    for split in SPLITS
    for number, name in enumerate(dataset.split_ids(split))
  }


def apply(decisions, index, labels):
  """Changes given labels.

  Args:
    decisions: list of `Decisions` about one split. Of two about an example the
      later counts, unless it keeps what there is.
    index: integer array [num_examples], each example's number in the split.
    labels: integer array [num_examples].

  Returns:
    a triple: the changed labels, like `labels`; two bool arrays [num_examples],
    False for dropped examples, and True for those whose label was kept or
    changed.
  """
  labels = labels.copy()
  stays = np.ones(len(index), bool)
  is_decided = np.zeros(len(index), bool)
  for part in decisions:
    for position, number in enumerate(index.tolist()):
      labels[position] = part.labels.get(number, labels[position])
      stays[position] |= number in part.labels
      stays[position] &= number not in part.dropped
      is_decided[position] |= number in part.labels or number in part.kept
  return labels, stays, is_decided
