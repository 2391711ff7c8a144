"""Ranks methods by their accuracy under each kind of noise."""

import dataclasses
import statistics

from nct_tf.experiments import measures as measures_lib, regret, tables
from nct_tf.reporting import plotting, text_tables

_MEASURE = "last"


@dataclasses.dataclass(frozen=True)
class RankedMethod:
  """A row of a table, with its rank.

  Attributes:
    title: str.
    method: str.
    accuracies: dict from a column's title to `measures.Statistic`, of the last
      epoch; without columns that were not run.
    is_told: bool, whether it knows of the noise what nobody knows of real data.
    mean_rank: float, the mean over all columns of its rank in the mean over
      seeds, 1 for the best; None if it is told something, or lacks a column.
  """

  title: str
  method: str
  accuracies: dict
  is_told: bool
  mean_rank: float | None


def summarize(cells, found, path):
  """Draws the ranking, and returns it and what a choice would cost, as text.

  Args:
    cells: see `rank`.
    found: see there.
    path: str or path of the PNG file.
  """
  ranked = rank(cells, found)
  draw(ranked, path)
  return "\n\n".join(
    [
      format_ranking(ranked),
      f"Picture: {path}",
      regret.format_regrets(regret.measure(cells, found)),
    ]
  )


def rank(cells, found):
  """Ranks the rows of a table.

  Args:
    cells: sequence of `tables.Cell`.
    found: dict from cell's name to the folders of its finished runs.

  Returns:
    list of `RankedMethod`: those with a rank, the best first; then the others.
  """
  accuracies, configs = {}, {}
  for cell in cells:
    measured = measures_lib.measure(cell, [_MEASURE], found[cell.name])
    row = accuracies.setdefault(cell.row, {})
    if _MEASURE in measured:
      row[cell.column] = measured[_MEASURE]
    configs[cell.row] = cell.config(0)
  told = {title: bool(c.method_options.uses) for title, c in configs.items()}
  columns = list(dict.fromkeys(cell.column for cell in cells))
  whole = [
    title
    for title, row in accuracies.items()
    if len(row) == len(columns) and not told[title]
  ]
  ranks = {title: [] for title in whole}
  for column in columns:
    means = {title: accuracies[title][column].mean for title in whole}
    for title, mean in means.items():
      # Equal means share the mean of their ranks.
      above = sum(other > mean for other in means.values())
      equal = sum(other == mean for other in means.values())
      ranks[title].append(above + (equal + 1) / 2)
  ranked = [
    RankedMethod(
      title,
      configs[title].method,
      row,
      told[title],
      statistics.fmean(ranks[title]) if title in ranks else None,
    )
    for title, row in accuracies.items()
  ]
  return sorted(
    ranked, key=lambda each: (each.mean_rank is None, each.mean_rank or 0)
  )


def format_ranking(ranked):
  """Returns a table of methods by noise, in Markdown.

  The figures are percent, with the sample standard deviation where there are
  several seeds.

  Args:
    ranked: list of `RankedMethod`, of `rank`.
  """
  columns = list(
    dict.fromkeys(column for each in ranked for column in each.accuracies)
  )
  rows = []
  for each in ranked:
    if each.accuracies:
      figures = [_format(each.accuracies.get(column)) for column in columns]
      place = f"{each.mean_rank:.1f}" if each.mean_rank else ""
      rows.append([each.title, *figures, place])
  return text_tables.format_markdown(
    rows, ["last epoch", *columns, "mean rank"], "l"
  )


def _format(statistic):
  if statistic is None:
    return ""
  text = f"{100 * statistic.mean:.1f}"
  return text + (
    "" if statistic.std is None else f" ± {100 * statistic.std:.1f}"
  )


def draw(ranked, path):
  """Draws what `format_ranking` tells.

  Args:
    ranked: list of `RankedMethod`, of `rank`.
    path: str or path of the PNG file.
  """
  titles = {each.method: each.title for each in ranked if not each.is_told}
  plotting.plot_ranking(
    {
      each.title: {
        column: (statistic.mean, statistic.std or 0.0)
        for column, statistic in each.accuracies.items()
      }
      for each in ranked
      if each.accuracies
    },
    path,
    marked=titles.get(tables.MAIN_ROW),
    baseline=titles.get(tables.BASELINE),
  )
