"""How long a training step takes, and how fast the data come."""

import contextlib
import dataclasses
import functools
import time

import numpy as np
import tensorflow as tf

from nct_tf import datasets, errors, methods
from nct_tf.input_pipeline import batching, noisy_dataset
from nct_tf.methods import building
from nct_tf.reporting import text_tables

# What a method is compared with: one network, and nothing besides.
BASELINE = "standard"

_NUM_WARMUP_STEPS = 3
_PIPELINE_SECONDS = 2.0
_FOREVER = 10**9


def benchmark(config, num_steps):
  """Measures a method against one network alone.

  Both are trained side by side, a step each in turn, on the same batch of
  random images. So whatever else the machine does slows both alike.

  Args:
    config: a `TrainConfig` of the method; its dataset is replaced by `fake`.
    num_steps: int, how many steps of each are timed.

  Returns:
    dict ready for JSON: `method`, `num_networks`; `step_seconds` of the method
    and `single_step_seconds` of standard training, medians; `ratio`, the
    median over steps of the first over as many of the second as the method has
    networks; `pipeline_images_per_second`, of the input pipeline alone, and
    `pipeline_ratio`, that over the images that the method consumes.

  Raises:
    InvalidInputError: if the config's strategy is not `default`.
  """
  if config.strategy != "default":
    raise errors.InvalidInputError(
      "Argument `strategy` must be default: a step is timed on one device. "
      f"Received: strategy={config.strategy}"
    )
  config = of_random_images(config)
  config = dataclasses.replace(
    config,
    fake_num_train_examples=max(
      config.fake_num_train_examples, config.batch_size
    ),
  )
  dataset = datasets.load("fake", **config.fake_options)
  batches = make_batches(config, dataset)()
  batch = next(iter(batches))
  steps = [
    _step_function(each, dataset, batch)
    for each in (config, config.replace(method=BASELINE))
  ]
  seconds = time_in_turn(steps, num_steps)
  own, single = np.median(seconds, axis=0)
  num_networks = methods.get_options(config.method).NUM_NETWORKS
  images_per_second = _pipeline_images_per_second(batches)
  return {
    **describe(config, dataset, num_steps),
    "num_networks": num_networks,
    "step_seconds": float(own),
    "single_step_seconds": float(single),
    "ratio": float(np.median(seconds[:, 0] / (num_networks * seconds[:, 1]))),
    "pipeline_images_per_second": images_per_second,
    "pipeline_ratio": float(images_per_second * own / config.batch_size),
  }


def of_random_images(config):
  """Returns a `TrainConfig` of `fake` in place of its dataset.

  What is `auto` for one's own pictures gets the paper's value.
  """
  return dataclasses.replace(config, dataset="fake", image_size=None)


def describe(config, dataset, num_steps):
  """Returns dict of what steps were timed, ready for JSON."""
  return {
    "method": config.method,
    "network": config.network,
    "width": config.width,
    "batch_size": config.batch_size,
    "image_shape": list(dataset.image_shape),
    "mixed_precision": config.mixed_precision,
    "num_steps": num_steps,
    "tensorflow": tf.__version__,
  }


def make_batches(config, dataset):
  """Returns `Batching.train` but for the replicas' shares."""
  pipeline = dataclasses.replace(
    batching.Batching.of_run(config, dataset.moments),
    num_epochs=_FOREVER,
    sampling="natural",
    num_examples_per_epoch=None,
  )
  labels = dataset.train_labels
  examples = noisy_dataset.Examples(
    dataset.train_images, labels, labels, np.arange(len(labels))
  )
  return functools.partial(pipeline.train, examples)


def _step_function(config, dataset, batch):
  """Returns a function that makes one training step and waits for it."""
  model = building.create_compiled(
    config,
    dataset.image_shape,
    dataset.num_classes,
    len(dataset.train_labels),
  )
  with contextlib.suppress(AttributeError):  # tensorflow-addons' have none.
    model.optimizer.build(model.trainable_variables)
  train_step = tf.function(model.train_step)
  return lambda: train_step(batch)["loss"].numpy()


def time_in_turn(steps, num_rounds):
  """Times functions, one after the other in each round.

  A few rounds come before that are not timed.

  Args:
    steps: list of functions without arguments.
    num_rounds: int.

  Returns:
    float array [num_rounds, num_steps], seconds.
  """
  rounds = [
    [_seconds(step) for step in steps]
    for _ in range(_NUM_WARMUP_STEPS + num_rounds)
  ]
  return np.array(rounds[_NUM_WARMUP_STEPS:])


def _seconds(function):
  begin = time.perf_counter()
  function()
  return time.perf_counter() - begin


def _pipeline_images_per_second(batches):
  iterator = iter(batches)
  next(iterator)
  begin = time.perf_counter()
  num_images = 0
  while time.perf_counter() - begin < _PIPELINE_SECONDS:
    images, _ = next(iterator)
    num_images += int(images.shape[0])
  return num_images / (time.perf_counter() - begin)


def format_benchmark(benchmark):
  """Returns a table of what `benchmark` measured.

  Args:
    benchmark: its dict.
  """
  header = (format_steps(benchmark, "batch"), "")
  num_networks, ratio = {
    1: ("one network", "the first over the second"),
    2: ("two networks", "the first over twice the second"),
  }[benchmark["num_networks"]]
  rows = [
    (
      f"step of {benchmark['method']}, {num_networks}",
      f"{benchmark['step_seconds']:.4f} s",
    ),
    (
      "step of one network alone",
      f"{benchmark['single_step_seconds']:.4f} s",
    ),
    (ratio, f"{benchmark['ratio']:.3f}"),
    (
      "input pipeline alone",
      f"{benchmark['pipeline_images_per_second']:,.0f} images/s",
    ),
    (
      f"that over what {benchmark['method']} consumes",
      f"{benchmark['pipeline_ratio']:,.0f}",
    ),
  ]
  return text_tables.format_table(rows, header)


def format_steps(benchmark, batch):
  """Returns a line that tells which training steps were timed."""
  size = "x".join(map(str, benchmark["image_shape"]))
  return (
    f"{benchmark['network']}, width {benchmark['width']}, {batch} "
    f"{benchmark['batch_size']} of {size}, mixed precision "
    f"{benchmark['mixed_precision']}"
  )
