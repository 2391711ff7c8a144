"""What is timed, and how often."""

from absl import flags

SUITE = flags.DEFINE_enum(
  "suite",
  "training",
  ["training", "serving", "scaling", "audit"],
  "What to time: a training step and the input pipeline; the signatures of an "
  "export; or a training step on one device and on all of --strategy=mirrored.",
)
NUM_STEPS = flags.DEFINE_integer(
  "num_steps",
  20,
  "Training steps of each kind to time, or requests of each signature and "
  "size of a batch.",
  lower_bound=1,
)
