r"""Prints finished runs in a table, and draws their memorisation side by side.

Example:
  python -m scripts.compare --workdirs=runs/nct,runs/standard \
    --figure=runs/memorisation.png
"""

from flags import script_flags
from scripts import cli, next_steps


def main(options):
  with cli.silence():
    from nct_tf.reporting import plotting
    from nct_tf.workdir import layout, result

  directories = [layout.Workdir(path) for path in options.workdirs]
  results = [each.read_result() for each in directories]
  print(result.format_results(results, options.workdirs))
  print(result.format_legend(results, options.workdirs))
  if options.figure:
    names = _names([each.path for each in directories])
    plotting.plot_memorisation(
      [
        (name, own_result, each.read_history())
        for name, own_result, each in zip(
          names, results, directories, strict=True
        )
      ],
      options.figure,
    )
    print(f"The paper's Figure 1 of these runs: {options.figure}")
  accuracies = {
    directory: own_result["last_accuracy"]
    for directory, own_result in zip(directories, results, strict=True)
    if directory.checkpoints_dir.exists()  # Not of results that were copied.
  }
  if accuracies:
    best = max(accuracies, key=accuracies.get)
    next_steps.say("evaluate", f"--workdir={best.path}")


def _names(paths):
  """Returns the folders' names, or those of their parents if all are alike."""
  shown = paths = [path.resolve() for path in paths]
  while len(set(paths)) > 1 and len({path.name for path in shown}) == 1:
    shown = [path.parent for path in shown]
  return [path.name for path in shown]


if __name__ == "__main__":
  cli.run(main, script_flags.Compare, required=["workdirs"])
