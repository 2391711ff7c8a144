"""A copy of a user's own dataset, with labels as somebody decided."""

import dataclasses
import os
import pathlib
import shutil

from nct_tf import errors
from nct_tf.datasets.files import (
  corrected_csv,
  corrected_folder,
  corrected_npz,
  findings,
)
from nct_tf.input_pipeline import label_decisions
from nct_tf.reporting import text_tables

_KINDS = {
  "folder": corrected_folder.Folder,
  "csv": corrected_csv.CsvFile,
  "npz": corrected_npz.Archive,
}
_NUM_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class CorrectedCopy:
  """What was written.

  Attributes:
    dataset: str, the copy as a value of `--dataset`.
    counts: dict from what was decided to the number of examples.
    notes: list of `findings.Finding`, what has to be known of the copy.
  """

  dataset: str
  counts: dict
  notes: list


def check_run(config):
  """Raises `InvalidInputError` if a run's labels are not those of its dataset.

  Args:
    config: the run's `TrainConfig`.
  """
  if config.noise_type != "none":
    raise errors.InvalidInputError(
      "The labels of the run were corrupted after they were read, so that "
      f"decisions about them do not fit {config.dataset}. The run must have "
      f"noise_type=none. Received: noise_type={config.noise_type}"
    )
  if config.drop_flagged:
    raise errors.InvalidInputError(
      "The run left out what an audit flagged, without a person's decisions: a "
      "copy would have it again. The run must have no drop_flagged. Received: "
      f"drop_flagged={config.drop_flagged}"
    )


def write(dataset, decisions, output, links=False, accepted=()):
  """Writes a corrected copy, whole or not at all.

  Args:
    dataset: str, `folder:PATH`, `csv:FILE` or `npz:FILE`.
    decisions: sequence of str, CSV files of `label_decisions.parse`, each about
      the labels that the ones before it lead to.
    output: str, a new folder or file.
    links: bool, whether a folder's copy has symbolic links in place of files.
    accepted: names of `data.ACCEPTABLE_FINDINGS`.

  Returns:
    a `CorrectedCopy`.

  Raises:
    InvalidInputError: if the dataset is none of one's own, if the decisions do
      not fit it, or if the output exists or lies inside of the dataset.
    StorageError: if the copy cannot be written.
  """
  kind, _, path = dataset.partition(":")
  if kind not in _KINDS:
    raise errors.InvalidInputError(
      "Argument `dataset` must be one's own, folder:PATH, csv:FILE or "
      f"npz:FILE, to be copied. Received: dataset={dataset}"
    )
  if links and kind != "folder":
    raise errors.InvalidInputError(
      f"Argument `links` is for folder:PATH alone. Received: dataset={dataset}"
    )
  original = _KINDS[kind](path, accepted)
  output = pathlib.Path(output)
  _check_output(output, original)
  decided = _read_decisions(decisions, dataset, original)
  changes = _find_changes(decided, original)
  arguments = [links] if kind == "folder" else []
  notes = _write_atomically(
    output, lambda place: original.write(changes, place, *arguments)
  )
  num_dropped = sum(label is None for label in changes.values())
  return CorrectedCopy(
    dataset=f"{kind}:{output}",
    counts={
      "relabelled": len(changes) - num_dropped,
      "dropped": num_dropped,
      "kept by decision": len(decided) - len(changes),
      "undecided": len(original.labels) - len(decided),
    },
    notes=[*_find_emptied(original, changes), *_find_split(original), *notes],
  )


def _check_output(output, original):
  if os.path.lexists(output):
    raise errors.InvalidInputError(
      "Argument `output` must be a new place, and something is there. "
      f"Received: {output}"
    )
  place = output.resolve()
  for folder in original.folders:
    if place.is_relative_to(folder):
      raise errors.InvalidInputError(
        "Argument `output` must lie outside of the dataset, which stays as it "
        f"is. Received: {output}, which is inside of {folder}"
      )
  if not place.parent.is_dir():
    raise errors.InvalidInputError(
      "Argument `output` must lie in a folder that is there. There is no "
      f"folder {output.parent}"
    )


def _read_decisions(paths, dataset, original):
  """Returns dict from an example's name in `labels` to (decision, label)."""
  decided = {}
  for path in paths:
    rows = label_decisions.parse(
      path, dataset, original.ids, original.class_names
    )
    part = {original.ids[name]: decision for name, decision in rows.items()}
    if len(part) < len(rows):
      raise errors.InvalidInputError(
        f"Label decisions {path} decide on an example by two of its names"
      )
    for name, decision in part.items():
      # What is kept is the label that an earlier decision gave it.
      if decision[0] != label_decisions.KEEP or name not in decided:
        decided[name] = decision
  return decided


def _find_changes(decided, original):
  """Returns dict from an example's name to its new label, None to drop it."""
  changes = {}
  for name, (decision, label) in decided.items():
    if decision == label_decisions.DROP:
      changes[name] = None
    elif decision == label_decisions.RELABEL and label != original.labels[name]:
      changes[name] = label
  return changes


def _write_atomically(output, write_copy):
  """Calls a function with a place beside the output, which becomes it then."""
  temporary = output.with_name(f".{output.name}.tmp")
  try:
    _remove(temporary)
    result = write_copy(temporary)
    os.sync()  # Once for all: to flush each picture would take minutes.
    temporary.rename(output)
    return result
  except OSError as error:
    where = f": {error.filename}" if error.filename else ""
    raise errors.StorageError(
      f"{output} cannot be written: {error.strerror}{where}"
    ) from error
  finally:
    _remove(temporary)


def _remove(path):
  if path.is_dir():
    shutil.rmtree(path)
  else:
    path.unlink(missing_ok=True)


def _find_emptied(original, changes):
  """Finds classes that have lost their last example, in a split or at all."""
  splits = original.splits or [""] * len(original.labels)
  before, after = set(), set()
  for split, (name, label) in zip(splits, original.labels.items(), strict=True):
    before.add((split, label))
    after.add((split, changes.get(name, label)))
  emptied = sorted(before - after)
  if not emptied:
    return []
  return [
    findings.Finding(
      "Classes without an example now", tuple(map("/".join, emptied))
    )
  ]


def _find_split(original):
  if "test" in (original.splits or ()):
    return []
  text = (
    "The dataset has no test split: training chooses one anew by the new "
    "labels, so that its accuracy is not that of the same pictures as before"
  )
  return [findings.Finding(text, ())]


def format_copy(copy):
  """Returns what a `CorrectedCopy` is, as text."""
  rows = [(what, f"{number:,}") for what, number in copy.counts.items()]
  lines = [
    text_tables.format_table(rows, ("examples", "")),
    *(f"{_format_note(note)}." for note in copy.notes),
    f"Written: {copy.dataset}",
  ]
  # A file's name may hold bytes that are not valid UTF-8.
  text = "\n".join(lines)
  return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _format_note(note):
  if not note.items:
    return note.text
  shown = ", ".join(note.items[:_NUM_SHOWN])
  more = len(note.items) - _NUM_SHOWN
  rest = f" and {more:,} more" if more > 0 else ""
  return f"{note.text} ({len(note.items):,}): {shown}{rest}"
