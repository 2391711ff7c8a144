"""Random numbers that are the same on every device, with and without XLA.

They come from the counter-based generator Philox: the n-th number depends on
the seed and on n alone, not on how many are drawn. TensorFlow and XLA make the
same bits of a seed, but they turn them into floats in different ways. So it is
done here, in TensorFlow's way.
"""

import tensorflow as tf

_PHILOX = "philox"
_NUM_BITS = 23  # Of the mantissa of a float32.


def fold_in(seed, number):
  """Returns a seed of a seed and an integer scalar: integer [2]."""
  seed = tf.convert_to_tensor(seed)
  return tf.random.experimental.stateless_fold_in(
    seed, tf.cast(number, seed.dtype), alg=_PHILOX
  )


def split(seed, count=2):
  """Returns some seeds of a seed: list of integer [2]."""
  return tf.unstack(
    tf.random.experimental.stateless_split(seed, num=count, alg=_PHILOX)
  )


def uniform(shape, seed):
  """Draws uniform numbers in [0, 1): float32 of a shape.

  Args:
    shape: list of ints or an integer tensor. Under XLA it must be known when
      the graph is compiled.
    seed: integer [2], a stateless seed.
  """
  bits = tf.random.stateless_uniform(
    shape, seed, minval=None, maxval=None, dtype=tf.uint32, alg=_PHILOX
  )
  mask = tf.constant(2**_NUM_BITS - 1, tf.uint32)
  # Exact: an integer of 23 bits times a power of two.
  return tf.cast(tf.bitwise.bitwise_and(bits, mask), tf.float32) * 2**-_NUM_BITS


def integers(shape, seed, minval, maxval):
  """Draws uniform integers in [minval, maxval): int32; see `uniform`."""
  return tf.random.stateless_uniform(
    shape, seed, minval=minval, maxval=maxval, dtype=tf.int32, alg=_PHILOX
  )
