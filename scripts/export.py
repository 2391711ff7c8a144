"""Publishes a finished run as a version of a SavedModel, for TF Serving.

Example:
  python -m scripts.export --workdir=runs/digits --export_dir=exports/digits
"""

from flags import script_flags
from scripts import cli


def main(options):
  with cli.silence():
    from nct_tf.serving import exporting
    from nct_tf.workdir import layout

  exporting.export_run(
    layout.Workdir(options.workdir),
    options.export_dir,
    checkpoint=options.checkpoint,
    use_ema=options.use_ema,
    version=options.version,
    keep=options.keep,
    members=options.members,
    top_k=options.top_k,
  )


if __name__ == "__main__":
  cli.run(main, script_flags.Export, required=["workdir", "export_dir"])
