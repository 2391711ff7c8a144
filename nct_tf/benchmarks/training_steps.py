"""How long a training step takes, and how fast the data come."""

import contextlib
import dataclasses
import logging

import numpy as np
import tensorflow as tf

from nct_tf import errors, methods, units
from nct_tf.benchmarks import bare_step, device as device_lib, workers
from nct_tf.options import fields
from nct_tf.reporting import text_tables
from nct_tf.system import child_process

_logger = logging.getLogger(__name__)

# What a method is compared with: one network, and nothing besides.
BASELINE = "standard"

_NUM_WARMUP_ROUNDS = 3
_TORCH_MODULE = "nct_tf.benchmarks.torch_steps"
# Network -> blocks of a group, for those that PyTorch's side has.
_TORCH_BLOCKS = {"preact_resnet18": 2, "preact_resnet10": 1}
_TORCH_DTYPES = {"none": "float32", "bfloat16": "bfloat16"}
# What PyTorch's step does as well: other values of these change the step.
_TORCH_OPTIONS = (
  "optimizer",
  "nesterov",
  "decoupled_weight_decay",
  "clip_norm",
  "final_bn",
  "pool",
)


def benchmark(config, num_steps, compare=None, torch_python=None):
  """Measures a method against one network alone, and against PyTorch.

  Each is trained in a process of its own, on the same batch of random images
  again and again, a step each in turn. So whatever else the machine does slows
  all alike. On a GPU, it is a group of steps each in turn, see `bare_step`.

  Args:
    config: a `TrainConfig` of the method; its dataset is replaced by `fake`.
    num_steps: int, how many steps, or groups of them, of each are timed.
    compare: `torch` to time PyTorch's step beside, or None.
    torch_python: str, the interpreter of PyTorch's environment; None for that
      of this process.

  Returns:
    dict ready for JSON: that of `describe`; `device`, see `device.describe`;
    `num_networks`; `step_seconds` of the method and `single_step_seconds` of
    standard training, medians; `ratio`, the median over steps of the first over
    as many of the second as the method has networks;
    `pipeline_images_per_second`, of the input pipeline alone, and
    `pipeline_ratio`, that over the images that the method consumes; `rows`, a
    list of dicts, of the method, of standard training and of PyTorch's steps:
    `name`, `framework`, `num_networks`, `step_seconds`, `images_per_second`,
    `flops_per_second` (see `cost.estimate`), `peak_fraction` (that over the
    rate of matrix products), `first_step_seconds`, `memory_bytes` (see
    `BareStep.describe`), and `ratio`, the median over steps of the method's
    time over this one's.

  Raises:
    InvalidInputError: if the config's strategy is not `default`, or if PyTorch
      is not there or has no such step.
  """
  check_strategy(config)
  config = bare_step.of_random_images(config)
  if compare:
    _check_torch(config, torch_python)
  config, device = describe_device(config)
  with contextlib.ExitStack() as stack:
    contenders = _start_ours(config, stack)
    variants = _torch_variants(config, device) if compare else {}
    for name, variant in variants.items():
      try:
        worker = _start_torch(config, variant, torch_python)
      except errors.InvalidInputError as error:
        if not variant["compiled"]:
          raise
        _logger.warning("Left out: %s. %s", name, error)
      else:
        contenders[name] = stack.enter_context(worker)
    described, seconds = measure(contenders, num_steps)
    pipeline = next(iter(contenders.values())).call(
      "pipeline_images_per_second"
    )
  return _summarize(config, device, num_steps, described, seconds, pipeline)


def time_steps(config, num_steps):
  """Returns seconds of a step of the method, and of standard training.

  Args:
    config: see `benchmark`.
    num_steps: int, see `benchmark`.
  """
  check_strategy(config)
  with contextlib.ExitStack() as stack:
    _, seconds = measure(_start_ours(config, stack), num_steps)
  own, single = np.median(seconds, axis=0)
  return float(own), float(single)


def check_strategy(config):
  """Raises `InvalidInputError` if a config's strategy is not `default`."""
  if config.strategy != "default":
    raise errors.InvalidInputError(
      "Argument `strategy` must be default: a step is timed on one device. "
      f"Received: strategy={config.strategy}"
    )


