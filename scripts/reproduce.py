r"""Runs cells of published tables, and prints results beside the published.

Runs that --results_dir holds are not repeated, and interrupted runs go on.

Examples:
  python -m scripts.reproduce --table=1 --cell=cifar100_sym20 --dry_run
  python -m scripts.reproduce --table=1 --scale=cpu --jobs=2 --download
  python -m scripts.reproduce --figure=3 --scale=cpu --jobs=2 --download
  python -m scripts.reproduce --published=standard --cell=mnist_sym20_phuber
"""

import shlex

from flags import option_flags, script_flags
from scripts import cli, next_steps


def main(options):
  with cli.silence():
    from nct_tf.experiments import figures, reproduction, tables

  scale, seeds, figure = options.scale, options.seeds, options.figure
  if figure is not None:
    table, cells = tables.of_figure(figure, scale)
    seeds = figures.seeds_of(figure, seeds)
  else:
    table = (
      tables.load(options.table, scale)
      if options.published is None
      else tables.load_published(options.published)
    )
    cells = table.choose(options.cell)
  elsewhere = tables.on_dataset(cells, options.dataset)
  runs = reproduction.plan(
    table,
    elsewhere,
    seeds,
    options.runs_dir,
    data_dir=options.data_dir,
    download=options.download,
  )
  if options.dry_run:
    _print_plan(runs, cells, len(seeds))
    return
  results = reproduction.Results(options.results_dir)
  if options.train:
    reproduction.run_all(runs, results, options.jobs)
  if figure is None:
    found = results.of_some(elsewhere, seeds)
    _print_table(table, cells, found, results, options)
    return
  if figure == 3:
    reproduction.measure_compression(runs, results)
  path = figures.draw(figure, scale, results, seeds)
  print(f"Figure {figure}: {path}")


def _print_plan(runs, cells, num_seeds):
  from nct_tf.experiments import costs

  for run in runs:
    print(shlex.join(run.command))
  print(costs.format_costs(costs.estimate(cells, num_seeds)))
  given = option_flags.given(script_flags.Reproduce, without=["dry_run"])
  next_steps.say("reproduce", *given.values())


def _print_table(table, cells, found, results, options):
  from nct_tf.experiments import pages

  # A part of the table must not take the place of the whole one's picture.
  path = results.folder / f"{table.folder}.png" if options.is_whole else None
  print("\n\n".join(pages.describe(table, cells, found, options.seeds, path)))
  next_steps.after_reproduction(found)


if __name__ == "__main__":
  cli.run(main, script_flags.Reproduce)
