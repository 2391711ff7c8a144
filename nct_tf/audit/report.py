"""What an audit of a run found: its files, its page and its figures."""

import csv
import dataclasses
import itertools
import json
import shutil

import numpy as np

from nct_tf import datasets, errors
from nct_tf.audit import label_audit, page, thumbnails
from nct_tf.reporting import text_tables
from nct_tf.system import command_line, files

_NUM_SUSPECTS = 1000  # At least, where there are so many examples.

_MAX_CLASSES_IN_JSON = 200
_COLUMNS = (
  "id",
  "split",
  "index",
  "given",
  "suggested",
  "given_probability",
  "suggested_probability",
  "margin",
  "disagreement",
  "score",
  "rank",
  "flagged",
)


@dataclasses.dataclass(frozen=True)
class RunAudit:
  """An audit with what it is of.

  Attributes:
    dataset: the run's `ImageDataset`.
    splits: str array [num_examples], `train`, `validation` or `test`.
    index: int64 array [num_examples], the example's number in its split.
    true_labels: int64 array [num_examples]; the given ones if none are known.
    audit: a `label_audit.LabelAudit`.
    disagreement: float32 array [num_examples] of `metrics.disagreement`; None
      of one network.
    num_folds: int, how many times the method was trained on the other parts;
      0 for the run itself alone.
    num_held_out: int, of how many examples the labels were predicted by
      networks that did not train on them.
    warnings: tuple of str, why the scores may not be trusted.
    truth: dict of `label_audit.compare_with_truth`, or None.
  """

  dataset: datasets.ImageDataset
  splits: np.ndarray
  index: np.ndarray
  true_labels: np.ndarray
  audit: label_audit.LabelAudit
  disagreement: np.ndarray | None
  num_folds: int
  num_held_out: int
  warnings: tuple
  truth: dict | None

  def describe_examples(self, order):
    """Yields what is known of each example: a dict of plain values.

    Args:
      order: integer array, positions among the examples.
    """
    audit = self.audit
    names = {
      split: self.dataset.split_ids(split) for split in np.unique(self.splits)
    }
    given, suggested = audit.given_probability, audit.suggested_probability
    margin, flagged = audit.margin, audit.flagged
    for position in order.tolist():
      disagreement = None
      if self.disagreement is not None:
        disagreement = float(self.disagreement[position])
      yield {
        "id": names[self.splits[position]][int(self.index[position])],
        "split": str(self.splits[position]),
        "index": position,
        "given": int(audit.labels[position]),
        "suggested": int(audit.suggested[position]),
        "given_probability": float(given[position]),
        "suggested_probability": float(suggested[position]),
        "margin": float(margin[position]),
        "disagreement": disagreement,
        "score": float(audit.score[position]),
        "rank": int(audit.rank[position]),
        "flagged": bool(flagged[position]),
      }


def summarize(result):
  """Returns a `RunAudit`'s figures, rates as fractions: dict ready for JSON.

  The matrices of very many classes, which JSON makes huge, are left out.
  """
  audit = result.audit
  is_small = len(audit.transition.value) <= _MAX_CLASSES_IN_JSON
  return {
    "num_examples": len(audit.labels),
    "num_validation_examples": int(np.sum(result.splits == "validation")),
    "num_test_examples": int(np.sum(result.splits == "test")),
    "num_folds": result.num_folds,
    "num_held_out": result.num_held_out,
    "num_flagged": int(audit.flagged.sum()),
    "threshold": audit.threshold,
    "noise_rate": audit.noise_rate.value,
    "noise_rate_interval": [audit.noise_rate.low, audit.noise_rate.high],
    "class_names": list(result.dataset.class_names),
    "transition": audit.transition.value.tolist() if is_small else None,
    "transition_low": audit.transition.low.tolist() if is_small else None,
    "transition_high": audit.transition.high.tolist() if is_small else None,
    "warnings": list(result.warnings),
    "truth": result.truth,
  }


def write(folder, directory, result):
  """Writes an audit, whole or not at all.

  Args:
    folder: `pathlib.Path`, where to; an earlier audit there is replaced.
    directory: the run's `Workdir`.
    result: a `RunAudit`.

  Raises:
    StorageError: if it cannot be written; an earlier audit stays then.
  """
  temporary = folder.with_name(".audit.tmp")
  try:
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    _write_labels(temporary / "labels.csv", result)
    np.save(temporary / "labels.npy", result.audit.labels)
    np.save(temporary / "pred_probs.npy", result.audit.pred_probs)
    np.save(temporary / "transition.npy", result.audit.transition.value)
    summary = json.dumps(summarize(result), indent=2) + "\n"
    (temporary / "audit.json").write_text(summary, encoding="utf-8")
    _write_page(temporary, directory, result)
    files.sync_tree(temporary)
    _replace(folder, temporary)
  except OSError as error:
    shutil.rmtree(temporary, ignore_errors=True)
    raise errors.StorageError(
      f"{folder} cannot be written: {error.strerror}"
    ) from error


