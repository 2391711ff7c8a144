"""Plain training: one network, cross entropy with the given labels."""

import tensorflow as tf

from nct_tf import losses
from nct_tf.models import classifier


class StandardModel(classifier.Classifier):
  """One network trained on its labels alone: what the paper compares with.

  Args:
    network1: a `keras.Model` that gives logits [batch, num_classes].
    weight_decay: float, see `Classifier`.
    clip_norm: float or None, see `Classifier`.
    validation_metrics: see `Classifier`.
    **kwargs: of `keras.Model`.
  """

  def __init__(
    self,
    network1,
    weight_decay=0.0,
    clip_norm=None,
    validation_metrics=(),
    **kwargs,
  ):
    super().__init__(
      network1, None, weight_decay, clip_norm, validation_metrics, **kwargs
    )

  def train_step(self, data):
    """One step of gradient descent on the cross entropy."""
    images, targets = self.unpack(data)
    with tf.GradientTape() as tape:
      logits = self.logits(images, training=True)
      values = self.per_example_losses(logits, targets)
      objective = self.objective(values["loss"])
    self.minimize(tape, objective)
    return self.record_training(values, logits, targets)

  def test_step(self, data):
    """Measures a batch."""
    images, targets = self.unpack(data)
    logits = self.logits(images)
    values = self.per_example_losses(logits, targets)
    return self.record_validation(values, logits, targets)

  def per_example_losses(self, logits, targets):
    """Returns dict from name to float32 [batch]."""
    loss = losses.cross_entropy(logits[0], targets["label"])
    return {"loss": loss, "cross_entropy_1": loss}
