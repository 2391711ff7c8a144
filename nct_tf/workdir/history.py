"""The history of a run: a row for each epoch in a CSV file."""

import csv
import io
import os

import numpy as np

from nct_tf import errors
from nct_tf.system import files

# The prefix of a class's name in the column of its accuracy.
CLASS_ACCURACY = "class_accuracy/"


class History:
  """The rows of `history.csv`, in memory and on disk.

  The columns are those of the first epoch. If an epoch did not measure a value,
  its field stays empty; what the first one did not measure, as in an earlier
  version, has no column.

  Args:
    path: `pathlib.Path` of the file; need not exist.
  """

  def __init__(self, path):
    self.path = path
    self.rows = _read_rows(path)

  def truncate(self, num_epochs):
    """Removes all but the first epochs, in memory and on disk."""
    self.rows = self.rows[:num_epochs]
    if self.rows:
      text = io.StringIO(newline="")
      writer = self._writer(text)
      writer.writeheader()
      writer.writerows(self.rows)
      files.write_atomically(self.path, text.getvalue())
    else:
      self.path.unlink(missing_ok=True)

  def add(self, row):
    """Adds an epoch; it is on disk when this returns.

    Args:
      row: dict with `epoch`, int, and the measured values, floats.
    """
    self.rows.append(row)
    with open(self.path, "a", newline="", encoding="utf-8") as file:
      writer = self._writer(file)
      if len(self.rows) == 1:
        writer.writeheader()
      writer.writerow(row)
      file.flush()
      os.fsync(file.fileno())

  def _writer(self, file):
    return csv.DictWriter(
      file, list(self.rows[0]), restval="", extrasaction="ignore"
    )

  def best_epoch(self):
    """Returns the first epoch with the best validation accuracy, or None."""
    accuracies = [row["val_ensemble_accuracy"] for row in self.rows]
    return accuracies.index(max(accuracies)) if accuracies else None

  def columns(self):
    """Returns dict from column to float array [num_epochs]; NaN where empty.

    Raises:
      InvalidInputError: if there is no epoch.
    """
    if not self.rows:
      raise errors.InvalidInputError(f"{self.path} has no epoch")
    return {
      name: np.array([row.get(name, np.nan) for row in self.rows])
      for name in self.rows[0]
    }


def _read_rows(path):
  """Returns the whole rows of a file whose writer may have died."""
  try:
    with open(path, newline="", encoding="utf-8") as file:
      lines = file.read().splitlines(keepends=True)
  except FileNotFoundError:
    return []
  whole = [line for line in lines if line.endswith("\n")]
  rows = []
  for number, row in enumerate(csv.DictReader(whole)):
    try:
      values = {name: float(value) for name, value in row.items() if value}
    except (TypeError, ValueError):
      break
    if None in row or None in row.values() or values.get("epoch") != number:
      break  # From here on, the rows are not ours or not whole.
    rows.append({**values, "epoch": number})
  return rows
