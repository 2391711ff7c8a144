"""How much is timed."""

from absl import flags

NUM_STEPS = flags.DEFINE_integer(
  "num_steps", 20, "Training steps of each kind to time.", lower_bound=1
)
