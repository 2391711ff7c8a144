"""Co-teaching: each network learns what the other finds easy."""

import tensorflow as tf

from nct_tf import metrics
from nct_tf.methods import forget_rate, selection_options
from nct_tf.models import classifier, selection


class CoTeachingModel(forget_rate.ForgettingModel):
  """Two networks, each of which learns the peer's choice from a batch.

  Of the global batch, each network chooses the examples with its smallest cross
  entropies; the other one minimises the mean of its own over them. The
  authors' code divides that mean by the number of examples once more.

  Args:
    network1: a `keras.Model` that gives logits [batch, num_classes].
    network2: another one.
    **kwargs: fields of `selection_options.CoTeaching`, and see `Classifier`.

  References:
    Han et al., "Co-teaching: Robust Training of Deep Neural Networks with
    Extremely Noisy Labels", NeurIPS 2018, Algorithm 1.
  """

  Options = selection_options.CoTeaching

  def network_losses(self, logits, targets):
    """The cross entropies, weighted by what the peer has chosen: 0 or 1."""
    batch, learned = self.batch(targets)
    plain = classifier.plain_losses(logits, targets)
    chosen = self.choose(
      [batch.join(each.loss) for each in plain],
      batch.join(1 - metrics.agreement(*logits)) > 0,
      learned,
    )
    return [
      each._replace(weight=batch.share(tf.cast(of_peer, tf.float32)))
      for each, of_peer in zip(plain, reversed(chosen), strict=True)
    ]

  def evaluation_losses(self, logits, targets):
    """The cross entropies of all examples."""
    return classifier.plain_losses(logits, targets)

  def choose(self, losses, disagree, among):
    """Returns what each network chooses: list of bool [rows].

    Args:
      losses: list of float32 [rows], each network's cross entropies, of the
        global batch.
      disagree: bool [rows], whether the networks predict different classes.
      among: bool [rows], which examples may be chosen.
    """
    del disagree
    return easiest(losses, among, tf.convert_to_tensor(self.forget_rate))


def easiest(losses, among, rate):
  """Returns each network's examples of smallest loss: list of bool [rows].

  Args:
    losses: list of float32 [rows].
    among: bool [rows], which examples may be chosen.
    rate: float32 scalar, the share of those that is not.
  """
  count = tf.reduce_sum(tf.cast(among, tf.float32))
  num_kept = selection.num_kept(rate, count)
  return [selection.smallest(each, num_kept, among) for each in losses]