def _replace(folder, new):
  """Puts a new folder in the place of another one, if there is any."""
  former = folder.with_name(f".{folder.name}.former")
  # A process may have died before it had deleted it.
  shutil.rmtree(former, ignore_errors=True)
  if folder.exists():
    # Deleting takes a while, and nobody must see half an audit.
    folder.rename(former)
  try:
    new.rename(folder)
  except OSError:
    if former.exists():
      former.rename(folder)
    raise
  files.sync(folder.parent)
  shutil.rmtree(former, ignore_errors=True)


def _write_labels(path, result):
  """Writes a row an example, the most suspicious first."""
  class_names = result.dataset.class_names
  order = np.argsort(result.audit.rank)
  columns = [*_COLUMNS, *(["true"] if result.truth else [])]
  with open(path, "w", encoding="utf-8", newline="") as file:
    writer = csv.DictWriter(file, columns, lineterminator="\n")
    writer.writeheader()
    for example in result.describe_examples(order):
      row = {name: _format(value) for name, value in example.items()}
      for name in ("given", "suggested"):
        row[name] = class_names[example[name]]
      if result.truth:
        true_label = result.true_labels[example["index"]]
        row["true"] = class_names[true_label]
      writer.writerow(row)


def _format(value):
  return f"{value:.6f}" if isinstance(value, float) else value


def _write_page(folder, directory, result):
  audit = result.audit
  num_suspects = min(
    max(2 * int(audit.flagged.sum()), _NUM_SUSPECTS),
    page.MAX_SUSPECTS,
    len(audit.labels),
  )
  chosen = np.argsort(audit.rank)[:num_suspects]
  paths = thumbnails.write(
    folder, result.dataset, result.splits[chosen], result.index[chosen]
  )
  suspects = [
    {**example, "thumbnail": path}
    for example, path in zip(
      result.describe_examples(chosen), paths, strict=True
    )
  ]
  page_data = page.PageData(
    title=directory.path.name,
    command=retraining_command(directory),
    noise_rate=float(audit.noise_rate.value),
    noise_rate_low=float(audit.noise_rate.low),
    noise_rate_high=float(audit.noise_rate.high),
    warnings=result.warnings,
    class_names=result.dataset.class_names,
    suspects=suspects,
    scores=audit.score,
    threshold=audit.threshold,
    transition=audit.transition.value,
    transition_low=audit.transition.low,
    transition_high=audit.transition.high,
  )
  page.write(folder, page_data)


def decisions_file(directory):
  """Returns where the page's decisions belong: `pathlib.Path`.

  It is no file that the run itself was trained with.

  Args:
    directory: the `Workdir` that was audited.
  """
  earlier = directory.read_config().decision_files
  numbered = (f"decisions_{number}.csv" for number in itertools.count(2))
  names = itertools.chain(["decisions.csv"], numbered)
  paths = (directory.path / name for name in names)
  return next(path for path in paths if str(path) not in earlier)


def retraining_command(directory):
  """Returns the command that trains with the page's decisions: str.

  Those that the run was trained with come before them.

  Args:
    directory: the `Workdir` that was audited.
  """
  earlier = directory.read_config().decision_files
  decisions = ",".join([*earlier, str(decisions_file(directory))])
  return command_line.module(
    "scripts.train",
    f"--flagfile={directory.flags_file}",
    f"--label_decisions={decisions}",
    f"--workdir={directory.path}_relabelled",
  )


def format_audit(summary):
  """Returns tables of an audit.

  Args:
    summary: dict of `summarize`.
  """
  low, high = (100 * end for end in summary["noise_rate_interval"])
  noise_rate = text_tables.percent(summary["noise_rate"])
  rows = [
    ("examples", _format_examples(summary)),
    ("wrong labels, estimated", f"{noise_rate} ({low:.1f} to {high:.1f})"),
    ("flagged", f"{summary['num_flagged']:,}"),
  ]
  parts = [text_tables.format_table(rows, ("labels", ""))]
  if summary["truth"]:
    rows = _format_truth(summary["truth"])
    parts.append(text_tables.format_table(rows, ("as the truth is known", "")))
  parts += [f"Warning: {warning}." for warning in summary["warnings"]]
  return "\n\n".join(parts)


def _format_examples(summary):
  """Returns how many examples there are, and how they were predicted: a str."""
  num_test = summary["num_test_examples"]
  text = f"{summary['num_examples']:,}"
  if num_test:
    text += f", {num_test:,} of them in the test split"
  return text


def _format_truth(truth):
  """Returns the rows of a table: pairs of str."""
  percent = text_tables.percent
  return [
    ("wrong labels", percent(truth["noise_rate"])),
    ("average precision", f"{truth['average_precision']:.3f}"),
    (
      "precision among as many as are wrong",
      percent(truth["precision_at_wrong"]),
    ),
    ("precision of the flagged", percent(truth["flagged_precision"])),
    ("recall of the flagged", percent(truth["flagged_recall"])),
    ("right suggestions", percent(truth["suggestion_accuracy"])),
    ("error of the rate", f"{100 * truth['noise_rate_error']:+.1f} points"),
    (
      "mean error of the transition matrix",
      f"{100 * truth['transition_error']:.1f} points",
    ),
  ]
