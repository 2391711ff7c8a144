"""Which runs are compared."""

from absl import flags

WORKDIRS = flags.DEFINE_list(
  "workdirs",
  None,
  "Folders of finished runs, separated by commas.",
)
flags.register_validator(
  WORKDIRS,
  lambda paths: paths is None or bool(paths and all(paths)),
  "must name at least one folder, and none by an empty name",
)
FIGURE = flags.DEFINE_string(
  "figure",
  None,
  "PNG file for loss and accuracy on clean and on wrong labels, a column a "
  "run; none is drawn if not given.",
)
flags.register_validator(
  FIGURE,
  lambda path: path is None or path.lower().endswith(".png"),
  "must end in .png",
)
