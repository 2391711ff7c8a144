"""How suspicious each given label was to the networks in training.

Wrong labels are memorised late: the mean over all epochs tells them from right
ones better than the last epoch does.
"""

import numpy as np
import tensorflow as tf

from nct_tf import metrics


class LabelScores:
  """Sums how likely the ensemble finds another label than the given one.

  The score of an example is `p(other) / (p(given) + p(other))`, where other is
  the likeliest of the other classes: above 0.5 where it is preferred.

  An example counts whenever it is trained on, with the prediction that its
  training step makes anyway: 8 bytes an example, and no further pass through
  the networks. To be made in the scope of the model's strategy. Under Keras'
  own `fit`:

      scores = label_scores.LabelScores(len(labels), batch_size)
      model.track(scores)
      targets = {"label": labels, "example": np.arange(len(labels))}
      model.fit(images, targets, batch_size=batch_size, ...)
      label_audit.audit(labels, model.predict(images), scores.means())

  Args:
    num_examples: int, of the training data.
    batch_size: int, the largest global batch.
  """

  def __init__(self, num_examples, batch_size):
    self._batch_size = batch_size
    # Sum and count of each.
    self._sums = metrics.whole_variable([num_examples, 2])

  def update(self, logits, targets):
    """Adds a batch.

    Args:
      logits: float32 [batch, num_classes], of the ensemble, for this replica's
        share of the global batch.
      targets: dict of int32 [batch]: `label`; `example`, in [0, num_examples);
        `position`, in the global batch, where there are several replicas.

    Raises:
      ValueError: if there is no `example`.
    """
    if "example" not in targets:
      raise ValueError(
        "Label scores need each example's number. Instead of labels, pass "
        '`fit` the targets {"label": labels, "example": np.arange(len(labels))}'
      )
    is_given = tf.one_hot(targets["label"], logits.shape[-1]) > 0
    given = tf.reduce_max(tf.where(is_given, logits, -np.inf), axis=-1)
    other = tf.reduce_max(tf.where(is_given, -np.inf, logits), axis=-1)
    score = tf.sigmoid(other - given)
    values = tf.stack([score, tf.ones_like(score)], axis=1)
    example = targets["example"]
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync > 1:
      values, example = self._gather(context, values, example, targets)
    # `assign_add` would take as long as there are examples.
    tf.raw_ops.ResourceScatterAdd(
      resource=self._sums.handle, indices=example, updates=values
    )

  def _gather(self, context, values, example, targets):
    """Returns what all replicas have, in the order of the global batch.

    Each puts its share in its place, with zeros around it, and all are added
    up. Where the batch is not full, zeros are added to the first example.
    """
    # Float64 holds the numbers of examples exactly.
    share = tf.concat(
      [tf.cast(values, tf.float64), tf.cast(example, tf.float64)[:, None]],
      axis=1,
    )
    batch = context.all_reduce(
      tf.distribute.ReduceOp.SUM,
      tf.scatter_nd(targets["position"][:, None], share, [self._batch_size, 3]),
    )
    return tf.cast(batch[:, :2], tf.float32), tf.cast(batch[:, 2], tf.int32)

  def get_state(self):
    """Returns sum and count of each example: float32 [num_examples, 2]."""
    return tf.convert_to_tensor(self._sums).numpy()

  def set_state(self, state):
    """Sums on from what `get_state` gave."""
    self._sums.assign(state)

  def means(self):
    """Returns each example's mean score, in [0, 1]: float32 [num_examples].

    NaN of an example that was never trained on.
    """
    sums, counts = self.get_state().T
    return np.divide(
      sums, counts, out=np.full_like(sums, np.nan), where=counts > 0
    )
