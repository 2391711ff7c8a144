"""The devices and the precision that a run computes with."""

from absl import flags

STRATEGY = flags.DEFINE_enum(
  "strategy",
  "default",
  ["default", "mirrored", "multi_worker"],
  "default trains on one device; mirrored splits each batch over all GPUs of "
  "this machine; multi_worker over all --workers.",
)
WORKERS = flags.DEFINE_list(
  "workers",
  None,
  "All workers of --strategy=multi_worker, as host:port,host:port; the first "
  "is the chief, which alone writes into --workdir.",
)
WORKER_INDEX = flags.DEFINE_integer(
  "worker_index", None, "Which of --workers this is, from 0.", lower_bound=0
)
MIXED_PRECISION = flags.DEFINE_enum(
  "mixed_precision",
  "none",
  ["none", "bfloat16"],
  "Precision of the networks' computations; weights, losses and logits stay "
  "float32.",
)
