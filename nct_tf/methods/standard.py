"""Standard training: one network, cross entropy with the given labels."""

from nct_tf.methods import options
from nct_tf.models import classifier


class StandardModel(classifier.Classifier):
  """One network trained on its labels alone: what the paper compares with.

  Args:
    network1: a `keras.Model` that gives logits [batch, num_classes].
    **kwargs: see `Classifier`.
  """

  Options = options.Standard

  def network_losses(self, logits, targets):
    """The cross entropy."""
    return classifier.plain_losses(logits, targets)
