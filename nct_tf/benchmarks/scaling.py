"""Times a training step on one device and split among several."""

import contextlib
import time

import numpy as np
import tensorflow as tf

from nct_tf import datasets, distribution, errors, metrics
from nct_tf.benchmarks import bare_step, device as device_lib, training_steps
from nct_tf.methods import building
from nct_tf.reporting import text_tables
from nct_tf.system import devices, interruption
from nct_tf.training import loop as loop_lib


def benchmark(config, num_steps):
  """Measures steps of the same global batch on one device and on several.

  Both are trained side by side, a step each in turn, the input pipeline
  included. So whatever else the machine does slows both alike. On GPUs, it is a
  group of steps each in turn, see `bare_step`.

  Args:
    config: a `TrainConfig` of --strategy=mirrored; its dataset is replaced by
      `fake`.
    num_steps: int, how many steps, or groups of them, of each are timed.

  Returns:
    dict ready for JSON. `device` is that of `device.describe`. `replicas` is a
    list of dicts, of one device and of all: `num_replicas`, `step_seconds` (a
    median), `images_per_second` and `ratio`, the median over the steps of the
    time over that of one device.
    `all_reduced_bytes` is what each replica gives into all-reduces in a step:
    `gradients`, and `others` (moving statistics, metrics).

  Raises:
    InvalidInputError: if the config's strategy is not `mirrored`.
  """
  if config.strategy != "mirrored":
    raise errors.InvalidInputError(
      "Argument `strategy` must be mirrored: steps on one device are timed "
      f"beside those on all. Received: strategy={config.strategy}"
    )
  config = bare_step.of_random_images(config)
  config, device = training_steps.describe_device(config)
  all_devices = distribution.create(**config.strategy_options)
  dataset = datasets.load("fake", **config.fake_options)
  strategies = [tf.distribute.get_strategy(), all_devices]
  group_size = bare_step.GPU_GROUP_SIZE if device["kind"] == "GPU" else 1
  timers = [
    _timer(_create(config, dataset, strategy), config, dataset, group_size)
    for strategy in strategies
  ]
  seconds = training_steps.time_in_turn(timers, num_steps)
  return {
    **training_steps.describe(config, dataset.image_shape, num_steps),
    "device": device,
    "replicas": [
      {
        "num_replicas": strategy.num_replicas_in_sync,
        "step_seconds": float(np.median(column)),
        "images_per_second": float(config.batch_size / np.median(column)),
        "ratio": float(np.median(column / seconds[:, 0])),
      }
      for strategy, column in zip(strategies, seconds.T, strict=True)
    ],
    "all_reduced_bytes": _all_reduced_bytes(config, dataset, all_devices),
  }


def _create(config, dataset, strategy):
  with strategy.scope():
    return building.create_compiled(
      config,
      dataset.image_shape,
      dataset.num_classes,
      len(dataset.train_labels),
      **building.no_noise(dataset.num_classes),
    )


def _timer(model, config, dataset, group_size):
  """Returns a function that makes training steps, and returns the seconds."""
  strategy = model.distribute_strategy
  loop = loop_lib.TrainingLoop(
    model,
    interruption.Interruption(),
    uses_xla=devices.use_xla(config.jit_compile, strategy),
  )
  batches = loop.iterate(bare_step.make_batches(config, dataset))

  def seconds():
    begin = time.perf_counter()
    loop.train_steps(batches, group_size)
    return (time.perf_counter() - begin) / group_size

  return seconds


class _CountingReduction(tf.distribute.ReductionToOneDevice):
  """Counts the bytes of all values that a graph reduces, when it is traced."""

  def __init__(self):
    super().__init__()
    self.num_bytes = []

  def batch_reduce(self, reduce_op, value_destination_pairs, options=None):
    for value, _ in value_destination_pairs:
      self._count(value)
    return super().batch_reduce(reduce_op, value_destination_pairs, options)

  def reduce(self, reduce_op, per_replica_value, destinations, options=None):
    self._count(per_replica_value)
    return super().reduce(reduce_op, per_replica_value, destinations, options)

  def _count(self, value):
    one = getattr(value, "values", (value,))[0]
    self.num_bytes.append(one.shape.num_elements() * one.dtype.size)


def _all_reduced_bytes(config, dataset, all_devices):
  """Returns how many bytes a step reduces: dict of `gradients`, `others`."""
  counting = _CountingReduction()
  strategy = tf.distribute.MirroredStrategy(
    all_devices.extended.worker_devices, cross_device_ops=counting
  )
  model = _create(config, dataset, strategy)
  with strategy.scope(), contextlib.suppress(AttributeError):
    # Those of tensorflow-addons make their variables in the first step.
    model.optimizer.build(model.trainable_variables)
  counting.num_bytes.clear()
  _timer(model, config, dataset, group_size=1)()
  gradients = 4 * metrics.count_parameters(model)
  return {
    "gradients": gradients,
    "others": sum(counting.num_bytes) - gradients,
  }


def format_benchmark(benchmark):
  """Returns a table of what `benchmark` measured.

  Args:
    benchmark: its dict.
  """
  rows = [
    (
      replicas["num_replicas"],
      f"{1 / replicas['step_seconds']:.2f}",
      f"{replicas['images_per_second']:,.0f}",
      f"{replicas['ratio']:.2f}",
    )
    for replicas in benchmark["replicas"]
  ]
  header = ("replicas", "steps/s", "images/s", "x one replica's time")
  num_bytes = benchmark["all_reduced_bytes"]
  return "\n".join(
    [
      device_lib.format_device(benchmark["device"]),
      training_steps.format_steps(benchmark, "global batch"),
      text_tables.format_table(rows, header),
      "all-reduced in a step, bytes of each replica: "
      f"{num_bytes['gradients']:,} of gradients, {num_bytes['others']:,} of "
      "others",
    ]
  )
