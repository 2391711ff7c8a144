"""Which version an export becomes."""

from absl import flags

VERSION = flags.DEFINE_integer(
  "version",
  None,
  "Version to export as, at least 1; the next that is free if not given.",
  lower_bound=1,
)
