"""Bootstrapping: labels mixed with the network's own predictions."""

import tensorflow as tf

from nct_tf import losses
from nct_tf.methods import options
from nct_tf.models import classifier

_DEFAULT_BETA = {"soft": 0.95, "hard": 0.8}
# As the ports of the method clip probabilities before their logarithm.
_MIN_PROBABILITY = 1e-7


class BootstrapModel(classifier.Classifier):
  """One network that minimises the cross entropy with a mixed target.

  `-sum(t * log(p))`, where p are the predicted probabilities and the target is
  `t = beta * onehot(label) + (1 - beta) * q`. With `soft`, q is p itself, and
  gradients flow through it; with `hard`, q is the likeliest class.

  Args:
    network1: a `keras.Model` that gives logits [batch, num_classes].
    **kwargs: fields of `methods.options.Bootstrap`, and see `Classifier`.

  References:
    Reed et al., "Training Deep Neural Networks on Noisy Labels with
    Bootstrapping", 2015, Equations 6 and 7.
  """

  Options = options.Bootstrap

  def network_losses(self, logits, targets):
    """The cross entropy with the mixed target."""
    kind = self.options.bootstrap_type
    beta = self.options.bootstrap_beta
    loss = bootstrap_loss(
      logits[0],
      targets["label"],
      _DEFAULT_BETA[kind] if beta is None else beta,
      is_hard=kind == "hard",
    )
    cross_entropy = losses.cross_entropy(logits[0], targets["label"])
    return [
      classifier.NetworkLoss(loss, parts={"cross_entropy": cross_entropy})
    ]


def bootstrap_loss(logits, labels, beta, is_hard):
  """Cross entropy with labels that are mixed with predictions.

  Args:
    logits: float [batch, num_classes].
    labels: integer [batch].
    beta: float in [0, 1], the weight of the label.
    is_hard: bool, whether the likeliest class is mixed in, or all
      probabilities.

  Returns:
    float32 [batch], in nats.
  """
  probabilities = tf.clip_by_value(
    tf.nn.softmax(tf.cast(logits, tf.float32)),
    _MIN_PROBABILITY,
    1 - _MIN_PROBABILITY,
  )
  num_classes = logits.shape[-1]
  own = probabilities
  if is_hard:
    own = tf.one_hot(tf.argmax(logits, axis=-1), num_classes)
  target = beta * tf.one_hot(labels, num_classes) + (1 - beta) * own
  return -tf.reduce_sum(target * tf.math.log(probabilities), axis=-1)
