"""How many workers stand for a cluster, and how often they are restarted."""

from absl import flags

NUM_WORKERS = flags.DEFINE_integer(
  "num_workers",
  2,
  "Workers, each a process on this machine; the first is the chief.",
  lower_bound=1,
)
MAX_RESTARTS = flags.DEFINE_integer(
  "max_restarts",
  3,
  "How often, at most, all workers are started again after one has died; 0 "
  "for never.",
  lower_bound=0,
)
