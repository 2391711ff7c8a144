"""Early-learning regularisation: a network that holds on to what it was."""

import tensorflow as tf

from nct_tf import losses
from nct_tf.methods import loss_options
from nct_tf.models import classifier, example_table

# As the authors' code clips probabilities.
_MIN_PROBABILITY = 1e-4


class ELRModel(classifier.Classifier):
  """One network that minimises `CE + lambda * log(1 - sum(t * p))`.

  The target t of an example is a moving average of its predictions,
  `beta * t + (1 - beta) * p / sum(p)`, which starts at 0. It is updated before
  the loss is computed, and no gradient flows to it.

  Args:
    network1: a `keras.Model` that gives logits [batch, num_classes].
    **kwargs: fields of `loss_options.ELR`, and see `Classifier`.

  References:
    Liu et al., "Early-Learning Regularization Prevents Memorization of Noisy
    Labels", NeurIPS 2020, Equations 6 and 9.
  """

  Options = loss_options.ELR
  PARTS = ("cross_entropy", "regularizer")

  def network_losses(self, logits, targets):
    """The cross entropy plus the regulariser."""
    table = self.example_state["target"]
    p = tf.clip_by_value(
      tf.nn.softmax(logits[0]), _MIN_PROBABILITY, 1 - _MIN_PROBABILITY
    )
    target = moving_target(table.gather(targets), p, self.options.elr_beta)
    table.assign(target, targets)
    regularizer = tf.math.log(1 - tf.reduce_sum(target * p, axis=1))
    cross_entropy = losses.cross_entropy(logits[0], targets["label"])
    return [
      classifier.NetworkLoss(
        cross_entropy,
        unlabelled=self.options.elr_lambda * regularizer,
        parts={"cross_entropy": cross_entropy, "regularizer": regularizer},
      )
    ]

  def evaluation_losses(self, logits, targets):
    """The cross entropy."""
    return classifier.plain_losses(logits, targets)

  def state(self, num_examples, num_classes, batch_size):
    """The target of each example: a probability for each class."""
    return {
      "target": example_table.ExampleTable(
        num_examples, num_classes, batch_size
      )
    }


def moving_target(target, probabilities, beta):
  """Returns the targets after a prediction: float32 [batch, num_classes].

  Args:
    target: float32 [batch, num_classes], those before it.
    probabilities: float32 [batch, num_classes]; they need not add up to 1.
    beta: float in [0, 1), the share of the old targets.
  """
  p = tf.stop_gradient(probabilities)
  return beta * target + (1 - beta) * p / tf.reduce_sum(
    p, axis=1, keepdims=True
  )
