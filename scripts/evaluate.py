"""Evaluates a finished run on the test split, as a table and as JSON.

Example:
  python -m scripts.evaluate --workdir=runs/digits
"""

from flags import cache_flags, weights_flags, workdir_flags
from scripts import cli


def main():
  with cli.silence():
    from nct_tf.evaluation import evaluation
    from nct_tf.workdir import layout

  directory = layout.Workdir(workdir_flags.WORKDIR.value)
  scores = evaluation.evaluate_run(
    directory,
    weights_flags.CHECKPOINT.value,
    weights_flags.USE_EMA.value,
    cache_flags.CACHE.value,
    cache_flags.CACHE_DIR.value,
  )
  directory.write_evaluation(scores)
  print(evaluation.format_evaluation(scores))
  print(f"As JSON: {directory.evaluation_file}")


if __name__ == "__main__":
  cli.run(main, workdir_flags, weights_flags, cache_flags, required=["workdir"])
