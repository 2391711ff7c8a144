r"""Writes a copy of your own images with the labels that you decided on.

The original stays as it is. The copy is a new folder, CSV file or npz file, as
the dataset is one.

Example:
  python -m scripts.apply_decisions --workdir=runs/own \
    --decisions=runs/own/decisions.csv --output=pictures/corrected
"""

from flags import script_flags
from scripts import cli, next_steps


def main(options):
  with cli.silence():
    from nct_tf.audit import corrected_copy, report
    from nct_tf.workdir import layout, run_dataset

  dataset, decisions = options.dataset, [options.decisions]
  accepted = options.accept_findings
  directory, overridden = None, []
  if options.workdir is not None:
    directory = layout.Workdir(options.workdir)
    config = run_dataset.configure(
      directory, options.dataset, cache_dir=options.cache_dir
    )
    corrected_copy.check_run(config)
    dataset = config.dataset
    accepted = (*accepted, *config.accept_findings)
    own = options.decisions or str(report.decisions_file(directory))
    decisions = [*config.decision_files, own]
    if config.label_decisions:
      overridden = ["--label_decisions="]
    run_dataset.check(directory, config)
  copy = corrected_copy.write(
    dataset, decisions, options.output, options.links, accepted
  )
  print(corrected_copy.format_copy(copy))
  if directory is None:
    run = "runs/corrected"
  else:
    run = f"{directory.path}_corrected"
    overridden = [f"--flagfile={directory.flags_file}", *overridden]
  next_steps.say(
    "train", *overridden, f"--dataset={copy.dataset}", f"--workdir={run}"
  )


if __name__ == "__main__":
  cli.run(main, script_flags.ApplyDecisions, required=["output"])
