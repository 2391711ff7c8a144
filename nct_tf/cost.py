"""What a training would cost, by measuring a few seconds of it."""

import functools
import resource
import time

import numpy as np

from nct_tf import (
  distribution,
  fitting,
  input_pipeline,
  interruption,
  metrics,
  model_building,
  training_loop,
)
from nct_tf.checkpoints import Position

_SECONDS = 5.0  # Of training, and of evaluating.
_NUM_WARMUP_STEPS = 2
_MIN_STEPS = 3


def estimate(config, dataset, noisy):
  """Makes some steps of a training, and says how long all of it would take.

  Args:
    config: a `TrainConfig`.
    dataset: its `ImageDataset`.
    noisy: the `NoisyDataset` made of it.

  Returns:
    dict ready for JSON: `num_parameters`; `step_seconds`, a median, with the
    data; `steps_per_epoch`; `evaluation_seconds`, of all that is evaluated
    after an epoch; `epoch_seconds`; `hours`, of the whole training;
    `memory_bytes`, the most that this process has held.
  """
  strategy = distribution.create(**config.strategy_options)
  with strategy.scope():
    model = model_building.create_compiled(
      config, dataset.image_shape, dataset.num_classes
    )
  loop = training_loop.TrainingLoop(model, interruption.Interruption())
  num_steps = input_pipeline.steps_per_epoch(
    fitting.examples_per_epoch(config, noisy), config.batch_size
  )
  batches = loop.iterate(
    fitting.training_data(config, dataset, noisy, Position(0), num_steps)
  )
  step_seconds = _measure(functools.partial(loop.train_step, batches))
  evaluation_seconds = _evaluation_seconds(config, dataset, noisy, loop)
  epoch_seconds = num_steps * step_seconds + evaluation_seconds
  return {
    "num_parameters": metrics.count_parameters(model),
    "step_seconds": step_seconds,
    "steps_per_epoch": num_steps,
    "evaluation_seconds": evaluation_seconds,
    "epoch_seconds": epoch_seconds,
    "hours": config.num_epochs * epoch_seconds / 3600,
    # Linux counts in KiB.
    "memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
  }


def _measure(function):
  """Returns the median seconds of a function, called for some seconds."""
  for _ in range(_NUM_WARMUP_STEPS):
    function()
  seconds = []
  while sum(seconds) < _SECONDS or len(seconds) < _MIN_STEPS:
    begin = time.perf_counter()
    function()
    seconds.append(time.perf_counter() - begin)
  return float(np.median(seconds))


def _evaluation_seconds(config, dataset, noisy, loop):
  """Returns the mean seconds that the evaluations after an epoch take."""
  num_examples = len(noisy.validation) + len(noisy.test)
  if config.monitor_every_epochs:
    num_examples += len(noisy.train) / config.monitor_every_epochs
  mean, std = dataset.moments
  batches = loop.iterate(
    functools.partial(
      input_pipeline.evaluation_dataset,
      noisy.test.images,
      noisy.test.index,
      noisy.test.given_labels,
      batch_size=fitting.EVALUATION_BATCH_SIZE,
      mean=mean,
      std=std,
      crop_size=config.crop_size,
    )
  )
  seconds = _measure(lambda: loop.evaluate(batches, 1))
  batch_size = min(fitting.EVALUATION_BATCH_SIZE, len(noisy.test))
  return num_examples * seconds / batch_size
