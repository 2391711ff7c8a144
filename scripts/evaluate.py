"""Evaluates a finished run on the test split, as a table and as JSON.

Example:
  python -m scripts.evaluate --workdir=runs/digits
"""

from flags import script_flags
from scripts import cli


def main(options):
  with cli.silence():
    from nct_tf.evaluation import evaluation
    from nct_tf.workdir import layout

  directory = layout.Workdir(options.workdir)
  scores = evaluation.evaluate_run(
    directory,
    options.checkpoint,
    options.use_ema,
    options.cache,
    options.cache_dir,
  )
  directory.write_evaluation(scores)
  print(evaluation.format_evaluation(scores))
  print(f"As JSON: {directory.evaluation_file}")


if __name__ == "__main__":
  cli.run(main, script_flags.Evaluate, required=["workdir"])
