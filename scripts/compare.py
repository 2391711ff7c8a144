r"""Prints finished runs in a table, and draws their memorisation side by side.

Example:
  python -m scripts.compare --workdirs=runs/nct,runs/standard \
    --figure=runs/memorisation.png
"""

from flags import compare_flags
from scripts import cli


def main():
  with cli.silence():
    from nct_tf.reporting import plotting
    from nct_tf.workdir import layout, result

  directories = [layout.Workdir(path) for path in compare_flags.WORKDIRS.value]
  results = [each.read_result() for each in directories]
  print(result.format_results(results, compare_flags.WORKDIRS.value))
  print(result.LEGEND)
  if compare_flags.FIGURE.value:
    plotting.plot_memorisation(
      [
        (each.path.name, own_result, each.read_history())
        for each, own_result in zip(directories, results, strict=True)
      ],
      compare_flags.FIGURE.value,
    )
    print(f"The paper's Figure 1 of these runs: {compare_flags.FIGURE.value}")


if __name__ == "__main__":
  cli.run(main, compare_flags, required=["workdirs"])
