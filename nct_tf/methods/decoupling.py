"""Decoupling: when to update is not how to update."""

import tensorflow as tf

from nct_tf import metrics
from nct_tf.methods import selection_options
from nct_tf.models import classifier


class DecouplingModel(classifier.Classifier):
  """Two networks that learn from examples about which they disagree.

  `sum(w * CE) / max(sum(w), floor * batch size)` each, where w is 1 if the
  networks predict different classes, or during the `agreement_epochs`, else 0.
  Without such epochs, networks that begin with predicting one class for all may
  both come to the same one, and learn nothing any more.

  Args:
    network1: a `keras.Model` that gives logits [batch, num_classes].
    network2: another one.
    **kwargs: fields of `selection_options.Decoupling`, and see `Classifier`.

  References:
    Malach and Shalev-Shwartz, 'Decoupling "when to update" from "how to
    update"', NeurIPS 2017, Algorithm 1.
  """

  Options = selection_options.Decoupling

  def network_losses(self, logits, targets):
    """The cross entropies, weighted by whether the networks disagree."""
    learned = metrics.agreement(*logits) == 0
    learned |= tf.convert_to_tensor(self.uses_disagreement) == 0
    return [
      each._replace(
        weight=tf.cast(learned, tf.float32), floor=self.options.decoupling_floor
      )
      for each in classifier.plain_losses(logits, targets)
    ]

  def schedules(self, num_epochs):
    """Whether it counts what the networks disagree about: 0 or 1."""
    return {
      "uses_disagreement": uses_disagreement(
        self.options.agreement_epochs, num_epochs
      )
    }

  def phases(self, num_epochs):
    """One, in the course of which disagreement begins to count."""
    check_agreement(self.options.agreement_epochs, num_epochs)
    return super().phases(num_epochs)

  def evaluation_losses(self, logits, targets):
    """The cross entropies of all examples."""
    return classifier.plain_losses(logits, targets)


def uses_disagreement(agreement_epochs, num_epochs):
  """Returns a function from the 0-based epoch to 0.0, and then to 1.0.

  Args:
    agreement_epochs: int, how long it is 0; None for 10 % of all.
    num_epochs: int, of the whole training.
  """
  first = _agreement_epochs(agreement_epochs, num_epochs)
  return lambda epoch: float(epoch >= first)


def check_agreement(agreement_epochs, num_epochs):
  """Raises `InvalidInputError` if it would never be 1; see above."""
  classifier.check_ends_before(
    "agreement_epochs",
    _agreement_epochs(agreement_epochs, num_epochs),
    num_epochs,
  )


def _agreement_epochs(given, num_epochs):
  return round(num_epochs / 10) if given is None else given
