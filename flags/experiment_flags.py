"""The paper's experiments: at which scale, and where their results are."""

from absl import flags

SCALE = flags.DEFINE_enum(
  "scale",
  "paper",
  ["paper", "cpu"],
  "Whether the settings are the paper's, or of a size that two processors can "
  "carry (tables 1, 5 and 6).",
)
RESULTS_DIR = flags.DEFINE_string(
  "results_dir",
  "results",
  "Folder that keeps of each finished run its flags, history and result; what "
  "is there is not run again.",
)
FIGURE = flags.DEFINE_integer(
  "figure",
  None,
  "The paper's figure: 1, loss and accuracy on training examples with clean "
  "and with wrong labels; 2, both schedules; 3, how well frozen features can "
  "be fitted to random labels.",
  lower_bound=1,
  upper_bound=3,
)
SEEDS = flags.DEFINE_list(
  "seeds", ["0", "1", "2"], "Seeds, integers, separated by commas."
)
flags.register_validator(
  SEEDS,
  lambda seeds: bool(seeds) and all(seed.isdecimal() for seed in seeds),
  "must be integers of at least 0, separated by commas",
)


def seeds():
  """Returns the seeds: list of int."""
  return [int(seed) for seed in SEEDS.value]
