"""Where batches are made ready: in the input pipeline, or by the step itself.

CPUs do better with the pipeline, which works beside the step. GPUs and TPUs get
images as they are stored, a quarter of the bytes, and crop, mirror and
normalise them in the step. Small data sets are there as a whole.
"""

from collections.abc import Callable
import dataclasses

import numpy as np
import tensorflow as tf

from nct_tf import distribution
from nct_tf.input_pipeline import batching as batching_lib
from nct_tf.system import devices

# Data sets up to this size are held on the device.
_MAX_HELD_BYTES = 2**30

# XLA cannot compile these.
_IN_PIPELINE = ("crop_flip_cutout",)


@dataclasses.dataclass(frozen=True)
class Feeding:
  """How a training loop gets its batches.

  Attributes:
    upto: str, see `Batching.train`, of training.
    finish: see `steps.Steps`; None where the pipeline does everything.
    upto_evaluation: str, see `Batching.evaluate`.
    finish_evaluation: as `finish`.
  """

  upto: str = batching_lib.READY
  finish: Callable | None = None
  upto_evaluation: str = batching_lib.READY
  finish_evaluation: Callable | None = None


def choose(batching, images, strategy):
  """Returns the `Feeding` that suits the devices of a strategy.

  Args:
    batching: the `batching.Batching` of the run.
    images: of the training `Examples`.
    strategy: a `tf.distribute.Strategy`.
  """
  if any(device.kind == "CPU" for device in devices.find(strategy)):
    return Feeding()
  return on_device(batching, images, strategy)


def on_device(batching, images, strategy):
  """Returns the `Feeding` that leaves all it can to the step; see `choose`."""
  num_replicas = strategy.num_replicas_in_sync
  feeding = Feeding(
    upto_evaluation=batching_lib.IMAGES,
    finish_evaluation=batching.finish_evaluation,
  )
  if batching.augmentation in _IN_PIPELINE:
    return feeding
  if not _is_held(images, strategy):
    return dataclasses.replace(
      feeding,
      upto=batching_lib.IMAGES,
      finish=lambda values, targets: batching.finish(
        values, targets, num_replicas
      ),
    )
  held = tf.constant(images)
  return dataclasses.replace(
    feeding,
    upto=batching_lib.ROWS,
    finish=lambda rows, targets: batching.finish(
      tf.gather(held, rows), targets
    ),
  )


def _is_held(images, strategy):
  """Returns whether a step's device can hold all images."""
  return (
    distribution.is_default(strategy)
    and isinstance(images, np.ndarray)
    and images.nbytes <= _MAX_HELD_BYTES
  )
