"""Where tensorflow-datasets keeps its data."""

from absl import flags

DATA_DIR = flags.DEFINE_string(
  "data_dir",
  None,
  "Folder where tensorflow-datasets keeps prepared datasets; its own default "
  "if not given.",
)
DOWNLOAD = flags.DEFINE_boolean(
  "download",
  False,
  "Download and prepare a dataset of tensorflow-datasets that is not in "
  "--data_dir.",
)
