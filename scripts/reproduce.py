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
    from nct_tf.experiments import (
      costs,
      figures,
      pages,
      ranking,
      reproduction,
      tables,
    )

  scale, seeds, figure = options.scale, options.seeds, options.figure
  if figure is not None:
    table, cells = tables.of_figure(figure, scale)
    seeds = figures.seeds_of(figure, seeds)
  else:
    published = options.published
    table = (
      tables.load(options.table, scale)
      if published is None
      else tables.load_published(published)
    )
    cells = table.choose(options.cell)
  elsewhere = cells
  if options.dataset is not None:
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
    for run in runs:
      print(shlex.join(run.command))
    print(costs.format_costs(costs.estimate(cells, len(seeds))))
    given = option_flags.given(script_flags.Reproduce, without=["dry_run"])
    next_steps.say("reproduce", *given.values())
    return
  results = reproduction.Results(options.results_dir)
  if options.train:
    reproduction.run_all(runs, results, options.jobs)
  if figure is None:
    found = results.of_some(elsewhere, seeds)
    if table.name in tables.RANKED:
      # A part of the table must not take the place of the whole one's picture.
      path = None if options.cell else results.folder / f"{table.folder}.png"
      for part in ranking.summarize(cells, found, path):
        print(part + "\n")
    print(pages.format_table(table, cells, found, seeds))
    next_steps.after_reproduction(found)
    return
  if figure == 3:
    reproduction.measure_compression(runs, results)
  path = figures.draw(figure, scale, results, seeds)
  print(f"Figure {figure}: {path}")


if __name__ == "__main__":
  cli.run(main, script_flags.Reproduce)
