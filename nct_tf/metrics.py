"""What is measured: accuracy, agreement, and means of both over an epoch."""

import keras
import numpy as np
import tensorflow as tf

from nct_tf import distribution, losses


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


# Of how many likeliest classes "top-5" is; of fewer classes it says nothing.
NUM_TOP_CLASSES = 5


def correct_within(logits, labels, num_classes):
  """Whether the label is among the classes of the largest logits.

  Args:
    logits: float32 [batch, all classes].
    labels: integer [batch].
    num_classes: int, of how many.

  Returns:
    float32 [batch], 0 or 1.
  """
  return tf.cast(tf.math.in_top_k(labels, logits, num_classes), tf.float32)


def agreement(logits, peer_logits):
  """Whether two networks predict the same class: float32 [batch], 0 or 1."""
  return correct(logits, tf.argmax(peer_logits, axis=-1))


def disagreement(logits):
  """How far apart the predictions of two networks are.

  `KL(softmax(logits[0]) || softmax(logits[1]))`, the Kullback-Leibler
  divergence.

  Args:
    logits: sequence of float [batch, num_classes], a network each.

  Returns:
    float32 [batch], in nats, at least 0; None of one network.
  """
  if len(logits) == 1:
    return None
  first, second = logits
  # Mimicry at temperature 1 is the divergence itself.
  divergence = losses.mimicry_loss(second, first, temperature=1.0)
  return tf.maximum(divergence, 0.0)  # Rounding.


@keras.saving.register_keras_serializable("nct_tf")
class BalancedAccuracy(keras.metrics.Metric):
  """The mean of the classes' accuracies: each class counts alike.

  Args:
    num_classes: int.
    name: str.
  """

  def __init__(self, num_classes, name="ensemble_balanced_accuracy"):
    super().__init__(name=name)
    self.num_classes = num_classes
    self._counts = distribution.whole_variable([num_classes, 2])

  def update_state(self, labels, probabilities, sample_weight=None):
    """Adds a batch.

    Args:
      labels: integer [batch], this replica's part of the batch.
      probabilities: float [batch, num_classes].
      sample_weight: None.
    """
    hits = correct(probabilities, labels)
    counts = tf.scatter_nd(
      tf.cast(labels, tf.int32)[:, None],
      tf.stack([hits, tf.ones_like(hits)], axis=1),
      self._counts.shape,
    )
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync > 1:
      counts = context.all_reduce(tf.distribute.ReduceOp.SUM, counts)
    self._counts.assign_add(counts)

  def result(self):
    """Returns the mean over those classes that have examples: a scalar."""
    hits, totals = tf.unstack(tf.convert_to_tensor(self._counts), axis=1)
    present = tf.cast(totals > 0, tf.float32)
    return tf.math.divide_no_nan(
      tf.reduce_sum(tf.math.divide_no_nan(hits, totals)), tf.reduce_sum(present)
    )

  def get_config(self):
    """Returns the arguments that a metric like this one is made from."""
    return {"num_classes": self.num_classes, "name": self.name}

  def per_class(self):
    """Returns each class's accuracy: float array; NaN without examples."""
    hits, totals = tf.convert_to_tensor(self._counts).numpy().T
    return np.divide(
      hits, totals, out=np.full_like(hits, np.nan), where=totals > 0
    )

  def reset_state(self):
    """Counts anew."""
    self._counts.assign(tf.zeros_like(self._counts))


class _Mean(keras.metrics.Mean):
  """A mean whose replicas all hold the whole of it.

  Keras 2 would add the replicas' sums up at each look at the mean: two
  messages between machines for each metric and step. `Means` gives every
  replica the sums of all, so that one's own are right. Keras 3 does not call
  this: there a look takes the replica's own anyway.
  """

  def add_weight(self, *args, **kwargs):
    kwargs["aggregation"] = tf.VariableAggregation.ONLY_FIRST_REPLICA
    return super().add_weight(*args, **kwargs)


class Means:
  """A mean over an epoch for each of some names.

  Raw tensors that a train step returns are summed over replicas by one Keras
  and averaged by another; trackers are right on both. This object hides its
  trackers from Keras, so that no checkpoint of the model holds a half-counted
  epoch.
  """

  def __init__(self, names):
    self._trackers = {name: _Mean(name=name) for name in names}

  @property
  def trackers(self):
    """The Keras metrics: a list."""
    return list(self._trackers.values())

  def update(self, values):
    """Adds a batch; returns the means so far of the names in it.

    Args:
      values: dict from name to float [batch], this replica's part of the
        batch.

    Returns:
      dict from name to scalar float32.
    """
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
      for name, value in values.items():
        self._trackers[name].update_state(value)
    else:
      # Replicas' shares of a batch may differ; so each counts the whole batch.
      sums = [tf.reduce_sum(value) for value in values.values()]
      count = tf.cast(tf.size(next(iter(values.values()))), tf.float32)
      *sums, count = tf.unstack(
        context.all_reduce(tf.distribute.ReduceOp.SUM, tf.stack([*sums, count]))
      )
      for name, total in zip(values, sums, strict=True):
        self._trackers[name].update_state(total / count, sample_weight=count)
    return {name: self._trackers[name].result() for name in values}

  def results(self):
    """Returns dict from name to float, the means of what was measured."""
    return {
      name: float(tracker.result())
      for name, tracker in self._trackers.items()
      if float(tf.convert_to_tensor(tracker.count))
    }

  def get_state(self):
    """Returns what has been counted: float32 array [num_names, 2]."""
    return np.array(
      [
        [float(tf.convert_to_tensor(value)) for value in tracker.variables]
        for tracker in self.trackers
      ],
      np.float32,
    )

  def set_state(self, state):
    """Counts on from what `get_state` gave."""
    for tracker, values in zip(self.trackers, state, strict=True):
      for variable, value in zip(tracker.variables, values, strict=True):
        variable.assign(value)


def count_parameters(model):
  """Returns the number of trainable numbers of a Keras model: an int."""
  return sum(
    int(tf.reduce_prod(variable.shape))
    for variable in model.trainable_variables
  )
