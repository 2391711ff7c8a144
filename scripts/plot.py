r"""Draws the paper's figures from saved runs, which scripts.reproduce makes.

Examples:
  python -m scripts.plot --figure=1 --scale=cpu
  python -m scripts.plot --figure=2 --output=schedules.png
"""

from flags import script_flags
from scripts import cli


def main(options):
  with cli.silence():
    from nct_tf.experiments import figures, reproduction

  path = figures.draw(
    options.figure,
    options.scale,
    reproduction.Results(options.results_dir),
    options.seeds,
    options.output,
  )
  print(f"Figure {options.figure}: {path}")


if __name__ == "__main__":
  cli.run(main, script_flags.Plot, required=["figure"])
