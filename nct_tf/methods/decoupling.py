"""Decoupling: when to update is not how to update."""

import tensorflow as tf

from nct_tf.methods import selection_options
from nct_tf.models import classifier


class DecouplingModel(classifier.Classifier):
  """Two networks that learn from examples about which they disagree.

  `sum(w * CE) / max(sum(w), floor * batch size)` each, where w is 1 if the
  networks predict different classes, or in the first steps, else 0.

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
    first, second = (tf.argmax(own, axis=1) for own in logits)
    learned = first != second
    if self.options.decoupling_warmup_steps:
      learned |= self.step(targets) < self.options.decoupling_warmup_steps
    return [
      each._replace(
        weight=tf.cast(learned, tf.float32), floor=self.options.decoupling_floor
      )
      for each in classifier.plain_losses(logits, targets)
    ]

  def evaluation_losses(self, logits, targets):
    """The cross entropies of all examples."""
    return classifier.plain_losses(logits, targets)
