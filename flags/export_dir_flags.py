"""Where SavedModels are."""

from absl import flags

EXPORT_DIR = flags.DEFINE_string(
  "export_dir",
  None,
  "Folder of a model's versions, SavedModels in subfolders that are named by "
  "whole numbers.",
)
