"""JoCoR: two networks that agree on what is easy."""

import tensorflow as tf

from nct_tf import losses
from nct_tf.methods import co_teaching, forget_rate, selection_options
from nct_tf.models import classifier


class JoCoRModel(forget_rate.ForgettingModel):
  """Two networks that minimise one loss on the examples where it is smallest.

  `(1 - lambda) * (CE1 + CE2) + lambda * (KL(p2 || p1) + KL(p1 || p2))`; the
  gradients of the divergences flow to both networks.

  Args:
    network1: a `keras.Model` that gives logits [batch, num_classes].
    network2: another one.
    **kwargs: fields of `selection_options.JoCoR`, and see `Classifier`.

  References:
    Wei et al., "Combating Noisy Labels by Agreement: A Joint Training Method
    with Co-Regularization", CVPR 2020, Equations 1 to 5.
  """

  Options = selection_options.JoCoR
  PARTS = ("cross_entropy", "divergence")

  def network_losses(self, logits, targets):
    """Each network's half of the loss, where the whole is small."""
    batch, learned = self.batch(targets)
    halves = self.evaluation_losses(logits, targets)
    whole = tf.add_n([half.loss + half.unlabelled for half in halves])
    (chosen,) = co_teaching.easiest(
      [batch.join(whole)],
      learned,
      tf.convert_to_tensor(self.forget_rate),
    )
    weight = batch.share(tf.cast(chosen, tf.float32))
    return [half._replace(weight=weight) for half in halves]

  def evaluation_losses(self, logits, targets):
    """Each network's half of the loss, of all examples."""
    weight = self.options.jocor_lambda
    divergence = symmetric_divergence(*logits)
    result = []
    for own in logits:
      cross_entropy = losses.cross_entropy(own, targets["label"])
      result.append(
        classifier.NetworkLoss(
          (1 - weight) * cross_entropy,
          unlabelled=weight * divergence / 2,
          parts={"cross_entropy": cross_entropy, "divergence": divergence},
        )
      )
    return result


def symmetric_divergence(logits, other_logits):
  """`KL(p || q) + KL(q || p)` of two predictions, with gradients to both.

  Args:
    logits: float [batch, num_classes].
    other_logits: float [batch, num_classes].

  Returns:
    float32 [batch], in nats.
  """
  log_p = tf.nn.log_softmax(tf.cast(logits, tf.float32))
  log_q = tf.nn.log_softmax(tf.cast(other_logits, tf.float32))
  return tf.reduce_sum(
    (tf.exp(log_p) - tf.exp(log_q)) * (log_p - log_q), axis=1
  )
