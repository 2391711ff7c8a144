"""What is measured: accuracy, agreement, and means of both over an epoch."""

import keras
import tensorflow as tf


def correct(logits, labels):
  """Whether the class of the largest logit is the label.

  Args:
    logits: float [batch, num_classes].
    labels: integer [batch].

  Returns:
    float32 [batch], 0 or 1.
  """
  predicted = tf.argmax(logits, axis=-1, output_type=labels.dtype)
  return tf.cast(predicted == labels, tf.float32)


def agreement(logits, peer_logits):
  """Whether two networks predict the same class: float32 [batch], 0 or 1."""
  return correct(logits, tf.argmax(peer_logits, axis=-1))


class Means:
  """A `keras.metrics.Mean` for each of some names.

  Raw tensors that a train step returns are summed over replicas by one Keras
  and averaged by another; trackers are right on both. This object hides its
  trackers from Keras, so that checkpoints hold no half-counted epoch.
  """

  def __init__(self, names):
    self._trackers = {name: keras.metrics.Mean(name=name) for name in names}

  @property
  def trackers(self):
    """The Keras metrics: a list."""
    return list(self._trackers.values())

  def update(self, values):
    """Adds a batch; returns the means so far of the names in it.

    Args:
      values: dict from name to float [batch].

    Returns:
      dict from name to scalar float32.
    """
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
      for name, value in values.items():
        self._trackers[name].update_state(value)
    else:
      # Keras 3 averages the replicas' means, whatever their shares of a batch
      # were; so every replica counts the whole batch.
      sums = [tf.reduce_sum(value) for value in values.values()]
      count = tf.cast(tf.size(next(iter(values.values()))), tf.float32)
      *sums, count = tf.unstack(
        context.all_reduce(tf.distribute.ReduceOp.SUM, tf.stack([*sums, count]))
      )
      for name, total in zip(values, sums, strict=True):
        self._trackers[name].update_state(total / count, sample_weight=count)
    return {name: self._trackers[name].result() for name in values}


def count_parameters(model):
  """Returns the number of trainable numbers of a Keras model: an int."""
  return sum(
    int(tf.reduce_prod(variable.shape))
    for variable in model.trainable_variables
  )
