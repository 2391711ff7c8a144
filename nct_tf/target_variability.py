"""Algorithm 2: labels that change at random from batch to batch."""

import tensorflow as tf

from nct_tf import random_numbers


def randomize_labels(
  labels, rate, num_classes, seed, exclude_true=True, position=None
):
  """Replaces each label, with probability `rate`, by a random one.

  What is drawn for an example depends only on `seed` and its `position`. So a
  batch that is split over several replicas gets the same labels as a whole one.

  Args:
    labels: integer [batch], in [0, num_classes).
    rate: scalar float, number or tensor, the probability r_d in [0, 1].
    num_classes: int, C, at least 2.
    seed: integer [2], a stateless seed.
    exclude_true: whether the random label differs from the given one, as in
      Algorithm 2. Otherwise it is drawn from all classes, as in section 3.4 and
      in the authors' code. Then labels change only with the probability
      `rate * (C - 1) / C`.
    position: integer [batch], each example's position in the global batch;
      None means that `labels` is the global batch.

  Returns:
    a tensor like `labels`.

  References:
    Algorithm 2 of the paper.
  """
  labels = tf.convert_to_tensor(labels)
  if position is None:
    num_draws = tf.shape(labels)[0]
  else:
    # The n-th number does not depend on how many are drawn. So each replica
    # draws up to its last position, and picks.
    last = tf.reduce_max(tf.concat([[-1], tf.cast(position, tf.int32)], 0))
    num_draws = last + 1
  mask_seed, label_seed = random_numbers.split(seed)
  mask = random_numbers.uniform([num_draws], mask_seed) < tf.cast(
    rate, tf.float32
  )
  # A shift modulo C that is never 0 is uniform over the other classes.
  shift = random_numbers.integers(
    [num_draws],
    label_seed,
    minval=1 if exclude_true else 0,
    maxval=num_classes,
  )
  shift = tf.where(mask, shift, 0)
  if position is not None:
    shift = tf.gather(shift, position)
  return tf.math.floormod(labels + tf.cast(shift, labels.dtype), num_classes)
