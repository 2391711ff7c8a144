"""Draws the paper's figures from the runs of its experiments."""

import logging
import pathlib

from nct_tf import errors
from nct_tf.experiments import tables
from nct_tf.reporting import plotting
from nct_tf.system import command_line
from nct_tf.workdir import layout

_logger = logging.getLogger(__name__)


def draw(number, scale, results, seeds, path=None):
  """Draws a figure of the paper.

  Args:
    number: int, 1 to 3.
    scale: str, of `tables.SCALES`.
    results: the `reproduction.Results` with its runs. Figure 2 needs no runs.
    seeds: sequence of int, those of the runs; see `seeds_of`.
    path: str, the PNG file; None for its place in the folder of the results.

  Returns:
    `pathlib.Path` of the file.

  Raises:
    InvalidInputError: if a cell has no run, or the file cannot be written. If
      a cell has fewer runs than seeds, a warning says so.
  """
  path = pathlib.Path(path or results.folder / scale / f"figure{number}.png")
  seeds = seeds_of(number, seeds)
  if number == 1:
    runs = [
      (directory.path.parent.name, directory.read_result(), history)
      for directory in _directories(number, scale, results, seeds)
      for history in [directory.read_history()]
    ]
    plotting.plot_memorisation(runs, path)
  elif number == 2:
    plotting.plot_schedules(path)
  else:
    directories = _directories(number, scale, results, seeds)
    plotting.plot_compression(
      [directory.read_compression() for directory in directories], path
    )
  return path


def seeds_of(number, seeds):
  """Returns the seeds that a figure shows: Figure 1 shows only the first."""
  return seeds[:1] if number == 1 else seeds


def _directories(number, scale, results, seeds):
  """Returns the `Workdir`s of a figure's runs, cell by cell."""
  table, cells = tables.of_figure(number, scale)
  found = results.of_cells(cells, seeds)
  for cell in cells:
    if not found[cell.name]:
      raise errors.InvalidInputError(
        f"Figure {number} needs a run of cell {cell.name} of {table.folder}, "
        f"which is not in {results.folder}: make it by "
        + command_line.module(
          "scripts.reproduce",
          f"--figure={number}",
          f"--scale={scale}",
          f"--seeds={','.join(map(str, seeds))}",
        )
      )
    if len(found[cell.name]) < len(seeds):
      _logger.warning(
        "Figure %d has %d of %d seeds of cell %s",
        number,
        len(found[cell.name]),
        len(seeds),
        cell.name,
      )
  return [
    layout.Workdir(folder) for folders in found.values() for folder in folders
  ]
