"""An active loss, which raises the label, and a passive one beside it."""

import math

import tensorflow as tf

from nct_tf import losses
from nct_tf.methods import loss_options, sce
from nct_tf.models import classifier

# As the authors' code clips probabilities before their logarithm.
_MIN_LOG = math.log(1e-7)


class NCERCEModel(classifier.Classifier):
  """One network that minimises `alpha * NCE + beta * RCE`.

  Args:
    network1: a `keras.Model` that gives logits [batch, num_classes].
    **kwargs: fields of `loss_options.NCERCE`, and see `Classifier`.

  References:
    Ma et al., "Normalized Loss Functions for Deep Learning with Noisy Labels",
    ICML 2020, Equation 11.
  """

  Options = loss_options.NCERCE
  PARTS = ("cross_entropy", "normalized_cross_entropy", "reverse_cross_entropy")

  def network_losses(self, logits, targets):
    """Normalised cross entropy plus reverse cross entropy."""
    label = targets["label"]
    normalized = normalized_cross_entropy(logits[0], label)
    reverse = sce.reverse_cross_entropy(logits[0], label)
    loss = (
      self.options.nce_rce_alpha * normalized
      + self.options.nce_rce_beta * reverse
    )
    parts = {
      "cross_entropy": losses.cross_entropy(logits[0], label),
      "normalized_cross_entropy": normalized,
      "reverse_cross_entropy": reverse,
    }
    return [classifier.NetworkLoss(loss, parts=parts)]


def normalized_cross_entropy(logits, labels):
  """Cross entropy over the sum of those with each class as the label.

  `log(p[label]) / sum(log(p))`, with logarithms of at least log(1e-7).

  Args:
    logits: float [batch, num_classes].
    labels: integer [batch].

  Returns:
    float32 [batch], in [0, 1].
  """
  log_p = tf.nn.log_softmax(tf.cast(logits, tf.float32))
  log_p = tf.maximum(log_p, _MIN_LOG)
  of_label = tf.gather(log_p, labels, axis=1, batch_dims=1)
  return of_label / tf.reduce_sum(log_p, axis=1)
