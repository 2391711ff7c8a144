"""What all replicas together have of a batch.

A method that ranks the examples of a batch, or mixes them, must see the global
batch: a replica's share of it would be ranked by itself otherwise, and the
result would depend on the number of replicas.
"""

import tensorflow as tf

from nct_tf import distribution


class GlobalBatch:
  """Joins the replicas' shares of a batch, in the order of the batch.

  To be made by each replica, in its step.

  Args:
    targets: dict of `Classifier.unpack`, with `position` where there are
      several replicas.
    batch_size: int, the largest global batch; None where there is one replica.

  Raises:
    ValueError: if there are several replicas, and no `position` or no
      `batch_size`.
  """

  def __init__(self, targets, batch_size=None):
    context = tf.distribute.get_replica_context()
    self._is_whole = context.num_replicas_in_sync == 1
    self._batch_size = batch_size
    self._position = targets.get("position")
    if self._is_whole:
      self._num_rows = tf.shape(targets["label"])[0]
    elif self._position is None or batch_size is None:
      raise ValueError(
        "With several replicas, the examples of a batch are ranked by their "
        "place in the global batch. Instead of labels, pass `fit` the targets "
        '{"label": labels, "position": np.arange(len(labels)) % batch_size}, '
        "and call the model's `remember` before"
      )
    else:
      self._num_rows = batch_size

  def join(self, values):
    """Returns the whole batch's values: float32 [rows, ...].

    There are as many rows as the batch has examples; of several replicas, as
    many as the largest batch has, with zeros where there is no example.

    Args:
      values: float32 [share, ...], of this replica's share.
    """
    if self._is_whole:
      return values
    flat = tf.reshape(values, [-1, values.shape[1:].num_elements()])
    joined = distribution.join_shares(flat, self._position, self._batch_size)
    return tf.reshape(joined, [self._batch_size, *values.shape[1:]])

  def is_there(self):
    """Returns which rows of `join` are examples: bool [rows]."""
    if self._is_whole:
      return tf.ones([self._num_rows], tf.bool)
    return self.join(tf.ones_like(self._position, tf.float32)) > 0

  def share(self, rows):
    """Returns this replica's share of rows: [share, ...]; undoes `join`."""
    return rows if self._is_whole else tf.gather(rows, self._position)

  @property
  def num_rows(self):
    """How many rows `join` gives: int, or an int32 scalar."""
    return self._num_rows


def size(values):
  """Returns how many rows all replicas have: float32 scalar.

  Args:
    values: a tensor [rows, ...], of this replica's share.
  """
  num_rows = tf.cast(tf.shape(values)[0], tf.float32)
  return distribution.sum_over_replicas(num_rows)
