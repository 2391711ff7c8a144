"""Where SavedModels go."""

from absl import flags

EXPORT_DIR = flags.DEFINE_string(
  "export_dir",
  None,
  "Folder that gets the ensemble as a SavedModel, in a subfolder named by its "
  "version, a whole number.",
)
