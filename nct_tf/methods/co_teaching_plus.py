"""Co-teaching+: Co-teaching where the networks disagree."""

import tensorflow as tf

from nct_tf.methods import co_teaching, decoupling, selection_options
from nct_tf.models import selection


class CoTeachingPlusModel(co_teaching.CoTeachingModel):
  """As Co-teaching, among the examples that the networks disagree about.

  That begins after `agreement_epochs`. If rounding leaves none of them, all
  of them count; if the networks agree about the whole batch, all of it does.

  Args:
    network1: a `keras.Model` that gives logits [batch, num_classes].
    network2: another one.
    **kwargs: fields of `selection_options.CoTeachingPlus`, and see
      `Classifier`.

  References:
    Yu et al., "How does Disagreement Help Generalization against Label
    Corruption?", ICML 2019, Algorithm 1.
  """

  Options = selection_options.CoTeachingPlus

  def schedules(self, num_epochs):
    """Those of the forget rate, and whether disagreement counts: 0 or 1."""
    return {
      **super().schedules(num_epochs),
      "uses_disagreement": decoupling.uses_disagreement(
        self.options.agreement_epochs, num_epochs
      ),
    }

  def phases(self, num_epochs):
    """One, in the course of which disagreement begins to count."""
    decoupling.check_agreement(self.options.agreement_epochs, num_epochs)
    return super().phases(num_epochs)

  def choose(self, losses, disagree, among):
    """See `CoTeachingModel`."""
    rate = tf.convert_to_tensor(self.forget_rate)
    uses_disagreement = tf.convert_to_tensor(self.uses_disagreement) > 0
    of_all = co_teaching.easiest(losses, among, rate)
    of_some = easiest_disagreed(losses, disagree, among, rate)
    return [
      tf.where(uses_disagreement, some, every)
      for some, every in zip(of_some, of_all, strict=True)
    ]


def easiest_disagreed(losses, disagree, among, rate):
  """Returns as `co_teaching.easiest`, of examples that are disagreed about.

  Args:
    losses: list of float32 [rows].
    disagree: bool [rows], whether the networks predict different classes.
    among: bool [rows], which examples may be chosen.
    rate: float32 scalar.
  """
  disagreed = disagree & among
  count = tf.reduce_sum(tf.cast(disagreed, tf.float32))
  num_kept = selection.num_kept(rate, count)
  num_kept = tf.where(num_kept > 0, num_kept, tf.cast(count, tf.int32))
  return [
    tf.where(count > 0, selection.smallest(each, num_kept, disagreed), among)
    for each in losses
  ]