def _start_ours(config, stack):
  """Returns dict from a row's name to its `workers.Worker`."""
  baseline = config.replace(method=BASELINE)
  names = (config.method, f"{BASELINE}, one network alone")
  return {
    name: stack.enter_context(bare_step.start(each))
    for name, each in zip(names, (config, baseline), strict=True)
  }


def describe_device(config):
  """Measures the device in a process of its own, see `device.describe`.

  Returns:
    a pair: the config, whose precision is not `auto` any more; the dict.
  """
  [device] = child_process.run_each(
    device_lib.describe, [(config.mixed_precision,)]
  )
  chosen = device["mixed_precision"]
  return dataclasses.replace(config, mixed_precision=chosen), device


def _check_torch(config, python):
  """Raises `InvalidInputError` unless PyTorch is there, and has such a step."""
  if config.method != "nct":
    raise errors.InvalidInputError(
      "Argument `compare`=torch is of the method nct. Received: method="
      f"{config.method}"
    )
  errors.check_choice("network", config.network, tuple(_TORCH_BLOCKS))
  if config.mixed_precision != "auto":
    errors.check_choice(
      "mixed_precision", config.mixed_precision, tuple(_TORCH_DTYPES)
    )
  own = config.method_options
  if not (own.alpha_max and own.target_variability_max):
    raise errors.InvalidInputError(
      "Arguments `alpha_max` and `target_variability_max` must be above 0 with "
      f"compare=torch. Received: alpha_max={own.alpha_max}, "
      f"target_variability_max={own.target_variability_max}"
    )
  for name in _TORCH_OPTIONS:
    default = fields.defaults_of(config)[name]
    if getattr(config, name) != default:
      raise errors.InvalidInputError(
        f"Argument `{name}` must be {default} with compare=torch. Received: "
        f"{name}={getattr(config, name)}"
      )
  with workers.Worker(_TORCH_MODULE, python):
    pass


def _torch_variants(config, device):
  """Returns the variants of PyTorch's step: dict from its row's name."""
  variant = {
    "layout": "channels_last",
    "dtype": _TORCH_DTYPES[config.mixed_precision],
    "compiled": False,
  }
  variants = {
    "torch, contiguous": {**variant, "layout": "contiguous"},
    "torch, channels last": variant,
  }
  if device["kind"] == "GPU":
    name = "torch, channels last, compiled with CUDA graphs"
    variants[name] = {**variant, "compiled": True}
  return variants


def _start_torch(config, variant, python):
  own = config.method_options
  height, channels = config.fake_image_size, config.fake_num_channels
  return workers.Worker(
    _TORCH_MODULE,
    python,
    variant=variant,
    blocks_per_group=_TORCH_BLOCKS[config.network],
    width=config.width,
    batch_size=config.batch_size,
    image_shape=[height, height, channels],
    num_classes=config.fake_num_classes,
    temperature=own.temperature,
    learning_rate=config.learning_rate,
    momentum=config.momentum,
    weight_decay=config.weight_decay,
  )


def measure(contenders, num_steps):
  """Times contenders in turn.

  Args:
    contenders: dict from name to a `workers.Worker` of steps, see `bare_step`.
    num_steps: int, see `benchmark`.

  Returns:
    a pair: dict from name to what each says of itself, see `BareStep.describe`;
    float array [num_steps, num_contenders], seconds.

  Raises:
    InvalidInputError: if they compute on different devices.
  """
  first = {name: worker.call("describe") for name, worker in contenders.items()}
  kinds = {each["kind"] for each in first.values()}
  if len(kinds) > 1:
    told = ", ".join(f"{name} on the {first[name]['kind']}" for name in first)
    raise errors.InvalidInputError(
      f"All must compute on the same device. Received: {told}"
    )

  def timer(worker, group_size):
    return lambda: worker.call("seconds", num_steps=group_size)

  seconds = time_in_turn(
    [
      timer(worker, first[name]["group_size"])
      for name, worker in contenders.items()
    ],
    num_steps,
  )
  described = {
    name: worker.call("describe") for name, worker in contenders.items()
  }
  return described, seconds


