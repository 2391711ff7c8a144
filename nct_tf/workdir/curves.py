"""The history of a run as curves for TensorBoard."""

import time

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer import event_file_writer

from nct_tf.system import tensorflow_files

_VALIDATION_PREFIX = "val_"


class Curves:
  """Writes event files under the names that Keras' own callback uses.

  The epochs that are done already are written first, so that a run that goes on
  neither loses nor repeats one.

  Args:
    folder: `pathlib.Path`, empty or not there.
    rows: list of dicts from column to float, the epochs done; see `add`.
  """

  def __init__(self, folder, rows):
    self._folder = folder
    self._writers = {}
    now = time.time()
    remaining = sum(row.get("seconds", 0.0) for row in rows)
    for row in rows:
      remaining -= row.get("seconds", 0.0)
      self.add(row, wall_time=now - remaining)

  def add(self, row, wall_time=None):
    """Writes an epoch, at once.

    Args:
      row: dict with `epoch`, the 0-based number, and the measured values.
      wall_time: float, seconds since 1970; now if not given.

    Raises:
      OSError: if the disk is full.
    """
    values = {"train": [], "validation": []}
    for name, value in row.items():
      if name != "epoch":
        part = "validation" if name.startswith(_VALIDATION_PREFIX) else "train"
        values[part].append(
          summary_pb2.Summary.Value(
            tag=f"epoch_{name.removeprefix(_VALIDATION_PREFIX)}",
            simple_value=value,
          )
        )
    for part, summary in values.items():
      if summary:
        event = event_pb2.Event(
          wall_time=wall_time or time.time(),
          step=int(row["epoch"]),
          summary=summary_pb2.Summary(value=summary),
        )
        with tensorflow_files.os_errors():
          writer = self._writer(part)
          writer.add_event(event)
          writer.flush()

  def _writer(self, part):
    if part not in self._writers:
      self._writers[part] = event_file_writer.EventFileWriter(
        str(self._folder / part)
      )
    return self._writers[part]

  def close(self):
    """Ends the writers' threads."""
    for writer in self._writers.values():
      with tensorflow_files.os_errors():
        writer.close()
