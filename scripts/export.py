"""Exports the ensemble of a finished run as a SavedModel.

Example:
  python -m scripts.export --workdir=runs/digits --export_dir=exports/digits
"""

from flags import export_flags, version_flags, workdir_flags
from scripts import cli

FLAG_MODULES = (workdir_flags, export_flags, version_flags)


def main():
  with cli.silence():
    from nct_tf import exporting, model_building, workdir

  model, _, result = model_building.restore(
    workdir.Workdir(workdir_flags.WORKDIR.value)
  )
  exporting.export(
    model, result, export_flags.EXPORT_DIR.value, version_flags.VERSION.value
  )


if __name__ == "__main__":
  cli.run(main, *FLAG_MODULES, required=["workdir", "export_dir"])
