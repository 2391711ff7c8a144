"""How good a choice by held-out noisy labels is, where the truth is known.

Of finished runs with held-out examples, it is known what `scripts.tune` would
have chosen, and how much better the best of them is on clean test labels.
"""

import dataclasses

import numpy as np

from nct_tf.experiments import tuning
from nct_tf.reporting import text_tables
from nct_tf.workdir import layout


@dataclasses.dataclass(frozen=True)
class Regret:
  """A choice among the runs of one column and seed.

  Attributes:
    column: str, its title.
    seed: int.
    chosen: str, the title of the row that has the highest score.
    best: str, that of the row with the best test accuracy after the last epoch.
    points: float, by how much that accuracy is above the chosen one's.
    halved_points: float, the same for a choice with halving.
  """

  column: str
  seed: int
  chosen: str
  best: str
  points: float
  halved_points: float


def measure(cells, found):
  """Measures the choice in each column, for each seed that all rows have.

  Rows that are told of the noise what nobody knows take no part.

  Args:
    cells: sequence of `tables.Cell`.
    found: dict from cell's name to the folders of its finished runs.

  Returns:
    list of `Regret`.
  """
  runs = {}
  for cell in cells:
    if cell.config(0).method_options.uses:
      continue
    for folder in found[cell.name]:
      directory = layout.Workdir(folder)
      key = cell.column, directory.read_config().seed
      runs.setdefault(key, {})[cell.row] = directory.read_history()
  num_rows = max(map(len, runs.values()), default=0)
  return [
    _regret(column, seed, histories)
    for (column, seed), histories in runs.items()
    if len(histories) == num_rows > 1
    and all("test_ensemble_accuracy" in each for each in histories.values())
  ]


def _regret(column, seed, histories):
  last = {
    title: float(history["test_ensemble_accuracy"][-1])
    for title, history in histories.items()
  }
  held_out = {
    title: history["val_ensemble_accuracy"]
    for title, history in histories.items()
  }
  chosen, halved = (
    tuning.choose(held_out, is_halved) for is_halved in (False, True)
  )
  best = max(last, key=last.get)
  return Regret(
    column,
    seed,
    chosen,
    best,
    last[best] - last[chosen],
    last[best] - last[halved],
  )


def format_regrets(regrets):
  """Returns a table of choices, in Markdown; a line if there is none.

  Args:
    regrets: list of `Regret`.
  """
  if not regrets:
    return "No column has all runs, so the choice among them is not measured"
  rows = []
  for column in dict.fromkeys(each.column for each in regrets):
    own = [each for each in regrets if each.column == column]
    rows.append(
      (
        column,
        _names(each.chosen for each in own),
        _names(each.best for each in own),
        _mean(each.points for each in own),
        _mean(each.halved_points for each in own),
      )
    )
  rows.append(
    (
      "mean",
      "",
      "",
      _mean(each.points for each in regrets),
      _mean(each.halved_points for each in regrets),
    )
  )
  header = ("", "chosen", "best", "regret", "regret with halving")
  return text_tables.format_markdown(rows, header, "lll")


def _names(names):
  return ", ".join(dict.fromkeys(names))


def _mean(values):
  return f"{100 * np.mean(list(values)):.1f}"
