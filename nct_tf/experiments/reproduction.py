"""Runs the cells of the paper's tables, and keeps their results."""

import dataclasses
import logging
import pathlib
import shutil

from nct_tf import config as config_lib, datasets, errors, units
from nct_tf.evaluation import information_compression
from nct_tf.experiments import children, pages, tables
from nct_tf.system import (
  child_process,
  command_line,
  files,
)
from nct_tf.workdir import layout

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Run:
  """One seed of a cell.

  Attributes:
    table: the `tables.Table`.
    cell: its `Cell`.
    config: the run's `TrainConfig`, with its workdir.
  """

  table: tables.Table
  cell: tables.Cell
  config: config_lib.TrainConfig

  @property
  def name(self):
    """Its folder among all runs, such as `cpu/table1/sym50/seed0`: str."""
    return f"{self.table.folder}/{self.cell.name}/seed{self.config.seed}"

  @property
  def runs_dir(self):
    """The folder of all workdirs: `pathlib.Path`."""
    return pathlib.Path(self.config.workdir.removesuffix(self.name))

  @property
  def command(self):
    """The command that trains it: list of str."""
    flags = self.config.to_flags()
    return [command_line.python(), "-m", "scripts.train", *flags]


def plan(table, cells, seeds, runs_dir, **circumstances):
  """Lists the runs of some cells, those of the first seed first.

  Args:
    table: a `tables.Table`.
    cells: sequence of its `Cell`s.
    seeds: sequence of int.
    runs_dir: str, the folder of all workdirs.
    **circumstances: fields of the config that no result depends on.

  Returns:
    list of `Run`. Of cells whose runs would be equal, only the first has one.
  """
  runs = {}
  for seed in seeds:
    for cell in cells:
      path = pathlib.Path(runs_dir, table.folder, cell.name, f"seed{seed}")
      config = cell.config(seed, workdir=str(path), **circumstances)
      runs.setdefault(config.without_circumstances(), Run(table, cell, config))
  return list(runs.values())


class Results:
  """The finished runs that a folder keeps, each by a few small files.

  Args:
    folder: str; need not exist.
  """

  def __init__(self, folder):
    self.folder = pathlib.Path(folder)
    self._runs = {}
    for path in sorted(self.folder.glob("**/result.json")):
      config = layout.Workdir(path.parent).read_config()
      self._runs.setdefault(config.without_circumstances(), path.parent)

  def check_writable(self):
    """Makes the folder; raises `InvalidInputError` if nothing can go there."""
    try:
      files.make_writable(self.folder)
    except OSError as error:
      raise errors.InvalidInputError(
        f"Results folder {self.folder} cannot be written to: {error.strerror}"
      ) from error

  def find(self, config):
    """Returns the `pathlib.Path` of a kept run that equals one, or None.

    Args:
      config: the `TrainConfig` of the run that is wanted.
    """
    return self._runs.get(config.without_circumstances())

  def of_cells(self, cells, seeds):
    """Returns dict from cell's name to the folders of its finished runs."""
    paths = {
      cell.name: [self.find(cell.config(seed)) for seed in seeds]
      for cell in cells
    }
    return {name: list(filter(None, each)) for name, each in paths.items()}

  def of_some(self, cells, seeds):
    """As `of_cells`; raises `InvalidInputError` if no run is finished."""
    found = self.of_cells(cells, seeds)
    if not any(found.values()):
      raise errors.InvalidInputError(
        f"Folder {self.folder} has no finished run of these cells: make them "
        "without --notrain, or name another --results_dir"
      )
    return found

  def keep(self, run):
    """Copies the small files of a finished run, and renews its cell's page."""
    source = layout.Workdir(run.config.workdir)
    target = layout.Workdir(self.folder / run.name)
    target.path.mkdir(parents=True, exist_ok=True)
    config = run.config.without_circumstances()
    files.write_atomically(target.flags_file, config.to_flagfile())
    shutil.copyfile(source.history_file, target.history_file)
    figure = source.memorisation_file
    siblings = target.path.parent.glob(f"*/{figure.name}")
    if figure.exists() and not any(siblings):  # One a cell is enough to see.
      shutil.copyfile(figure, target.memorisation_file)
    # The run itself names its files by where they are on this machine.
    result = {**source.read_result(), "dataset": run.config.dataset}
    target.write_result(result)
    self._runs[config] = target.path
    pages.write_cell_page(target.path.parent, run.table, run.cell)


def run_all(runs, results, num_jobs=1):
  """Trains the runs that are not in the results yet, some at a time.

  A run that was interrupted before goes on from its last checkpoint.

  Args:
    runs: sequence of `Run`.
    results: `Results`, which gets each run as soon as it ends.
    num_jobs: int, how many train at a time, sharing the processors.

  Raises:
    TrainingInterrupted: if this process or a training was asked to stop. All
      trainings have ended then, and finished ones are kept.
    InvalidInputError: if a run failed. All others have ended before.
  """
  pending = [run for run in runs if not _is_finished(run, results)]
  _logger.info(
    "%d runs, %d of them finished", len(runs), len(runs) - len(pending)
  )
  if pending:  # Known before hours are spent.
    results.check_writable()
  _download(pending)

  def finish(run):
    results.keep(run)
    return _describe(results, run)

  failed = children.train_all(
    pending, num_jobs, lambda jobs, run: jobs.train(run.config), finish
  )
  if failed:
    raise children.failure(failed, len(pending))


def _download(runs):
  """Downloads the data of runs that ask for it, where progress is seen.

  Trainings write to log files, and two of them might download the same.
  """
  needed = dict.fromkeys(
    (run.config.dataset, run.config.data_dir)
    for run in runs
    if run.config.download
  )
  if needed:
    child_process.run_each(datasets.prepare, list(needed))


def measure_compression(runs, results):
  """Measures what Figure 3 shows, for finished runs that lack it.

  Args:
    runs: sequence of `Run`.
    results: `Results` with all of them.

  Raises:
    InvalidInputError: if a run's workdir, with its weights, is gone.
  """
  for run in runs:
    kept = layout.Workdir(results.find(run.config))
    if not kept.compression_file.exists():
      # It may be a run of another table.
      name = kept.path.relative_to(results.folder)
      directory = layout.Workdir(run.runs_dir / name)
      if not directory.result_file.exists():
        raise errors.InvalidInputError(
          f"Figure 3 needs the weights of {directory.path}, which is gone: "
          f"name its --runs_dir, or move {kept.path} away to train it again"
        )
      kept.write_compression(information_compression.measure(directory))
      _logger.info("%s: features measured", name)


def _is_finished(run, results):
  """Returns whether a run need not be trained, and sees that it is kept."""
  if results.find(run.config):
    return True
  directory = layout.Workdir(run.config.workdir)
  if directory.find_run(run.config) != "finished":
    return False
  results.keep(run)
  return True


def _describe(results, run):
  result = layout.Workdir(results.find(run.config)).read_result()
  return (
    f"best {result['best_accuracy']:.1%}, last {result['last_accuracy']:.1%}, "
    + units.seconds(result["seconds"])
  )
