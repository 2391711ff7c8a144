r"""Runs cells of the paper's tables, and prints them beside what it says.

What --results_dir holds is not run again, and what was interrupted goes on.

Examples:
  python -m scripts.reproduce --table=1 --cell=cifar100_sym20 --dry_run
  python -m scripts.reproduce --table=1 --scale=cpu --jobs=2 --download
  python -m scripts.reproduce --figure=3 --scale=cpu --jobs=2 --download
"""

import shlex

from flags import data_dir_flags, experiment_flags, reproduce_flags
from scripts import cli


def main():
  with cli.silence():
    from nct_tf import errors
    from nct_tf.experiments import costs, figures, pages, reproduction, tables

  scale = experiment_flags.SCALE.value
  seeds = experiment_flags.seeds()
  figure = experiment_flags.FIGURE.value
  if (figure is None) == (reproduce_flags.TABLE.value is None):
    raise errors.InvalidInputError("either --table or --figure must be given")
  if figure is None:
    table = tables.load(reproduce_flags.TABLE.value, scale)
    cells = table.choose(reproduce_flags.CELL.value)
  else:
    table, cells = tables.of_figure(figure, scale)
    seeds = figures.seeds_of(figure, seeds)
  runs = reproduction.plan(
    table,
    cells,
    seeds,
    reproduce_flags.RUNS_DIR.value,
    **cli.flag_values(data_dir_flags),
  )
  if reproduce_flags.DRY_RUN.value:
    for run in runs:
      print(shlex.join(run.command))
    print(costs.format_costs(costs.estimate(cells, len(seeds))))
    return
  results = reproduction.Results(experiment_flags.RESULTS_DIR.value)
  reproduction.run_all(runs, results, reproduce_flags.JOBS.value)
  if figure is None:
    found = results.of_cells(cells, seeds)
    print(pages.format_table(table, cells, found, seeds))
    return
  if figure == 3:
    reproduction.measure_compression(runs, results)
  path = figures.draw(figure, scale, results, seeds)
  print(f"Figure {figure}: {path}")


if __name__ == "__main__":
  cli.run(main, experiment_flags, reproduce_flags, data_dir_flags)
