"""How far a batch's predictions are from classes that are equally frequent."""

import tensorflow as tf

from nct_tf import distribution
from nct_tf.models import global_batch

_TINY = 1e-12  # Of a class that no example is predicted to be.


def divergence(probabilities):
  """Returns the divergence of the mean prediction from a uniform prior.

  `sum(1 / C * log((1 / C) / mean(p)))`, where the mean is over the global
  batch, whatever the number of replicas. Each replica must call this.

  Args:
    probabilities: float32 [rows, num_classes], of this replica's share.

  Returns:
    float32 [rows], in nats. Each is the divergence, and the gradient of their
    mean over the global batch is the gradient of the divergence.

  References:
    Tanaka et al., "Joint Optimization Framework for Learning with Noisy
    Labels", CVPR 2018, Equation 8.
  """
  num_classes = probabilities.shape[-1]
  prior = 1 / num_classes
  total = distribution.sum_over_replicas(
    tf.stop_gradient(tf.reduce_sum(probabilities, axis=0))
  )
  mean = tf.maximum(total / global_batch.size(probabilities), _TINY)
  value = tf.reduce_sum(prior * tf.math.log(prior / mean))
  # The divergence has the gradient of its linear part, of which each example
  # has a share of its own. So the sum over replicas needs no gradient.
  change = probabilities - tf.stop_gradient(probabilities)
  return value - tf.reduce_sum(prior / mean * change, axis=1)
