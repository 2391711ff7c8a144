"""A look at the data in place of training."""

from absl import flags

CHECK_DATA = flags.DEFINE_boolean(
  "check_data",
  False,
  "Do not train: tell all that is amiss with --dataset, and what training "
  "would cost, by measuring ten seconds of it. Needs no --workdir.",
)
