"""Logical CPUs stand for replicas.

TensorFlow takes this before its first operation alone, so it is done at
import, which test runners do with all files before the first test.
"""

import tensorflow as tf

NUM_DEVICES = 4

_CPU = tf.config.list_physical_devices("CPU")[0]
if len(tf.config.get_logical_device_configuration(_CPU) or []) < NUM_DEVICES:
  tf.config.set_logical_device_configuration(
    _CPU, [tf.config.LogicalDeviceConfiguration()] * NUM_DEVICES
  )
