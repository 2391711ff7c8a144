"""Where and with what a run computes, and what it writes where."""

import dataclasses

from nct_tf import errors
from nct_tf.options import fields

STRATEGIES = ("default", "mirrored", "multi_worker", "tpu")
MIXED_PRECISIONS = ("none", "auto", "bfloat16", "float16")
JIT_COMPILES = ("auto", "true", "false")
CACHES = ("memory", "disk", "none")

TF_CONFIG = "TF_CONFIG"


@dataclasses.dataclass(frozen=True)
class Run(fields.Options):
  """Checkpoints, devices, machines, precision, and folders."""

  TITLE = "run"

  checkpoint_every_epochs: int = fields.option(
    1,
    "How often a checkpoint is saved. The last epoch's always is.",
    unit="epochs",
    low=1,
    scope=fields.CIRCUMSTANCE,
  )
  checkpoint_every_minutes: float | None = fields.option(
    None,
    "How often a checkpoint is saved within an epoch as well, where epochs "
    "take long. If not given, it never is.",
    unit="minutes",
    low=0,
    low_open=True,
    scope=fields.CIRCUMSTANCE,
  )
  keep_checkpoints: int = fields.option(
    2,
    "How many of the newest checkpoints stay. That of the best epoch by "
    "validation stays as well.",
    low=1,
    scope=fields.CIRCUMSTANCE,
  )
  strategy: str = fields.option(
    "default",
    "default trains on one device. mirrored splits each batch over all GPUs of "
    "this machine, multi_worker over those of several machines, see --workers. "
    "tpu splits it over the TPU that TPU_NAME names (untested).",
    choices=STRATEGIES,
    scope=fields.CIRCUMSTANCE,
  )
  num_virtual_cpus: int | None = fields.option(
    None,
    "Try --strategy=mirrored on this many logical CPU devices.",
    low=1,
    scope=fields.CIRCUMSTANCE,
  )
  workers: tuple[str, ...] | None = fields.option(
    None,
    "All workers of --strategy=multi_worker as host:port,host:port. The first "
    "is the chief, which alone writes. If not given, TF_CONFIG of the "
    "environment says it.",
    scope=fields.PLACE,
  )
  worker_index: int | None = fields.option(
    None,
    "Which of --workers this process is, counted from 0.",
    low=0,
    scope=fields.PLACE,
  )
  mixed_precision: str = fields.option(
    "none",
    "Precision of the networks' computations. Weights, losses and logits stay "
    "float32. auto is bfloat16 on GPUs that have units for it, else none. "
    "float16 comes with dynamic loss scaling. On a GPU, none computes products "
    "in TF32, as Keras does.",
    choices=MIXED_PRECISIONS,
  )
  jit_compile: str = fields.option(
    "auto",
    "Whether XLA compiles the steps. auto does so on GPUs, where steps become "
    "several times faster, and not on CPUs, where they become slower.",
    choices=JIT_COMPILES,
    scope=fields.CIRCUMSTANCE,
  )
  steps_per_execution: int | None = fields.option(
    None,
    "How many steps the devices make at most before the program looks at them "
    "again: for progress, a wish to stop, and a loss that is no number. If not "
    "given, as many as take a quarter of a second, at most 50.",
    low=1,
    scope=fields.CIRCUMSTANCE,
  )
  deterministic: bool = fields.option(
    False,
    "Have a GPU, too, give the same bits whenever the run is repeated. It "
    "takes slower algorithms there. On a CPU a run does so anyway, and is but "
    "rounded otherwise.",
    scope=fields.CIRCUMSTANCE,
  )
  cache: str | None = fields.option(
    None,
    "Where decoded images are kept: in memory; on disk, in --cache_dir; or "
    "nowhere (none), which decodes each image whenever it is needed. If not "
    "given, their size decides. Results are the same.",
    choices=CACHES,
    scope=fields.PLACE,
  )
  cache_dir: str | None = fields.option(
    None,
    "Folder of decoded images and of indices. It may be deleted when no run "
    "uses it. If not given, it is $XDG_CACHE_HOME/nct_tf or ~/.cache/nct_tf.",
    scope=fields.PLACE,
  )
  workdir: str | None = fields.option(
    None,
    "Folder of the run: flags, history, result, checkpoints, curves.",
    scope=fields.PLACE,
  )
  overwrite: bool = fields.option(
    False,
    "Delete the run that --workdir holds already, instead of going on with it.",
    scope=fields.PLACE,
  )
  export_dir: str | None = fields.option(
    None,
    "Export the trained model as the next version into this folder.",
    scope=fields.PLACE,
  )

  def __post_init__(self):
    super().__post_init__()
    check_strategy(**self.strategy_options)
    if self.mixed_precision == "auto" and self.strategy == "multi_worker":
      raise errors.InvalidInputError(
        "Argument `mixed_precision` must be given with --strategy="
        "multi_worker, so that all workers take the same. Received: "
        "mixed_precision=auto"
      )

  @property
  def strategy_options(self):
    """Arguments of `distribution.create`."""
    return {
      "name": self.strategy,
      "num_virtual_cpus": self.num_virtual_cpus,
      "workers": self.workers,
      "worker_index": self.worker_index,
    }


def check_strategy(
  name, num_virtual_cpus=None, workers=None, worker_index=None
):
  """Raises `InvalidInputError` where these do not fit together.

  Args:
    name: str, see `distribution.create`, as for the others.
    num_virtual_cpus: int.
    workers: sequence of str.
    worker_index: int.
  """
  errors.check_choice("strategy", name, STRATEGIES)
  if num_virtual_cpus is not None and name != "mirrored":
    raise errors.InvalidInputError(
      "Argument `num_virtual_cpus` belongs to --strategy=mirrored. Received: "
      f"strategy={name}"
    )
  if (workers or worker_index is not None) and name != "multi_worker":
    raise errors.InvalidInputError(
      "Arguments `workers` and `worker_index` belong to "
      f"--strategy=multi_worker. Received: strategy={name}"
    )
  if bool(workers) != (worker_index is not None):
    raise errors.InvalidInputError(
      "Arguments `workers` and `worker_index` must be given both or, for "
      f"{TF_CONFIG} of the environment, neither. Received: workers="
      f"{','.join(workers or [])}, worker_index={worker_index}"
    )
  if workers:
    _check_workers(workers, worker_index)


def _check_workers(workers, worker_index):
  for worker in workers:
    host, _, port = worker.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
      raise errors.InvalidInputError(
        "Argument `workers` must be of the form host:port,host:port. "
        f"Received: {worker}"
      )
  if len(set(workers)) < len(workers):
    raise errors.InvalidInputError(
      "Argument `workers` must name each worker once. Received: "
      f"{','.join(workers)}"
    )
  errors.check_range(
    "worker_index", worker_index, 0, len(workers), high_open=True
  )