def _summarize(config, device, num_steps, described, seconds, pipeline):
  """Returns the dict of `benchmark`."""
  medians = np.median(seconds, axis=0)
  own, single = medians[:2]
  num_networks = methods.get_options(config.method).NUM_NETWORKS
  step_flops = described[config.method]["step_flops"]
  dtype = device_lib.DTYPES[config.mixed_precision]
  peak = device["matmul_flops_per_second"][dtype]
  rows = []
  for index, (name, row) in enumerate(described.items()):
    flops = row.get("step_flops", step_flops) / medians[index]
    rows.append(
      {
        "name": name,
        "framework": row["framework"],
        "num_networks": row["num_networks"],
        "uses_xla": row.get("uses_xla"),
        "step_seconds": float(medians[index]),
        "images_per_second": float(config.batch_size / medians[index]),
        "flops_per_second": float(flops),
        "peak_fraction": float(flops / peak),
        "first_step_seconds": row["first_step_seconds"],
        "memory_bytes": row["memory_bytes"],
        "ratio": float(np.median(seconds[:, 0] / seconds[:, index])),
      }
    )
  return {
    **describe(config, image_shape(config), num_steps),
    "device": device,
    "num_networks": num_networks,
    "step_seconds": float(own),
    "single_step_seconds": float(single),
    "ratio": float(np.median(seconds[:, 0] / (num_networks * seconds[:, 1]))),
    "pipeline_images_per_second": pipeline,
    "pipeline_ratio": float(pipeline * own / config.batch_size),
    "rows": rows,
  }


def image_shape(config):
  """Returns the shape of a config's random images: list of three ints."""
  return [config.fake_image_size] * 2 + [config.fake_num_channels]


def describe(config, image_shape, num_steps):
  """Returns dict of what steps were timed, ready for JSON."""
  return {
    "method": config.method,
    "network": config.network,
    "width": config.width,
    "batch_size": config.batch_size,
    "image_shape": list(image_shape),
    "mixed_precision": config.mixed_precision,
    "num_steps": num_steps,
    "tensorflow": tf.__version__,
  }


def time_in_turn(timers, num_rounds):
  """Times functions, one after the other in each round.

  A few rounds come before that are not timed.

  Args:
    timers: list of functions without arguments that return seconds.
    num_rounds: int.

  Returns:
    float array [num_rounds, num_timers], seconds.
  """
  rounds = [
    [timer() for timer in timers]
    for _ in range(_NUM_WARMUP_ROUNDS + num_rounds)
  ]
  return np.array(rounds[_NUM_WARMUP_ROUNDS:])


def format_benchmark(benchmark):
  """Returns a table of what `benchmark` measured.

  Args:
    benchmark: its dict.
  """
  method, number = benchmark["method"], benchmark["num_networks"]
  header = ("step of", "a step", "images/s", "arithmetic", "of the peak")
  header += ("first step", "peak memory", f"{method} / it")
  rows = [
    (
      row["name"],
      format_step_seconds(row["step_seconds"]),
      f"{row['images_per_second']:,.0f}",
      f"{units.operations(row['flops_per_second'])}/s",
      text_tables.percent(row["peak_fraction"]),
      units.seconds(row["first_step_seconds"]),
      units.num_bytes(row["memory_bytes"]),
      f"{row['ratio']:.2f}",
    )
    for row in benchmark["rows"]
  ]
  over = {1: "one network alone", 2: "twice one network alone"}[number]
  frameworks = dict.fromkeys(row["framework"] for row in benchmark["rows"])
  return "\n".join(
    [
      device_lib.format_device(benchmark["device"]),
      ", ".join(frameworks),
      format_steps(benchmark, "batch"),
      text_tables.format_table(rows, header),
      f"{method} over {over}: {benchmark['ratio']:.3f}",
      "input pipeline alone: "
      f"{benchmark['pipeline_images_per_second']:,.0f} images/s, "
      f"{benchmark['pipeline_ratio']:,.1f} times what {method} consumes",
    ]
  )


def format_step_seconds(seconds):
  """Returns a step's time as text, with three digits or more."""
  return f"{seconds:.3f} s" if seconds >= 1 else f"{1000 * seconds:.2f} ms"


def format_steps(benchmark, batch):
  """Returns a line that tells which training steps were timed."""
  size = "x".join(map(str, benchmark["image_shape"]))
  return (
    f"{benchmark['network']}, width {benchmark['width']}, {batch} "
    f"{benchmark['batch_size']} of {size}, mixed precision "
    f"{benchmark['mixed_precision']}"
  )
