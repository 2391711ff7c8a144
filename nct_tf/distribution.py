"""tf.distribute strategies by name."""

import tensorflow as tf

from nct_tf import errors

STRATEGIES = ("default", "mirrored", "multi_worker")


def create(name):
  """Returns a strategy.

  Args:
    name: str: `default`, the one device that TensorFlow chooses, or
      `mirrored`, a replica on each GPU, or, where there is none, on each
      logical CPU device.

  Returns:
    a `tf.distribute.Strategy`.

  Raises:
    InvalidInputError: if there is no such strategy.
  """
  errors.check_choice("strategy", name, STRATEGIES)
  if name == "default":
    return tf.distribute.get_strategy()
  gpus = tf.config.list_logical_devices("GPU")
  if gpus:
    return tf.distribute.MirroredStrategy([device.name for device in gpus])
  # Collective operations of CPUs take each other's messages when a process
  # trains more than one model; there is little to gain by them here.
  cpus = tf.config.list_logical_devices("CPU")
  return tf.distribute.MirroredStrategy(
    [device.name for device in cpus],
    cross_device_ops=tf.distribute.ReductionToOneDevice(),
  )
