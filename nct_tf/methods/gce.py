"""Generalised cross entropy, between cross entropy and absolute error."""

import logging

import numpy as np
import tensorflow as tf

from nct_tf import losses
from nct_tf.methods import loss_options
from nct_tf.models import classifier, example_table

_logger = logging.getLogger(__name__)


class GCEModel(classifier.Classifier):
  """One network that minimises `(1 - p[label]**q) / q`.

  With a `gce_truncation` k, examples whose label has a probability of at most k
  are pruned: they are left out, until it is decided anew. The rest minimise
  the loss minus its value at k; sums are divided by all examples of the batch.
  The authors' code decides with the weights of the epoch that was best on
  validation; here it is done with the weights as they are.

  Args:
    network1: a `keras.Model` that gives logits [batch, num_classes].
    **kwargs: fields of `loss_options.GCE`, and see `Classifier`.

  References:
    Zhang and Sabuncu, "Generalized Cross Entropy Loss for Training Deep Neural
    Networks with Noisy Labels", NeurIPS 2018, Equations 6 and 9, Algorithm 1.
  """

  Options = loss_options.GCE

  def network_losses(self, logits, targets):
    """The loss, of examples that are not pruned."""
    (whole,) = self.evaluation_losses(logits, targets)
    k = self.options.gce_truncation
    if k is None:
      return [whole]
    pruned = self.example_state["pruned"].gather(targets)[:, 0]
    q = self.options.gce_q
    loss = whole.loss - (1 - k**q) / q
    return [whole._replace(loss=loss, weight=1 - pruned, floor=1.0)]

  def evaluation_losses(self, logits, targets):
    """The loss, of all examples."""
    loss = generalized_cross_entropy(
      logits[0], targets["label"], self.options.gce_q
    )
    cross_entropy = losses.cross_entropy(logits[0], targets["label"])
    return [
      classifier.NetworkLoss(loss, parts={"cross_entropy": cross_entropy})
    ]

  def schedules(self, num_epochs):
    """Whether the end of an epoch prunes: 0 or 1."""
    if self.options.gce_truncation is None:
      return {}
    first = self._first_pruning(num_epochs)
    every = self.options.gce_prune_every_epochs

    def prunes(epoch):
      num_done = epoch + 1
      return float(num_done >= first and (num_done - first) % every == 0)

    return {"prunes": prunes}

  def _first_pruning(self, num_epochs):
    return self.options.gce_prune_epochs or max(1, num_epochs // 3)

  def phases(self, num_epochs):
    """One, in the course of which examples are pruned."""
    if self.options.gce_truncation is not None:
      classifier.check_ends_before(
        "gce_prune_epochs", self._first_pruning(num_epochs), num_epochs
      )
    return super().phases(num_epochs)

  def state(self, num_examples, num_classes, batch_size):
    """Which examples are pruned: 0 or 1 each."""
    del num_classes
    if self.options.gce_truncation is None:
      return {}
    return {"pruned": example_table.ExampleTable(num_examples, 1, batch_size)}

  def passes(self, num_epochs):
    """One each time that examples are pruned."""
    if self.options.gce_truncation is None:
      return 0
    prunes = self.schedules(num_epochs)["prunes"]
    return sum(map(prunes, range(num_epochs)))

  def between_epochs(self, epoch, training_set):
    """Decides which examples are pruned."""
    if self.options.gce_truncation is None:
      return
    if not self.schedules(training_set.num_epochs)["prunes"](epoch):
      return
    pruned = _label_probability(training_set) <= self.options.gce_truncation
    self.example_state["pruned"].set_state(np.float32(pruned)[:, None])
    _logger.info(
      "After epoch %d: %d of %d examples are left out, as their labels have a "
      "probability of at most %g",
      epoch + 1,
      pruned.sum(),
      len(pruned),
      self.options.gce_truncation,
    )


def _label_probability(training_set):
  (logits,) = training_set.predict()
  cross_entropy = losses.cross_entropy(logits, training_set.labels)
  return np.exp(-cross_entropy.numpy())


def generalized_cross_entropy(logits, labels, q):
  """The box-cox transformation of the label's probability.

  `(1 - p[label]**q) / q`, where the power is the exponential of
  q times the logarithm: its gradient stays finite where p is 0.

  Args:
    logits: float [batch, num_classes].
    labels: integer [batch].
    q: float in (0, 1].

  Returns:
    float32 [batch], in [0, 1 / q].
  """
  return (1 - tf.exp(-q * losses.cross_entropy(logits, labels))) / q
