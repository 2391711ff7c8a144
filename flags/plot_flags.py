"""Where a figure is drawn."""

from absl import flags

OUTPUT = flags.DEFINE_string(
  "output",
  None,
  "The PNG file; figureN.png in --results_dir, in the scale's folder, if not "
  "given.",
)
flags.register_validator(
  OUTPUT,
  lambda path: path is None or path.lower().endswith(".png"),
  "must end in .png",
)
