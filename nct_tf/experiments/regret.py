"""How good a choice by held-out noisy labels is, where the truth is known.

Of finished runs with held-out examples, it is known what `scripts.tune` would
have chosen, and how much better the best of them is on clean test labels.
"""

import dataclasses
import statistics

from nct_tf.experiments import choice, tables
from nct_tf.reporting import text_tables
from nct_tf.workdir import layout

# Always the same method, in place of a choice.
_FIXED = (tables.MAIN_ROW, tables.BASELINE)


@dataclasses.dataclass(frozen=True)
class Regret:
  """A choice among the runs of one column and seed.

  Attributes:
    column: str, its title.
    seed: int.
    chosen: str, the title of the row that has the highest score.
    halved_chosen: str, that of the row that halving leaves.
    accuracies: dict from a row's title to its accuracy on clean test labels
      after the last epoch, a float.
  """

  column: str
  seed: int
  chosen: str
  halved_chosen: str
  accuracies: dict

  @property
  def best(self):
    """The title of the row with the highest accuracy: str."""
    return max(self.accuracies, key=self.accuracies.get)

  def of(self, title):
    """Returns by how much the best accuracy is above that of a row: float."""
    return self.accuracies[self.best] - self.accuracies[title]


def measure(cells, found):
  """Measures the choice in each column, for each seed that two rows have.

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
  return [
    _regret(column, seed, histories)
    for (column, seed), histories in runs.items()
    if len(histories) > 1
    and all("test_ensemble_accuracy" in each for each in histories.values())
  ]


def _regret(column, seed, histories):
  held_out = {
    title: history["val_ensemble_accuracy"]
    for title, history in histories.items()
  }
  return Regret(
    column,
    seed,
    choice.choose(held_out),
    choice.choose(held_out, is_halved=True),
    {
      title: float(history["test_ensemble_accuracy"][-1])
      for title, history in histories.items()
    },
  )


def format_regrets(regrets, titles):
  """Returns a table of choices, in Markdown; a line if there is none.

  Beside them stands how far one and the same method would be behind the best:
  the main one, the baseline, and the one that is the least behind on average.
  A figure is the mean over seeds, and in the last row that over columns.

  Args:
    regrets: list of `Regret`.
    titles: dict from method to the title of its row.
  """
  if not regrets:
    return (
      "No column has two runs that held examples out, so no choice is measured"
    )
  by_column = {}
  for each in regrets:
    by_column.setdefault(each.column, []).append(each)
  fixed = [titles[method] for method in _FIXED if method in titles]
  safest = _safest(by_column)
  if safest not in (None, *fixed):
    fixed.append(safest)
  means = {column: _means(own, fixed) for column, own in by_column.items()}
  rows = [
    (
      column,
      _range(len(each.accuracies) for each in own),
      _names(each.chosen for each in own),
      _names(each.best for each in own),
      *map(_format, means[column]),
    )
    for column, own in by_column.items()
  ]
  # Over kinds of noise: those with more seeds do not count more.
  over_columns = map(_mean, zip(*means.values(), strict=True))
  rows.append(("mean", "", "", "", *map(_format, over_columns)))
  header = ["", "among", "chosen", "best", "regret", "regret with halving"]
  header += [f"always {title}" for title in fixed]
  return text_tables.format_markdown(rows, header, "lrll")


def _safest(by_column):
  """Returns the row that is the least behind, of those in all columns; or None.

  Args:
    by_column: dict from column to list of `Regret`.
  """
  regrets = [each for own in by_column.values() for each in own]
  everywhere = set.intersection(*(set(each.accuracies) for each in regrets))
  return min(
    sorted(everywhere),
    key=lambda title: statistics.fmean(
      _mean(each.of(title) for each in own) for own in by_column.values()
    ),
    default=None,
  )


def _names(names):
  return ", ".join(dict.fromkeys(names))


def _range(numbers):
  numbers = sorted(set(numbers))
  return " to ".join(map(str, dict.fromkeys((numbers[0], numbers[-1]))))


def _means(regrets, fixed):
  """Returns mean regrets: of the choice, of halving, of each fixed row.

  Args:
    regrets: list of `Regret`.
    fixed: sequence of titles of rows.

  Returns:
    list of float; None for a row that is nowhere among them.
  """
  return [
    _mean(each.of(each.chosen) for each in regrets),
    _mean(each.of(each.halved_chosen) for each in regrets),
    *(
      _mean(each.of(title) for each in regrets if title in each.accuracies)
      for title in fixed
    ),
  ]


def _mean(values):
  """Returns the mean of those that are not None; None if there are none."""
  values = [value for value in values if value is not None]
  return statistics.fmean(values) if values else None


def _format(value):
  return "" if value is None else f"{100 * value:.1f}"
