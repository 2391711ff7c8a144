"""Noisy Concurrent Training: two networks that learn from each other."""

import tensorflow as tf

from nct_tf import losses, random_numbers, schedules, target_variability
from nct_tf.methods import options
from nct_tf.models import classifier

# Random numbers come in streams: 0 is the order of the examples (sampling), 1
# their augmentation (batching), 2 the random labels.
_TARGET_STREAM = 2


class ConcurrentModel(classifier.Classifier):
  """Two networks trained concurrently, as a Keras model.

  Each step of `fit` is one of Algorithm 1. `alpha` and
  `target_variability_rate` are scalar weights of the model that start at 0;
  the callbacks of `nct_tf.concurrent_schedules` set them once an epoch.

  The networks may be any two Keras models that give logits for the same
  classes, of images or of anything else, alike or not. One optimizer updates
  both, at once, from losses that were computed before either changed. As no
  gradient flows to the peer, that equals two optimizers (but for clipping by
  the norm of all gradients together, which an optimizer of Keras may do;
  `clip_norm` here is of each network's own).

  Args:
    network1: a `keras.Model` that gives logits [batch, num_classes].
    network2: another one.
    seed: int, of the random labels. They are a function of (seed, step,
      network, position in the global batch) alone. The step is
      `targets["step"]` where the data have it, else `optimizer.iterations`.
    **kwargs: fields of `methods.options.NCT`, such as `temperature`, and
      arguments of `Classifier`. With an `alpha_max` of 0 nothing is computed
      for mimicry, and with a `target_variability_max` of 0 no label is
      randomised.

  References:
    Algorithm 1 of the paper.
  """

  Options = options.NCT
  PARTS = ("cross_entropy", "mimicry")

  def train_step(self, data):
    """One step of Algorithm 1.

    Args:
      data: `(images, labels)` or `(images, targets)`, see `Classifier`.

    Returns:
      dict from name to scalar, the epoch's means so far.
    """
    images, targets = self.unpack(data)
    with tf.GradientTape() as tape:
      logits1, logits2 = self.logits(images, training=True)
      labels1, labels2 = self.random_labels(targets, logits1.shape[-1])
      loss1 = self.loss_of_one(logits1, logits2, labels1)
      loss2 = self.loss_of_one(logits2, logits1, labels2)
      values = classifier.per_example([loss1, loss2], targets)
      objective = self.objective(values["loss"])
    self.minimize(tape, objective)
    return self.record_training(values, [logits1, logits2], targets)

  def network_losses(self, logits, targets):
    """The losses with the given labels, for evaluation.

    In training each network learns from random labels of its own, so
    `train_step` is overridden.
    """
    logits1, logits2 = logits
    label = targets["label"]
    return [
      self.loss_of_one(logits1, logits2, label),
      self.loss_of_one(logits2, logits1, label),
    ]

  def loss_of_one(self, logits, peer_logits, labels):
    """Equation 1, or 2: the `NetworkLoss` of one of the two networks."""
    cross_entropy = losses.cross_entropy(logits, labels)
    if not self.options.alpha_max:
      return classifier.NetworkLoss(
        cross_entropy, parts={"cross_entropy": cross_entropy}
      )
    mimicry = losses.mimicry_loss(logits, peer_logits, self.options.temperature)
    alpha = tf.convert_to_tensor(self.alpha)
    return classifier.NetworkLoss(
      (1.0 - alpha) * cross_entropy,
      unlabelled=alpha * mimicry,
      parts={"cross_entropy": cross_entropy, "mimicry": mimicry},
    )

  def random_labels(self, targets, num_classes):
    """Algorithm 2, for each network by itself.

    Args:
      targets: dict, of `unpack`.
      num_classes: int.

    Returns:
      list of two integer [batch].
    """
    labels = targets["label"]
    if not self.options.target_variability_max:
      return [labels, labels]
    position = _positions(targets)
    step_seed = self.step_seed(_TARGET_STREAM, targets)
    return [
      target_variability.randomize_labels(
        labels,
        tf.convert_to_tensor(self.target_variability_rate),
        num_classes,
        random_numbers.fold_in(step_seed, network),
        self.options.target_variability_exclude_true,
        position,
      )
      for network in (1, 2)
    ]

  def schedules(self, num_epochs):
    """Dynamic balancing and target variability; see `schedules_of`."""
    return schedules_of(self.options, num_epochs)


def _positions(targets):
  """Returns the places in the global batch; None where this is all of it."""
  context = tf.distribute.get_replica_context()
  if context.num_replicas_in_sync == 1:
    return None
  if "position" in targets:
    return targets["position"]
  # Correct only where every replica gets an equal share of each batch.
  num_local = tf.shape(targets["label"])[0]
  replica = tf.cast(context.replica_id_in_sync_group, tf.int32)
  return replica * num_local + tf.range(num_local)


def schedules_of(chosen, num_epochs):
  """Returns the weight of mimicry and the target variability rate.

  Args:
    chosen: a `methods.options.NCT`.
    num_epochs: int, of the whole training.

  Returns:
    dict from `alpha` and `target_variability_rate` to a pure function from the
    0-based epoch to a float.

  References:
    Equations 4 and 5 of the paper.
  """
  rampup_epochs = chosen.alpha_rampup_epochs
  if rampup_epochs is None:
    rampup_epochs = schedules.default_rampup_epochs(num_epochs)
  return {
    "alpha": lambda epoch: schedules.sigmoid_rampup(
      epoch, rampup_epochs, chosen.alpha_steepness, chosen.alpha_max
    ),
    "target_variability_rate": lambda epoch: schedules.log_rampup(
      epoch,
      num_epochs,
      chosen.target_variability_warmup_epochs,
      chosen.target_variability_min,
      chosen.target_variability_max,
    ),
  }
