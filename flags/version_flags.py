"""Which version of a SavedModel."""

from absl import flags

VERSION = flags.DEFINE_integer(
  "version",
  None,
  "Version of the SavedModel, at least 1: what to export it as (the one after "
  "the highest, if not given), or which to ask (the highest).",
  lower_bound=1,
  upper_bound=2**63 - 1,
)
