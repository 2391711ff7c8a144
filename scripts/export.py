"""Publishes a finished run as a version of a SavedModel, for TF Serving.

Example:
  python -m scripts.export --workdir=runs/digits --export_dir=exports/digits
"""

from flags import (
  export_dir_flags,
  export_flags,
  version_flags,
  weights_flags,
  workdir_flags,
)
from scripts import cli

FLAG_MODULES = (
  workdir_flags,
  weights_flags,
  export_dir_flags,
  version_flags,
  export_flags,
)


def main():
  with cli.silence():
    from nct_tf.serving import exporting
    from nct_tf.workdir import layout

  exporting.export_run(
    layout.Workdir(workdir_flags.WORKDIR.value),
    export_dir_flags.EXPORT_DIR.value,
    checkpoint=weights_flags.CHECKPOINT.value,
    use_ema=weights_flags.USE_EMA.value,
    version=version_flags.VERSION.value,
    keep=export_flags.KEEP.value,
    members=export_flags.MEMBERS.value,
    top_k=export_flags.TOP_K.value,
  )


if __name__ == "__main__":
  cli.run(main, *FLAG_MODULES, required=["workdir", "export_dir"])
