"""Cross entropy, the mimicry loss, and their convex combination.

All take logits and give a value per example; whoever calls them reduces.
Logits of a lower precision are cast to float32 first.
"""

import tensorflow as tf

from nct_tf import errors


def cross_entropy(logits, labels):
  """Softmax cross entropy, `-log softmax(logits)[label]`.

  Args:
    logits: float [batch, num_classes].
    labels: integer [batch], in [0, num_classes).

  Returns:
    float32 [batch], in nats.

  References:
    L_CE of Equations 1 and 2 of the paper.
  """
  return tf.nn.sparse_softmax_cross_entropy_with_logits(
    labels=labels, logits=tf.cast(logits, tf.float32)
  )


def mimicry_loss(logits, peer_logits, temperature):
  """How far a network's softened predictions are from its peer's.

  `T**2 * KL(softmax(peer_logits / T) || softmax(logits / T))`. The peer is
  the target: no gradient flows to `peer_logits`. The factor T**2 keeps the
  gradient's size independent of the temperature.

  The paper prints softmax(z)/T, which is no distribution; softmax(z/T) is
  meant.

  Args:
    logits: float [batch, num_classes].
    peer_logits: float [batch, num_classes].
    temperature: T, above 0.

  Returns:
    float32 [batch], in nats times T**2, at least 0 (up to rounding).

  Raises:
    InvalidInputError: if the temperature is a number and not above 0.

  References:
    D_KL of Equations 1 and 2 of the paper.
  """
  if isinstance(temperature, int | float):
    errors.check_range(
      "temperature", temperature, 0, float("inf"), low_open=True
    )
  log_q = tf.nn.log_softmax(tf.cast(logits, tf.float32) / temperature)
  log_p = tf.stop_gradient(
    tf.nn.log_softmax(tf.cast(peer_logits, tf.float32) / temperature)
  )
  divergence = tf.reduce_sum(tf.exp(log_p) * (log_p - log_q), axis=-1)
  return temperature**2 * divergence


def concurrent_loss(logits, peer_logits, labels, alpha, temperature):
  """The loss of one of the two networks.

  `(1 - alpha) * cross_entropy(logits, labels)
  + alpha * mimicry_loss(logits, peer_logits, temperature)`.

  Args:
    logits: float [batch, num_classes], of the network that learns.
    peer_logits: float [batch, num_classes], of the other one.
    labels: integer [batch].
    alpha: float in [0, 1], the weight of mimicry.
    temperature: T, above 0.

  Returns:
    float32 [batch].

  References:
    Equations 1 and 2 of the paper; Algorithm 1 misprints the first.
  """
  return (1.0 - alpha) * cross_entropy(logits, labels) + alpha * mimicry_loss(
    logits, peer_logits, temperature
  )
