"""Estimates the cost of a training by measuring a few seconds of it."""

import functools
import math
import resource
import time

import keras
import numpy as np

from nct_tf import distribution, metrics
from nct_tf.input_pipeline import batching
from nct_tf.methods import building
from nct_tf.networks import pretrained
from nct_tf.system import devices, interruption
from nct_tf.training import epoch_schedules, feeding, loop as loop_lib

# How long training is timed, and evaluating, unless the caller says.
SECONDS = 5.0
_NUM_WARMUP_STEPS = 1
_MIN_STEPS = 2  # A step of large networks takes long.


def estimate(
  config, dataset, noisy, num_train=None, num_evaluated=None, seconds=SECONDS
):
  """Makes some steps of a training, and estimates how long all of it takes.

  The steps are those of the last epoch, when a method does all that it does.

  Args:
    config: a `TrainConfig`.
    dataset: its `ImageDataset`.
    noisy: the `NoisyDataset` made of it.
    num_train: int, the number of training examples, if these data take the
      place of larger ones.
    num_evaluated: int, likewise, the number of held-out and test examples.
    seconds: float, how long training is timed, and how long evaluating.

  Returns:
    dict ready for JSON:
    `num_parameters`;
    `epoch_flops`, the floating point operations of an epoch in convolutions and
    dense layers, where a multiply and an add count as two and a training step
    counts as three forward passes;
    `step_seconds`, the median time of a step, the input pipeline included;
    `steps_per_epoch`;
    `evaluation_seconds`, of all evaluations after an epoch, and of what the
    method goes over between epochs;
    `epoch_seconds`;
    `hours`, of the whole training;
    `memory_bytes`, the peak memory of this process.

  Raises:
    InvalidInputError: if the config's `pretrained_weights` do not fit, or its
      epochs are too few for the method.
  """
  strategy = distribution.create(**config.strategy_options)
  pipeline = batching.Batching.of_run(config, dataset.moments)
  if num_train is None:
    num_train = len(noisy.train)
    num_evaluated = len(noisy.validation) + len(noisy.test)
    num_in_epoch = pipeline.examples_per_epoch(noisy.train)
  else:
    num_in_epoch = min(num_train, config.num_examples_per_epoch or num_train)
  with strategy.scope():
    model = building.create_compiled(
      config,
      dataset.image_shape,
      dataset.num_classes,
      # What a method remembers, or holds out, is of all of them.
      max(num_train, len(noisy.train)),
      **building.no_noise(dataset.num_classes),
    )
  model.phases(config.num_epochs)  # The epochs may be too few for them.
  epoch_schedules.set_last_epoch(model, config.num_epochs)
  if config.pretrained_weights:  # They may not fit.
    pretrained.load(model, config.pretrained_weights, dataset.moments)
  feed = feeding.choose(pipeline, noisy.train.images, strategy)
  loop = loop_lib.TrainingLoop(
    model,
    interruption.Interruption(),
    feed.finish,
    feed.finish_evaluation,
    uses_xla=devices.use_xla(config.jit_compile, strategy),
  )
  num_evaluated += (
    num_train * model.passes(config.num_epochs) / config.num_epochs
  )
  if config.monitor_every_epochs:
    num_evaluated += num_train / config.monitor_every_epochs
  num_steps = batching.steps_per_epoch(num_in_epoch, config.batch_size)
  batches = loop.iterate(
    functools.partial(pipeline.train, noisy.train, upto=feed.upto)
  )
  step_seconds = _measure(functools.partial(loop.train_steps, batches), seconds)
  evaluation_seconds = num_evaluated * _evaluation_seconds(
    pipeline, noisy.test, loop, seconds, feed.upto_evaluation
  )
  flops = sum(count_flops(network) for network in model.networks)
  epoch_seconds = num_steps * step_seconds + evaluation_seconds
  return {
    "num_parameters": metrics.count_parameters(model),
    "epoch_flops": round(flops * (3 * num_in_epoch + num_evaluated)),
    "step_seconds": step_seconds,
    "steps_per_epoch": num_steps,
    "evaluation_seconds": evaluation_seconds,
    "epoch_seconds": epoch_seconds,
    "hours": config.num_epochs * epoch_seconds / 3600,
    # Linux counts in KiB.
    "memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
  }


def _measure(function, seconds):
  """Returns the median time of a function, called for so many seconds."""
  for _ in range(_NUM_WARMUP_STEPS):
    function()
  times = []
  while sum(times) < seconds or len(times) < _MIN_STEPS:
    begin = time.perf_counter()
    function()
    times.append(time.perf_counter() - begin)
  return float(np.median(times))


def _evaluation_seconds(pipeline, test, loop, seconds, upto):
  """Returns the median seconds that evaluating one example takes."""
  batch_size = min(
    batching.EVALUATION_BATCH_SIZE, pipeline.batch_size, len(test)
  )
  batches = loop.iterate(
    functools.partial(pipeline.evaluate, test, batch_size, upto=upto)
  )
  each = _measure(lambda: loop.evaluate(batches, 1), seconds)
  return each / batch_size


def count_flops(network):
  """Returns the operations of a forward pass of one example: an int.

  Only convolutions and dense layers are counted; a multiply and an add count as
  two. The other layers are left out.

  Args:
    network: a built `keras.Model` of layers.
  """
  return sum(
    2 * math.prod(kernel.shape) * math.prod(_positions(layer))
    for layer in network.layers
    for kernel in _kernels(layer)
  )


def _kernels(layer):
  """Returns the kernels of a convolution or a dense layer."""
  kinds = (keras.layers.Conv2D, keras.layers.Dense)
  return [layer.kernel] if isinstance(layer, kinds) else []


def _positions(layer):
  """Returns at how many places a layer's kernel is applied: sequence of int."""
  return tuple(layer.output.shape)[1:-1]
