"""Exports the ensemble of a finished run as a SavedModel.

Example:
  python -m scripts.export --workdir=runs/digits --export_dir=exports/digits
"""

from absl import flags

from flags import export_flags, workdir_flags
from scripts import cli

FLAG_MODULES = (workdir_flags, export_flags)

VERSION = flags.DEFINE_integer(
  "version",
  None,
  "Version to export as, at least 1; the next that is free if not given.",
  lower_bound=1,
)
flags.mark_flag_as_required("export_dir")


def main():
  exporting = cli.load("exporting")
  model_building = cli.load("model_building")
  workdir = cli.load("workdir")
  model, _, result = model_building.restore(
    workdir.Workdir(workdir_flags.WORKDIR.value)
  )
  exporting.export(model, result, export_flags.EXPORT_DIR.value, VERSION.value)


if __name__ == "__main__":
  cli.run(main, *FLAG_MODULES)
