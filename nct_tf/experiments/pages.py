"""Tables of experiments, and a page for each cell, in Markdown."""

import dataclasses
import os
import shlex

from nct_tf.experiments import measures as measures_lib, tables
from nct_tf.platform import files
from nct_tf.reporting import text_tables
from nct_tf.workdir import layout


def format_table(table, cells, found, seeds):
  """Returns a table as the paper has it: a row a method and measure.

  What was measured links to the page of its cell; what was not run is empty.

  Args:
    table: an `tables.Table`.
    cells: sequence of its `Cell`s.
    found: dict from cell's name to the folders of its finished runs.
    seeds: sequence of int, those that were asked for.
  """
  columns = list(dict.fromkeys(cell.column for cell in cells))
  by_place = {(cell.row, cell.column): cell for cell in cells}
  measured = {
    cell.name: measures_lib.measure(cell, table.measures, found[cell.name])
    for cell in cells
  }
  chosen_on = {
    layout.Workdir(folder).read_result()["best_selected_on"]
    for folders in found.values()
    for folder in folders
  }
  has_paper = any(cell.paper for cell in cells)
  decimals = _paper_decimals(cells)
  header = ["", ""]
  for column in columns:
    header += [column, "paper"] if has_paper else [column]
  lines = [header, ["---", "---"] + ["---:"] * (len(header) - 2)]
  for row in dict.fromkeys(cell.row for cell in cells):
    for measure in table.measures:
      line = [row, tables.MEASURES[measure]]
      for column in columns:
        cell = by_place.get((row, column))
        statistic = measured[cell.name].get(measure) if cell else None
        folders = found[cell.name] if cell else ()
        line.append(_format_own(statistic, folders, len(seeds)))
        if has_paper:
          line.append(_format_paper(cell, measure, decimals))
      if any(line[2:]):
        lines.append(line)
  return "\n".join(
    [
      f"**{_caption(table, len(seeds))}** {_explain_best(chosen_on)}".rstrip(),
      "",
      *(f"| {' | '.join(line)} |" for line in lines),
    ]
  )


def _caption(table, num_seeds):
  name = f"Table {table.number}: {table.title}"
  if table.scale != "paper":
    name = f"{name} ({table.scale} edition)"
  if num_seeds == 1:
    return f"{name}. Percent, one seed."
  return (
    f"{name}. Percent, mean ± sample standard deviation over {num_seeds} seeds "
    "where no other number stands in brackets."
  )


def _explain_best(splits):
  """Says on what best epochs were chosen: the test split is an optimist's."""
  if not splits:
    return ""
  names = " or ".join(sorted(splits))
  return f"Best: of the epoch that is best on the {names} split."


def _format_own(statistic, folders, num_seeds):
  if statistic is None:
    return ""
  text = f"{100 * statistic.mean:.1f}"
  if statistic.std is not None:
    text += f" ± {100 * statistic.std:.1f}"
  if statistic.num_seeds != num_seeds:
    text += f" ({statistic.num_seeds})"
  return f"[{text}]({os.path.relpath(folders[0].parent)}/)"


def _paper_decimals(cells):
  """Returns how many the paper's figures have: JSON drops a last zero."""
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
    folder: `pathlib.Path` of the cell, in which its finished runs are, each in
      a folder that is called as its seed.
    table: an `tables.Table`.
    cell: its `Cell`.
  """
  measures = ("best", "last", "last10", "memorised")
  titles = [tables.MEASURES[measure] for measure in measures]
  header = ["seed", "accuracy of", *titles, "time", ""]
  lines = [header, ["---"] * 2 + ["---:"] * 5 + ["---"]]
  commands, figures, chosen_on = [], [], set()
  for path in sorted(folder.glob("seed*/result.json")):
    directory = layout.Workdir(path.parent)
    name = directory.path.name
    result, history = directory.read_result(), directory.read_history()
    chosen_on.add(result["best_selected_on"])
    workdir = f"runs/{table.folder}/{cell.name}/{name}"
    config = dataclasses.replace(directory.read_config(), workdir=workdir)
    commands.append(
      shlex.join(["python", "-m", "scripts.train", *config.to_flags()])
    )
    own_files = (
      directory.history_file,
      directory.result_file,
      directory.flags_file,
    )
    links = [f"[{file.name}]({name}/{file.name})" for file in own_files]
    time = f"{result['seconds']:.0f} s"
    for accuracy in measures_lib.accuracies(result):
      measured = measures_lib.measure_run(accuracy, result, history)
      values = [text_tables.percent(measured[measure]) for measure in measures]
      seed = name.removeprefix("seed")
      lines.append([seed, accuracy, *values, time, " ".join(links)])
    if directory.memorisation_file.exists():
      figures.append(f"![What it memorised]({name}/memorisation.png)")
  text = [
    f"# {cell.row}, {cell.column} ({table.title})",
    "",
    *(f"| {' | '.join(line)} |" for line in lines),
    "",
    _explain_best(chosen_on),
    "",
    "```shell",
    *commands,
    "```",
    "",
    *figures[:1],
  ]
  files.write_atomically(folder / "README.md", "\n".join(text).strip() + "\n")
