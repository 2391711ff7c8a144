"""Evaluates a finished run on the test split, as a table and as JSON.

Example:
  python -m scripts.evaluate --workdir=runs/digits
"""

from flags import script_flags
from scripts import cli, next_steps


def main(options):
  with cli.silence():
    from nct_tf.evaluation import evaluation
    from nct_tf.workdir import layout

  directory = layout.Workdir(options.workdir)
  scores = evaluation.evaluate_run(
    directory,
    checkpoint=options.checkpoint,
    use_ema=options.use_ema,
    cache=options.cache,
    cache_dir=options.cache_dir,
    label_decisions=options.label_decisions,
    dataset=options.dataset,
    other_data=options.other_data,
  )
  directory.write_evaluation(scores)
  print(evaluation.format_evaluation(scores))
  print(f"As JSON: {directory.evaluation_file}")
  next_steps.say(
    "export",
    f"--workdir={options.workdir}",
    f"--export_dir={next_steps.exports_of(options.workdir)}",
    *next_steps.weights_flags(options),
  )


if __name__ == "__main__":
  cli.run(main, script_flags.Evaluate, required=["workdir"])
