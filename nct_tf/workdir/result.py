"""The figures of a run: the content of `result.json`."""

import textwrap

import numpy as np

from nct_tf import units
from nct_tf.reporting import text_tables
from nct_tf.workdir import history as history_lib

# Test splits by what is known of their labels, see
# `noisy_dataset.describe_test_labels`.
_TEST_SPLITS = {
  "clean": "the clean test split",
  "given": "the test split's given labels",
  "decided": "the test split's decided labels",
}
GIVEN_LABELS = (
  "Nobody knows which of the given test labels are wrong; a right answer to a "
  "wrong label counts as an error."
)
_LEGEND = """\
best, last, last 10: accuracy on {test_split}, of the best epoch (chosen on \
that split, or on held-out noisy labels where there are any), of the last one, \
and the mean of the last ten;
balanced: the mean of the classes' accuracies, of the last epoch;
memorised: the share of wrong training labels that the ensemble reproduces."""


def name_test_split(result):
  """Returns what a run's accuracies are measured on: a str.

  Args:
    result: dict with the `test_labels` of `result.json`. Those of a run of an
      earlier version, which did not note it, count as clean.
  """
  return _TEST_SPLITS[_test_labels(result)]


def _test_labels(result):
  return result.get("test_labels", "clean")


def summarize_history(history, num_epochs):
  """Returns the figures of a run.

  The best epoch is the one with the best validation accuracy. If there are no
  validation examples, the test split itself takes their place.

  Args:
    history: dict from column of `history.csv` to float array, with a value for
      each epoch that was trained.
    num_epochs: int, the epochs that the run was to have.

  Returns:
    dict of the epochs trained, the accuracies and the times of `result.json`,
    and whether the run was stopped early. Accuracies are fractions, None if not
    measured. They are on the labels of the test split; only
    `train_accuracy_clean` and `train_accuracy_noisy` are on the given labels of
    training examples.
  """
  split = "test" if "test_ensemble_accuracy" in history else "val"
  accuracy = history[f"{split}_ensemble_accuracy"]
  best_epoch = int(history["val_ensemble_accuracy"].argmax())

  def last(column):
    return float(history[column][-1]) if column in history else None

  speed = history["examples_per_second"]
  return {
    "num_epochs_trained": len(accuracy),
    "stopped_early": len(accuracy) < num_epochs,
    "best_accuracy": float(accuracy[best_epoch]),
    "best_epoch": best_epoch,
    "best_selected_on": "validation" if split == "test" else "test",
    "last_accuracy": float(accuracy[-1]),
    "last10_accuracy": float(accuracy[-10:].mean()),
    "balanced_accuracy": last(f"{split}_ensemble_balanced_accuracy"),
    "per_class_accuracy": {
      column.removeprefix(f"{split}_{history_lib.CLASS_ACCURACY}"): last(column)
      for column in history
      if column.startswith(f"{split}_{history_lib.CLASS_ACCURACY}")
    },
    "top5_accuracy": last(f"{split}_ensemble_top5_accuracy"),
    **{
      f"network{number}_accuracy": last(f"{split}_accuracy_{number}")
      for number in (1, 2)
    },
    "train_accuracy_clean": last("train_accuracy_clean"),
    "train_accuracy_noisy": last("train_accuracy_noisy"),
    # The first epoch is left out, as it traces the graph.
    "examples_per_second": float(
      np.median(speed[1:] if speed[1:].size else speed)
    ),
    **{
      name: float(history[name].sum())
      for name in ("seconds", "cpu_seconds")
      if name in history  # Earlier versions had no `cpu_seconds`.
    },
  }


def describe_epochs(result):
  """Returns how many epochs a run had: `30`, or `12 of 30` if it stopped early.

  Args:
    result: dict of `result.json`; earlier versions did not tell.
  """
  if not result.get("stopped_early"):
    return str(result["num_epochs"])
  return f"{result['num_epochs_trained']} of {result['num_epochs']}"


def format_results(results, names):
  """Returns a table of runs, with the warnings about them.

  Args:
    results: sequence of dicts of `result.json`.
    names: sequence of str, what to call each of them.
  """
  rows = [
    (
      name,
      result["method"],
      describe_epochs(result),
      text_tables.percent(result["best_accuracy"]),
      text_tables.percent(result["last_accuracy"]),
      text_tables.percent(result["last10_accuracy"]),
      text_tables.percent(result.get("balanced_accuracy")),
      text_tables.percent(result["train_accuracy_noisy"]),
      units.seconds(result["seconds"]),
    )
    for name, result in zip(names, results, strict=True)
  ]
  figures = ("best", "last", "last 10", "balanced", "memorised", "time")
  table = text_tables.format_table(rows, ("run", "method", "epochs", *figures))
  warnings = [
    textwrap.fill(f"Warning: {name}: {warning}.", 80, break_long_words=False)
    for name, result in zip(names, results, strict=True)
    for warning in result.get("warnings", ())
  ]
  told = [
    textwrap.fill(f"{name} {uses}.", 80, break_long_words=False)
    for name, result in zip(names, results, strict=True)
    for uses in describe_uses(result)
  ]
  return "\n".join(
    [table, *told, *warnings, *_find_incomparable(results, names)]
  )


def describe_uses(result):
  """Yields what a method was told that nobody knows of real data: str.

  Such as "uses the true noise rate, ...".

  Args:
    result: dict of `result.json`; earlier versions had no such method.
  """
  uses = " and ".join(result.get("uses", ()))
  if uses:
    yield f"uses {uses}, which nobody knows of real data"


def _find_incomparable(results, names):
  """Yields that runs were tested on different examples, if they were."""
  runs = {}
  for name, result in zip(names, results, strict=True):
    if "data_sha256" in result:  # Earlier versions did not note it.
      runs.setdefault(result["data_sha256"]["test"], []).append(name)
  if len(runs) > 1:
    groups = "; ".join(", ".join(own) for own in runs.values())
    yield textwrap.fill(
      "Not comparable, as their test pictures or test labels differ: "
      f"{groups}.",
      80,
      break_long_words=False,
      break_on_hyphens=False,
    )


def format_legend(results, names):
  """Returns what the columns of `format_results` mean, as text.

  Args:
    results: see there.
    names: see there.
  """
  runs = {}
  for name, result in zip(names, results, strict=True):
    runs.setdefault(_test_labels(result), []).append(name)
  if len(runs) == 1:
    (test_split,) = (_TEST_SPLITS[labels] for labels in runs)
  else:
    test_split = " or ".join(
      f"{_TEST_SPLITS[labels]} ({', '.join(own)})"
      for labels, own in runs.items()
    )
  lines = _LEGEND.format(test_split=test_split).splitlines()
  if "given" in runs:
    lines.append(GIVEN_LABELS)
  return "\n".join(
    textwrap.fill(line, 80, break_long_words=False, break_on_hyphens=False)
    for line in lines
  )
