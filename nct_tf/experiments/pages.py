"""Tables of experiments, and a page for each cell, in Markdown."""

import dataclasses
import os
import shlex

from nct_tf.experiments import measures as measures_lib, ranking, tables
from nct_tf.reporting import text_tables
from nct_tf.system import files
from nct_tf.workdir import layout

# What the page of a cell tells of each run.
_CELL_MEASURES = ("best", "last", "last10", "memorised")


def describe(table, cells, found, seeds, picture=None):
  """Returns what there is to print of a table: list of str, in their order.

  A table of all methods begins with their ranking, and with how good a choice
  among them is. The last one is the table as the paper has it.

  Args:
    table: see `format_table`.
    cells: see there.
    found: see there.
    seeds: see there.
    picture: str or path of the PNG file that the ranking is drawn into; None
      for no picture.
  """
  parts = []
  if table.name in tables.RANKED:
    parts = ranking.summarize(cells, found, picture)
  return [*parts, format_table(table, cells, found, seeds)]


def format_table(table, cells, found, seeds):
  """Returns a table as the paper has it: a row for each method and measure.

  A figure that was measured links to the page of its cell. A cell that was not
  run is empty.

  Args:
    table: a `tables.Table`.
    cells: sequence of its `Cell`s.
    found: dict from cell's name to the folders of its finished runs.
    seeds: sequence of int, those that were asked for.
  """
  columns = list(dict.fromkeys(cell.column for cell in cells))
  has_paper = any(cell.paper for cell in cells)
  header = ["", ""]
  for column in columns:
    header += [column, _published(table)] if has_paper else [column]
  chosen_on = {
    layout.Workdir(folder).read_result()["best_selected_on"]
    for folders in found.values()
    for folder in folders
  }
  caption = f"**{_caption(table, len(seeds))}** {_explain_best(chosen_on)}"
  lines = _format_rows(table, cells, columns, found, len(seeds), has_paper)
  markdown = text_tables.format_markdown(lines, header, "ll")
  remarks = table.remarks_on(cells)
  return "\n\n".join([caption.rstrip(), *remarks, markdown])


def _published(table):
  """Returns the heading of published figures: str."""
  return "published" if table.scale == tables.PUBLISHED else "paper"


def _format_rows(table, cells, columns, found, num_seeds, has_paper):
  """Returns the rows that are not empty: lists of str."""
  by_place = {(cell.row, cell.column): cell for cell in cells}
  measured = measures_lib.measure_all(cells, table.measures, found)
  decimals = _paper_decimals(cells)
  rows = []
  for title in dict.fromkeys(cell.row for cell in cells):
    for measure in table.measures:
      figures = []
      for column in columns:
        cell = by_place.get((title, column))
        statistic = measured[cell.name].get(measure) if cell else None
        folders = found[cell.name] if cell else ()
        scale = 1 if measure in tables.RELATIVE else 100
        figures.append(_format_own(statistic, folders, num_seeds, scale))
        if has_paper:
          figures.append(_format_paper(cell, measure, decimals))
      if any(figures):
        name = title + _remark(by_place, title)
        rows.append([name, tables.MEASURES[measure], *figures])
  return rows


def _remark(cells, title):
  """Returns what has to be known of a row's figures, for its title.

  That is what the runs are told that nobody knows, and whether the published
  figures were not checked.

  Args:
    cells: dict from pairs of titles, a row's and a column's, to `Cell`.
    title: str, the row's.
  """
  own = [cell for (row, _), cell in cells.items() if row == title]
  uses = {each for cell in own for each in cell.config(0).method_options.uses}
  remarks = [f"uses {' and '.join(sorted(uses))}"] if uses else []
  if not all(cell.is_checked for cell in own):
    remarks.append("published figures are quoted, not checked")
  return f" ({'; '.join(remarks)})" if remarks else ""


def _caption(table, num_seeds):
  if num_seeds == 1:
    return f"{table.caption}. Percent, one seed."
  return (
    f"{table.caption}. Percent, mean ± sample standard deviation over "
    f"{num_seeds} seeds where no other number stands in brackets."
  )


def _explain_best(splits):
  """Says on which splits the best epochs were chosen.

  It matters: an epoch chosen on the test split looks better than it is.
  """
  if not splits:
    return ""
  names = " or ".join(sorted(splits))
  return f"Best: of the epoch that is best on the {names} split."


def _format_own(statistic, folders, num_seeds, scale):
  if statistic is None:
    return ""
  text = statistic.to_text(num_seeds, scale)
  return f"[{text}]({os.path.relpath(folders[0].parent)}/)"


def _paper_decimals(cells):
  """Returns how many decimals the paper's figures have.

  It is the most that any figure has, as JSON drops a last zero.
  """
  numbers = [
    str(number)
    for cell in cells
    for figures in cell.paper.values()
    for number in figures
  ]
  return max((len(text.partition(".")[2]) for text in numbers), default=0)


def _format_paper(cell, measure, decimals):
  numbers = cell.paper.get(measure, ()) if cell else ()
  return " ± ".join(f"{number:.{decimals}f}" for number in numbers)


def write_cell_page(folder, table, cell):
  """Writes `README.md` of a cell: its commands, histories and figure.

  Args:
    folder: `pathlib.Path` of the cell. Each finished run is in a folder there
      that is called after its seed.
    table: a `tables.Table`.
    cell: its `Cell`.
  """
  directories = [
    layout.Workdir(path.parent)
    for path in sorted(folder.glob("seed*/result.json"))
  ]
  titles = [tables.MEASURES[measure] for measure in _CELL_MEASURES]
  header = ["seed", "accuracy of", *titles, "time", ""]
  rows = [row for each in directories for row in _format_run(each)]
  chosen_on = {each.read_result()["best_selected_on"] for each in directories}
  figures = [
    f"![What it memorised]({each.path.name}/{each.memorisation_file.name})"
    for each in directories
    if each.memorisation_file.exists()
  ]
  text = [
    f"# {cell.row}, {cell.column} ({table.title})",
    "",
    text_tables.format_markdown(rows, header, "llrrrrrl"),
    "",
    _explain_best(chosen_on),
    "",
    *(line for remark in table.remarks_on([cell]) for line in (remark, "")),
    "```shell",
    *(_command(each, f"{table.folder}/{cell.name}") for each in directories),
    "```",
    "",
    *figures[:1],
  ]
  files.write_atomically(folder / "README.md", "\n".join(text).strip() + "\n")


def _format_run(directory):
  """Returns the rows of a run, one for each accuracy that it tells."""
  name = directory.path.name
  result, history = directory.read_result(), directory.read_history()
  links = " ".join(
    f"[{file.name}]({name}/{file.name})"
    for file in (
      directory.history_file,
      directory.result_file,
      directory.flags_file,
    )
  )
  rows = []
  for accuracy in measures_lib.accuracies(result):
    measured = measures_lib.measure_run(accuracy, result, history)
    values = [text_tables.percent(measured[each]) for each in _CELL_MEASURES]
    time = f"{result['seconds']:.0f} s"
    rows.append([name.removeprefix("seed"), accuracy, *values, time, links])
  return rows


def _command(directory, cell_folder):
  """Returns the command that makes a run, in a folder below `runs/`: str."""
  workdir = f"runs/{cell_folder}/{directory.path.name}"
  config = dataclasses.replace(directory.read_config(), workdir=workdir)
  return shlex.join(["python", "-m", "scripts.train", *config.to_flags()])
