"""Measures of a cell's runs: means over seeds."""

import dataclasses

import numpy as np

from nct_tf import methods
from nct_tf.experiments import tables
from nct_tf.workdir import layout


@dataclasses.dataclass(frozen=True)
class Statistic:
  """A measure over seeds.

  Attributes:
    mean: float, a fraction.
    std: float, the sample standard deviation (divided by n - 1); None where
      there is one seed.
    num_seeds: int, n.
  """

  mean: float
  std: float | None
  num_seeds: int

  def to_text(self, num_seeds, scale=100):
    """Returns the mean, the deviation if there is one, and (n) if it differs.

    Args:
      num_seeds: int, the n that readers take for granted.
      scale: float, 100 for percent.
    """
    text = f"{scale * self.mean:.1f}"
    if self.std is not None:
      text += f" ± {scale * self.std:.1f}"
    return text if self.num_seeds == num_seeds else f"{text} ({self.num_seeds})"


def measure_all(cells, measures, found):
  """Measures cells; times are multiples of the baseline's in the same column.

  Args:
    cells: sequence of `tables.Cell`.
    measures: see `measure`.
    found: dict from cell's name to the folders of its finished runs.

  Returns:
    dict from cell's name to dict from measure to `Statistic`. Times are left
    out where the baseline was not run.
  """
  measured = {
    cell.name: measure(cell, measures, found[cell.name]) for cell in cells
  }
  baselines = {
    cell.column: measured[cell.name]
    for cell in cells
    if cell.config(0).method == tables.BASELINE
  }
  return {
    cell.name: _relative_to(measured[cell.name], baselines.get(cell.column, {}))
    for cell in cells
  }


def measure(cell, measures, folders):
  """Measures a cell.

  Args:
    cell: a `tables.Cell`.
    measures: sequence of str, of `tables.MEASURES`.
    folders: sequence of the folders of its finished runs, one a seed.

  Returns:
    dict from measure to `Statistic`, for the measures that every run has.
  """
  directories = [layout.Workdir(folder) for folder in folders]
  runs = [
    measure_run(cell.accuracy, each.read_result(), each.read_history())
    for each in directories
  ]
  return {
    name: _statistic([run[name] for run in runs])
    for name in measures
    if runs and all(run.get(name) is not None for run in runs)
  }


def accuracies(result):
  """Returns whose accuracies are known of a run, from `tables.ACCURACIES`.

  Args:
    result: dict of `result.json`.
  """
  if methods.get_options(result["method"]).NUM_NETWORKS == 1:
    return ("ensemble",)  # The one network alone would be the same.
  return tables.ACCURACIES


def measure_run(accuracy, result, history):
  """Measures a run.

  Args:
    accuracy: str, whose accuracy to take, one of `tables.ACCURACIES`.
    result: dict of `result.json`.
    history: dict of `Workdir.read_history`.

  Returns:
    dict from measure to fraction, or seconds for `time`; None for a measure
    that the run lacks.
  """
  column = "ensemble_accuracy"
  is_ensemble = accuracy == "ensemble"
  if not is_ensemble:
    column = f"accuracy_{accuracy.removeprefix('network')}"
  # The epoch is chosen on held-out examples; on the test split where there
  # are none.
  chosen_on = history[f"val_{column}"]
  values = history.get(f"test_{column}", chosen_on)
  measures = {
    "best": values[chosen_on.argmax()],
    "best_test": values.max(),
    "last": values[-1],
    "last10": values[-10:].mean(),
    "top1": values[-1],
    "top5": result.get("top5_accuracy"),
    "memorised": result["train_accuracy_noisy"] if is_ensemble else None,
    "found": result.get("wrong_label_average_precision"),
    "time": result.get("cpu_seconds"),
  }
  for split, figures in (result.get("extra_tests") or {}).items():
    measures[f"{split}_top1"] = figures["accuracy"]
    measures[f"{split}_top5"] = figures["top5_accuracy"]
  return measures


def _relative_to(statistics, baseline):
  """Returns a cell's dict with times as multiples of another cell's.

  Args:
    statistics: dict of `measure`.
    baseline: dict of `measure`, of the cell that it is compared with. Times
      that it lacks are left out.
  """
  result = {}
  for name, each in statistics.items():
    if name not in tables.RELATIVE:
      result[name] = each
    elif name in baseline:
      mean = each.mean / baseline[name].mean
      result[name] = dataclasses.replace(each, mean=mean, std=None)
  return result


def _statistic(values):
  std = float(np.std(values, ddof=1)) if len(values) > 1 else None
  return Statistic(float(np.mean(values)), std, len(values))
