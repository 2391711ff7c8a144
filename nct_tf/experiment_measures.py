"""What came out of the runs of a cell: means over seeds."""

import dataclasses

import numpy as np

from nct_tf import workdir as workdir_lib


@dataclasses.dataclass(frozen=True)
class Statistic:
  """A measure over seeds.

  Attributes:
    mean: float, a fraction.
    std: float, the sample standard deviation (divided by n - 1); None of one
      seed.
    num_seeds: int, n.
  """

  mean: float
  std: float | None
  num_seeds: int


def measure(cell, measures, folders):
  """Measures a cell.

  Args:
    cell: an `experiment_tables.Cell`.
    measures: sequence of str, of `experiment_tables.MEASURES`.
    folders: sequence of the folders of its finished runs, one a seed.

  Returns:
    dict from measure to `Statistic`; without those that not every run has.
  """
  runs = [_measure_run(cell, folder) for folder in folders]
  return {
    name: _statistic([run[name] for run in runs])
    for name in measures
    if runs and all(run.get(name) is not None for run in runs)
  }


def _measure_run(cell, folder):
  """Returns dict from measure to fraction, or None, of a run."""
  directory = workdir_lib.Workdir(folder)
  result = directory.read_result()
  history = directory.read_history()
  column = "ensemble_accuracy"
  if cell.accuracy != "ensemble":
    column = f"accuracy_{cell.accuracy.removeprefix('network')}"
  # Chosen and told on the test split, unless examples were held out.
  chosen_on = history[f"val_{column}"]
  accuracy = history.get(f"test_{column}", chosen_on)
  measures = {
    "best": accuracy[chosen_on.argmax()],
    "last": accuracy[-1],
    "last10": accuracy[-10:].mean(),
    "top1": accuracy[-1],
    "top5": result.get("top5_accuracy"),
    "memorised": result["train_accuracy_noisy"],
  }
  for split, figures in (result.get("extra_tests") or {}).items():
    measures[f"{split}_top1"] = figures["accuracy"]
    measures[f"{split}_top5"] = figures["top5_accuracy"]
  return measures


def _statistic(values):
  std = float(np.std(values, ddof=1)) if len(values) > 1 else None
  return Statistic(float(np.mean(values)), std, len(values))
