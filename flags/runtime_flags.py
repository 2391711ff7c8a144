"""The devices and the precision that a run computes with."""

from absl import flags

STRATEGY = flags.DEFINE_enum(
  "strategy",
  "default",
  ["default", "mirrored"],
  "default trains on one device; mirrored splits each batch over all GPUs of "
  "this machine.",
)
MIXED_PRECISION = flags.DEFINE_enum(
  "mixed_precision",
  "none",
  ["none", "bfloat16"],
  "Precision of the networks' computations; weights, losses and logits stay "
  "float32.",
)
