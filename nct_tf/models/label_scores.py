"""How suspicious each given label was to the networks in training.

Wrong labels are memorised late: the mean over all epochs tells them from right
ones better than the last epoch does.
"""

import numpy as np
from sklearn import metrics as sklearn_metrics
import tensorflow as tf

from nct_tf.models import example_table


class LabelScores:
  """Sums how likely the ensemble finds another label than the given one.

  The score of an example is `p(other) / (p(given) + p(other))`, where other is
  the likeliest of the other classes: above 0.5 where it is preferred.

  An example counts whenever it is trained on, but for some mixed images, with
  the prediction that its training step makes anyway. That takes 8 bytes an
  example and no further pass through the networks. The scores are to be made in
  the scope of the model's strategy. Under Keras' own `fit`:

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
    # The sum of each one's scores, and how many they are.
    self.table = example_table.ExampleTable(num_examples, 2, batch_size)

  def update(self, logits, targets):
    """Adds a batch.

    Args:
      logits: float32 [batch, num_classes], of the ensemble, for this replica's
        share of the global batch.
      targets: dict of int32 [batch]: `label`; `example`, in [0, num_examples);
        `position`, in the global batch, where there are several replicas. Of
        images that are mixed from two, `mixed_label` and `label_share`, see
        `Classifier.prepare`: the former does not count as another label, and
        the latter is the weight of the score. Where no other label is left, as
        of two classes that are mixed, the example does not count.

    Raises:
      ValueError: if there is no `example`.
    """
    is_given = tf.one_hot(targets["label"], logits.shape[-1]) > 0
    is_other = ~is_given
    weight = tf.ones_like(logits[:, 0])
    if "mixed_label" in targets:
      # Part of the image is another's, and so is part of what is seen in it.
      weight = targets["label_share"]
      mixed = tf.one_hot(targets["mixed_label"], logits.shape[-1]) > 0
      is_other &= ~mixed
      weight *= tf.cast(tf.reduce_any(is_other, axis=-1), weight.dtype)
    given = tf.reduce_max(tf.where(is_given, logits, -np.inf), axis=-1)
    other = tf.reduce_max(tf.where(is_other, logits, -np.inf), axis=-1)
    score = tf.sigmoid(other - given)
    self.table.add(tf.stack([weight * score, weight], axis=1), targets)

  def get_state(self):
    """Returns sum and count of each example: float32 [num_examples, 2]."""
    return self.table.get_state()

  def set_state(self, state):
    """Sums on from what `get_state` gave."""
    self.table.set_state(state)

  def means(self):
    """Returns each example's mean score, in [0, 1]: float32 [num_examples].

    NaN of an example that was never trained on.
    """
    sums, counts = self.get_state().T
    return np.divide(
      sums, counts, out=np.full_like(sums, np.nan), where=counts > 0
    )


def average_precision(scores, is_wrong):
  """Returns how well scores rank the wrong labels first: float in [0, 1].

  Args:
    scores: float [num_examples], see `LabelScores.means`. An example that was
      never trained on stands last.
    is_wrong: bool [num_examples].

  Returns:
    the area below precision over recall; None if no label is wrong.
  """
  if not np.any(is_wrong):
    return None
  return float(
    sklearn_metrics.average_precision_score(is_wrong, np.nan_to_num(scores))
  )
