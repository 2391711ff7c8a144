"""Which examples of a batch a network learns from, by their losses.

Everything here takes the whole global batch, see `global_batch`. Ties go to the
example that comes first, so that the choice is the same on every device.
"""

import tensorflow as tf

# What a float32 rate may be off by: 0.8 of 100 examples are 80, not 79.
_ROUNDING = 1e-6


def num_kept(forget_rate, count):
  """Returns how many examples stay: `floor((1 - forget_rate) * count)`.

  Args:
    forget_rate: float32 scalar in [0, 1].
    count: float32 scalar, the number of examples.

  Returns:
    int32 scalar.
  """
  rate = tf.cast(forget_rate, tf.float64)
  count = tf.cast(count, tf.float64)
  return tf.cast(tf.floor((1 - rate) * count + _ROUNDING * count), tf.int32)


def smallest(values, count, among):
  """Returns which examples have the smallest values: bool [rows].

  Args:
    values: float32 [rows].
    count: int32 scalar, how many to choose; all there are, if that is less.
    among: bool [rows], which examples may be chosen.
  """
  return (_ranks(values, among) < count) & among


def _ranks(values, among):
  """Returns each example's place from the smallest on: int32 [rows].

  Those that may not be chosen come last.
  """
  infinite = tf.fill(tf.shape(values), float("inf"))
  order = tf.argsort(tf.where(among, values, infinite), stable=True)
  # Where infinite values tie, those that may be chosen come first.
  allowed = tf.cast(~tf.gather(among, order), tf.int32)
  order = tf.gather(order, tf.argsort(allowed, stable=True))
  return tf.argsort(order, stable=True)


def percentile(values, percent, is_there):
  """Returns a percentile of a batch's values, the nearest one: scalar.

  It is the value whose place from the smallest on is nearest to
  `percent / 100 * (n - 1)` of n examples; half-way, the even one.

  Args:
    values: float32 [rows].
    percent: float in [0, 100].
    is_there: bool [rows], which rows are examples; at least one is.
  """
  count = tf.reduce_sum(tf.cast(is_there, tf.float32))
  place = tf.cast(tf.round(percent / 100 * (count - 1)), tf.int32)
  ranks = _ranks(values, is_there)
  return tf.reduce_sum(tf.where(ranks == place, values, tf.zeros_like(values)))
