"""Ranks a finished run's labels by how likely they are wrong.

Test labels are ranked too, unless they are known to be right. Writes these
files into audit/ in the run's folder: index.html, to look at;
labels.csv; audit.json, with figures; labels.npy and pred_probs.npy, for
cleanlab.

Example:
  python -m scripts.audit --workdir=runs/digits
"""

from flags import script_flags
from scripts import cli, next_steps


def main(options):
  with cli.silence():
    from nct_tf.audit import report, run_audit
    from nct_tf.workdir import layout

  directory = layout.Workdir(options.workdir)
  result = run_audit.audit_run(
    directory,
    num_folds=options.folds,
    checkpoint=options.checkpoint,
    use_ema=options.use_ema,
    cache=options.cache,
    cache_dir=options.cache_dir,
    time_budget_minutes=options.time_budget_minutes,
    force=options.force,
    dataset=options.dataset,
  )
  folder = directory.audit_dir(options.folds)
  print(report.format_audit(report.summarize(result)))
  print(
    f"To look at, and to decide on: {folder / 'index.html'}\n"
    "It lets the browser save decisions.csv. Move that file to "
    f"{report.decisions_file(directory)}, and train again with it."
  )
  next_steps.say_command(report.retraining_command(directory))


if __name__ == "__main__":
  cli.run(main, script_flags.Audit, required=["workdir"])
