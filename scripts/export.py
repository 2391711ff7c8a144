"""Publishes a finished run as a version of a SavedModel, for TF Serving.

Example:
  python -m scripts.export --workdir=runs/digits --export_dir=exports/digits
"""

from flags import script_flags
from scripts import cli, next_steps


def main(options):
  with cli.silence():
    from nct_tf.serving import exporting
    from nct_tf.workdir import layout

  directory = layout.Workdir(options.workdir)
  exporting.export_run(
    directory,
    options.export_dir,
    checkpoint=options.checkpoint,
    use_ema=options.use_ema,
    version=options.version,
    keep=options.keep,
    members=options.members,
    top_k=options.top_k,
  )
  next_steps.after_export(options.export_dir, directory.read_config().dataset)


if __name__ == "__main__":
  cli.run(main, script_flags.Export, required=["workdir", "export_dir"])
