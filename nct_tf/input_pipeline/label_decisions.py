"""Decisions of a person to keep or replace labels, or to drop examples."""

import dataclasses

import numpy as np

from nct_tf import errors
from nct_tf.system import csv_files

KEEP, RELABEL, DROP = DECISIONS = ("keep", "relabel", "drop")

_COLUMNS = ("id", "decision", "label")


@dataclasses.dataclass(frozen=True)
class Decisions:
  """Changes to a dataset's given labels.

  Attributes:
    labels: dict from an example's number in the train split to its new label,
      an int.
    dropped: set of the numbers of examples that are left out.
  """

  labels: dict
  dropped: set


def read(path, dataset):
  """Reads decisions that the audit's page, or a person, wrote.

  Args:
    path: str, a CSV file with three columns. `id` is the audit's name of an
      example. `decision` is one of `DECISIONS`. `label` is a class name if the
      decision is `relabel`, else empty.
    dataset: the `ImageDataset` that the decisions are about.

  Returns:
    `Decisions`.

  Raises:
    InvalidInputError: if the file, or a row of it, does not have that form.
  """
  numbers = {name: number for number, name in enumerate(dataset.ids)}
  classes = {name: number for number, name in enumerate(dataset.class_names)}
  labels, dropped, decided = {}, set(), set()
  rows = csv_files.read(path, f"Label decisions {path}", _COLUMNS)
  for row_number, row in enumerate(rows, start=2):

    def fail(text, row_number=row_number):
      raise errors.InvalidInputError(
        f"Label decisions {path}, row {row_number}: {text}"
      )

    name, decision, label = (row[column] for column in _COLUMNS)
    if name not in numbers:
      fail(f"{dataset.name} has no training example {name!r}")
    if name in decided:
      fail(f"there is a decision about {name!r} above")
    decided.add(name)
    if decision not in DECISIONS:
      fail(
        f"`decision` must be one of {', '.join(DECISIONS)}. Received: "
        f"{decision!r}"
      )
    if decision == RELABEL and label not in classes:
      fail(f"{dataset.name} has no class {label!r}")
    if decision != RELABEL and label:
      fail(f"`label` must be empty where the decision is {decision}")
    if decision == RELABEL:
      labels[numbers[name]] = classes[label]
    elif decision == DROP:
      dropped.add(numbers[name])
  return Decisions(labels, dropped)


def drop_flagged(path, dataset):
  """Returns `Decisions` that drop the examples that an audit flagged.

  Args:
    path: str, the audit's `labels.csv`.
    dataset: an `ImageDataset`.
  """
  numbers = {name: number for number, name in enumerate(dataset.ids)}
  name = f"Audit {path}"
  rows = csv_files.read(path, name, ("id", "flagged"))
  flagged = [row["id"] for row in rows if row["flagged"] == "True"]
  unknown = [each for each in flagged if each not in numbers]
  if unknown:
    raise errors.InvalidInputError(
      f"{name} flags {unknown[0]!r}, which is no training example of "
      f"{dataset.name}"
    )
  return Decisions({}, {numbers[each] for each in flagged})


def apply(decisions, index, labels):
  """Changes given labels.

  Args:
    decisions: list of `Decisions`.
    index: integer array [num_examples], each example's number in the train
      split.
    labels: integer array [num_examples].

  Returns:
    a pair: the changed labels, like `labels`; bool array [num_examples], False
    for dropped examples.
  """
  labels = labels.copy()
  kept = np.ones(len(index), bool)
  for part in decisions:
    for position, number in enumerate(index.tolist()):
      labels[position] = part.labels.get(number, labels[position])
      kept[position] &= number not in part.dropped
  return labels, kept
