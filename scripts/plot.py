r"""Draws the paper's figures from saved runs; scripts.reproduce makes those.

Examples:
  python -m scripts.plot --figure=1 --scale=cpu
  python -m scripts.plot --figure=2 --output=schedules.png
"""

from flags import experiment_flags, plot_flags
from scripts import cli


def main():
  with cli.silence():
    from nct_tf.experiments import figures, reproduction

  path = figures.draw(
    experiment_flags.FIGURE.value,
    experiment_flags.SCALE.value,
    reproduction.Results(experiment_flags.RESULTS_DIR.value),
    experiment_flags.seeds(),
    plot_flags.OUTPUT.value,
  )
  print(f"Figure {experiment_flags.FIGURE.value}: {path}")


if __name__ == "__main__":
  cli.run(main, experiment_flags, plot_flags, required=["figure"])
