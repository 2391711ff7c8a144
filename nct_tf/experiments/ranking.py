"""Ranks methods by their accuracy under each kind of noise."""

import dataclasses
import statistics

from nct_tf.experiments import measures as measures_lib, regret, tables
from nct_tf.reporting import plotting, text_tables

_MEASURES = ("last", "found", "time")


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
      seeds, 1 for the best; None if it is told something, or lacks a column
      that others have.
    found: float, how well its scores find the wrong labels, the mean average
      precision over all columns that have some; None if it lacks a column.
    time: float, its processor time as a multiple of standard training's, the
      mean over all columns; None likewise.
  """

  title: str
  method: str
  accuracies: dict
  is_told: bool
  mean_rank: float | None
  found: float | None
  time: float | None


def summarize(cells, found, path=None):
  """Draws the ranking, and returns what there is to print.

  Args:
    cells: see `rank`.
    found: see there.
    path: str or path of the PNG file; None for no picture.

  Returns:
    list of str: the ranking, what a choice would cost, and a line that names
    the picture, if there is one.
  """
  ranked = rank(cells, found)
  parts = [
    format_ranking(ranked),
    regret.format_regrets(regret.measure(cells, found), titles(ranked)),
  ]
  if path is not None:
    draw(ranked, path)
    parts.append(f"Picture: {path}")
  return parts


def titles(ranked):
  """Returns dict from method to title, of those that are told nothing.

  Args:
    ranked: list of `RankedMethod`, of `rank`.
  """
  return {each.method: each.title for each in ranked if not each.is_told}


def rank(cells, found):
  """Ranks the rows of a table, over the columns that have a run.

  Args:
    cells: sequence of `tables.Cell`.
    found: dict from cell's name to the folders of its finished runs.

  Returns:
    list of `RankedMethod`: those with a rank, the best first; then the others.
  """
  measured = measures_lib.measure_all(cells, _MEASURES, found)
  rows = {}
  for cell in cells:
    rows.setdefault(cell.row, []).append(cell)
  accuracies = {
    title: {
      cell.column: measured[cell.name]["last"]
      for cell in row
      if "last" in measured[cell.name]
    }
    for title, row in rows.items()
  }
  options = {
    title: row[0].config(0).method_options for title, row in rows.items()
  }
  num_columns = len(set().union(*accuracies.values()))
  whole = {
    title for title, row in accuracies.items() if len(row) == num_columns
  }
  ranks = _mean_ranks(
    {
      title: {column: each.mean for column, each in row.items()}
      for title, row in accuracies.items()
      if title in whole and not options[title].uses
    }
  )
  ranked = []
  for title, row in rows.items():
    own = [measured[cell.name] for cell in row] if title in whole else ()
    ranked.append(
      RankedMethod(
        title,
        row[0].config(0).method,
        accuracies[title],
        bool(options[title].uses),
        ranks.get(title),
        _mean_over_columns(own, "found"),
        _mean_over_columns(own, "time"),
      )
    )
  return sorted(
    ranked, key=lambda each: (each.mean_rank is None, each.mean_rank or 0)
  )


def _mean_ranks(accuracies):
  """Returns the mean over columns of ranks; equals share the mean of theirs.

  Args:
    accuracies: dict from title to dict from column to float.

  Returns:
    dict from title to float, 1 for one that is the best everywhere.
  """
  ranks = {title: [] for title in accuracies}
  for title, row in accuracies.items():
    for column, mean in row.items():
      others = [other[column] for other in accuracies.values()]
      above = sum(other > mean for other in others)
      ranks[title].append(above + (others.count(mean) + 1) / 2)
  return {title: statistics.fmean(own) for title, own in ranks.items()}


def _mean_over_columns(measured, name):
  """Returns the mean of a measure where there is one; None if nowhere."""
  values = [each[name].mean for each in measured if name in each]
  return statistics.fmean(values) if values else None


def format_ranking(ranked):
  """Returns a table of methods by noise, in Markdown.

  The accuracies are percent, with the sample standard deviation where there are
  several seeds; so is how well wrong labels are found. A number in brackets
  says that an accuracy has so many seeds, and others of its column have more.

  Args:
    ranked: list of `RankedMethod`, of `rank`.
  """
  columns = list(
    dict.fromkeys(column for each in ranked for column in each.accuracies)
  )
  most_seeds = {
    column: max(
      each.accuracies[column].num_seeds
      for each in ranked
      if column in each.accuracies
    )
    for column in columns
  }
  rows = [
    [
      each.title,
      *(
        each.accuracies[column].to_text(number)
        if column in each.accuracies
        else ""
        for column, number in most_seeds.items()
      ),
      _format_number(each.mean_rank),
      _format_number(each.found, 100),
      _format_number(each.time),
    ]
    for each in ranked
    if each.accuracies
  ]
  header = ("last epoch", *columns, "mean rank", "wrong labels found", "time")
  return text_tables.format_markdown(rows, header, "l")


def _format_number(value, scale=1):
  return "" if value is None else f"{scale * value:.1f}"


def draw(ranked, path):
  """Draws what `format_ranking` tells.

  Args:
    ranked: list of `RankedMethod`, of `rank`.
    path: str or path of the PNG file.
  """
  by_method = titles(ranked)
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
    marked=by_method.get(tables.MAIN_ROW),
    baseline=by_method.get(tables.BASELINE),
    told=[each.title for each in ranked if each.accuracies and each.is_told],
  )
