"""Which weights of a run are meant."""

from absl import flags

CHECKPOINT = flags.DEFINE_enum(
  "checkpoint",
  "last",
  ["last", "best"],
  "Weights of the last epoch, or of the best by validation.",
)
USE_EMA = flags.DEFINE_boolean(
  "use_ema",
  None,
  "Whether the moving average of the weights is meant; if not given, where the "
  "run was trained with --ema_decay.",
)
