"""Deep Mutual Learning: two networks, each the other's teacher."""

from nct_tf import losses
from nct_tf.methods import options
from nct_tf.models import classifier


class MutualModel(classifier.Classifier):
  """Two networks that minimise `cross entropy + KL(peer || own)` each.

  Both terms have weight 1 at temperature 1, from the first epoch on, and no
  gradient flows to the peer. Both networks are updated at once, from one batch;
  the authors' code updates one after the other, each from a batch of its own.

  Args:
    network1: a `keras.Model` that gives logits [batch, num_classes].
    network2: another one.
    **kwargs: see `Classifier`.

  References:
    Zhang et al., "Deep Mutual Learning", CVPR 2018, Equations 5 and 6.
  """

  Options = options.DML
  PARTS = ("cross_entropy", "mimicry")

  def network_losses(self, logits, targets):
    """Cross entropy plus mimicry, of each network."""
    own, peer = logits
    return [
      _network_loss(own, peer, targets["label"]),
      _network_loss(peer, own, targets["label"]),
    ]


def _network_loss(logits, peer_logits, labels):
  cross_entropy = losses.cross_entropy(logits, labels)
  mimicry = losses.mimicry_loss(logits, peer_logits, temperature=1.0)
  return classifier.NetworkLoss(
    cross_entropy,
    unlabelled=mimicry,
    parts={"cross_entropy": cross_entropy, "mimicry": mimicry},
  )
