"""The devices, the machines and the precision that a run computes with."""

from absl import flags

STRATEGY = flags.DEFINE_enum(
  "strategy",
  "default",
  ["default", "mirrored", "multi_worker", "tpu"],
  "default trains on one device; mirrored splits each batch over all GPUs of "
  "this machine; multi_worker over those of several machines, see --workers; "
  "tpu over the TPU that TPU_NAME names (untested).",
)
NUM_VIRTUAL_CPUS = flags.DEFINE_integer(
  "num_virtual_cpus",
  None,
  "Try --strategy=mirrored out on so many logical CPU devices, at least 1.",
  lower_bound=1,
)
WORKERS = flags.DEFINE_list(
  "workers",
  None,
  "All workers of --strategy=multi_worker as host:port,host:port; the first is "
  "the chief, which alone writes. If not given, TF_CONFIG says it.",
)
WORKER_INDEX = flags.DEFINE_integer(
  "worker_index",
  None,
  "Which of --workers this process is, from 0.",
  lower_bound=0,
)
MIXED_PRECISION = flags.DEFINE_enum(
  "mixed_precision",
  "none",
  ["none", "bfloat16", "float16"],
  "Precision of the networks' computations; weights, losses and logits stay "
  "float32. float16 comes with dynamic loss scaling.",
)
