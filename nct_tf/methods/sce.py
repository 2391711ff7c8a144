"""Symmetric cross entropy: label and prediction change places, too."""

import math

import tensorflow as tf

from nct_tf import losses
from nct_tf.methods import loss_options
from nct_tf.models import classifier

# What the logarithm of a probability of 0 is taken for, as in the authors'
# code. Their paper has -4, so its beta is another one.
_LOG_ZERO = math.log(1e-4)


class SCEModel(classifier.Classifier):
  """One network that minimises `alpha * CE + beta * RCE`.

  Args:
    network1: a `keras.Model` that gives logits [batch, num_classes].
    **kwargs: fields of `loss_options.SCE`, and see `Classifier`.

  References:
    Wang et al., "Symmetric Cross Entropy for Robust Learning with Noisy
    Labels", ICCV 2019, Equation 7.
  """

  Options = loss_options.SCE
  PARTS = ("cross_entropy", "reverse_cross_entropy")

  def network_losses(self, logits, targets):
    """Cross entropy plus reverse cross entropy."""
    cross_entropy = losses.cross_entropy(logits[0], targets["label"])
    reverse = reverse_cross_entropy(logits[0], targets["label"])
    loss = (
      self.options.sce_alpha * cross_entropy + self.options.sce_beta * reverse
    )
    parts = {"cross_entropy": cross_entropy, "reverse_cross_entropy": reverse}
    return [classifier.NetworkLoss(loss, parts=parts)]


def reverse_cross_entropy(logits, labels):
  """Cross entropy in which label and prediction have changed places.

  `-sum(p * log(y))` with the one-hot label y, whose zeros are 1e-4:
  `-log(1e-4) * (1 - p[label])`.

  Args:
    logits: float [batch, num_classes].
    labels: integer [batch].

  Returns:
    float32 [batch], in nats, in [0, 9.22).
  """
  return -_LOG_ZERO * (1 - tf.exp(-losses.cross_entropy(logits, labels)))
