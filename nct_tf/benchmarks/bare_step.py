"""A training step by itself: the same batch, on the device, again and again.

`python -m nct_tf.benchmarks.bare_step` is the process of a `workers.Worker`.
"""

import contextlib
import dataclasses
import functools
import time

import keras
import numpy as np
import tensorflow as tf

from nct_tf import config as config_lib, datasets
from nct_tf.benchmarks import device, workers
from nct_tf.input_pipeline import batching, noisy_dataset
from nct_tf.methods import building
from nct_tf.system import devices
from nct_tf.training import cost, epoch_schedules

# How many steps are made before a value is read from a GPU, which waits for all
# of them. To read one after each step would leave the GPU idle in between.
GPU_GROUP_SIZE = 20

_PIPELINE_SECONDS = 2.0
_FOREVER = 10**9


class BareStep:
  """Makes training steps of a config on random images, and measures them.

  What the method schedules has the values of the config's last epoch.

  Args:
    config: a `TrainConfig`; its dataset is replaced by `fake`.
    num_examples: int, how many training examples the method is to remember
      something of, at least as many as there are images; None for these.

  Attributes:
    model: the `Classifier` that is trained.
  """

  def __init__(self, config, num_examples=None):
    devices.prepare(config.deterministic, config.seed)
    self._config = of_random_images(config)
    self._config = dataclasses.replace(
      self._config,
      fake_num_train_examples=max(
        self._config.fake_num_train_examples, self._config.batch_size
      ),
      mixed_precision=devices.choose_precision(config.mixed_precision),
    )
    dataset = datasets.load("fake", **self._config.fake_options)
    self._batches = make_batches(self._config, dataset)()
    if device.is_gpu():
      tf.config.experimental.reset_memory_stats("GPU:0")
    self._batch = tf.nest.map_structure(
      _on_device, next(iter(self._batches.take(1)))
    )
    self.model = building.create_compiled(
      self._config,
      dataset.image_shape,
      dataset.num_classes,
      num_examples or len(dataset.train_labels),
      **building.no_noise(dataset.num_classes),
    )
    epoch_schedules.set_last_epoch(self.model, config.num_epochs)
    with contextlib.suppress(AttributeError):  # tensorflow-addons' have none.
      self.model.optimizer.build(self.model.trainable_variables)
    self._uses_xla = devices.use_xla(config.jit_compile)
    self._step = _compile(self.model, self._uses_xla)
    self._first_seconds = self.seconds(1)

  def seconds(self, num_steps):
    """Makes steps, and waits for the last one; returns the seconds of each."""
    begin = time.perf_counter()
    for _ in range(num_steps):
      logs = self._step(self._batch)
    logs["loss"].numpy()
    return (time.perf_counter() - begin) / num_steps

  def describe(self):
    """Returns what the steps were: dict ready for JSON.

    `first_step_seconds` is of the first step, tracing and compiling included.
    `memory_bytes` is the most so far: of the GPU's memory, or of this process.
    `step_flops` is as in `cost.estimate`, of all networks and the whole batch.
    `group_size` is how many steps are to be made before a value is read.
    """
    gpu = device.is_gpu()
    flops = sum(cost.count_flops(network) for network in self.model.networks)
    return {
      "kind": "GPU" if gpu else "CPU",
      "framework": f"TensorFlow {tf.__version__}, Keras {keras.__version__}",
      "num_networks": len(self.model.networks),
      "uses_xla": self._uses_xla,
      "step_flops": 3 * flops * self._config.batch_size,
      "first_step_seconds": self._first_seconds,
      "memory_bytes": (
        tf.config.experimental.get_memory_info("GPU:0")["peak"]
        if gpu
        else workers.peak_memory()
      ),
      "group_size": GPU_GROUP_SIZE if gpu else 1,
    }

  def pipeline_images_per_second(self):
    """Returns how many images the input pipeline alone gives in a second."""
    iterator = iter(self._batches)
    next(iterator)
    begin = time.perf_counter()
    num_images = 0
    while time.perf_counter() - begin < _PIPELINE_SECONDS:
      images, _ = next(iterator)
      num_images += int(images.shape[0])
    return num_images / (time.perf_counter() - begin)


def _compile(model, uses_xla):
  """Returns the model's training step as the training loop compiles it."""
  return tf.function(model.train_step, autograph=False, jit_compile=uses_xla)


def _on_device(tensor):
  """Returns a copy where steps are made; tf.data leaves batches on the CPU."""
  with tf.device("GPU:0" if device.is_gpu() else "CPU:0"):
    return tf.identity(tensor)


def of_random_images(config):
  """Returns a `TrainConfig` of `fake` in place of its dataset.

  What is `auto` for one's own pictures gets the paper's value.
  """
  return dataclasses.replace(config, dataset="fake", image_size=None)


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


def start(config, num_examples=None):
  """Returns a `workers.Worker` of a `BareStep`.

  Args:
    config: a `TrainConfig`.
    num_examples: see `BareStep`.
  """
  return workers.Worker(
    "nct_tf.benchmarks.bare_step",
    flags=of_random_images(config).to_flags(),
    num_examples=num_examples,
  )


def _create(flags, num_examples):
  config = config_lib.TrainConfig.from_flagfile("\n".join(flags))
  return BareStep(config, num_examples)


if __name__ == "__main__":
  workers.serve(_create)
