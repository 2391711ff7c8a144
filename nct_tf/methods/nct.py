"""Noisy Concurrent Training: two networks that learn from each other."""

import tensorflow as tf

from nct_tf import losses, target_variability
from nct_tf.models import classifier

# Apart from the streams of the input pipeline.
_TARGET_STREAM = 2


class ConcurrentModel(classifier.Classifier):
  """Two networks trained concurrently, as a Keras model.

  Each step of `fit` is one of Algorithm 1. `alpha` and
  `target_variability_rate` are scalar weights of the model that start at 0;
  `nct_tf.callbacks.EpochSchedule` sets them once an epoch.

  The networks may be any two Keras models that give logits for the same
  classes, of images or of anything else, alike or not. One optimizer updates
  both, at once, from losses that were computed before either changed. As no
  gradient flows to the peer, that equals two optimizers (but for clipping by
  the norm of all gradients together, which an optimizer of Keras may do;
  `clip_norm` here is of each network's own).

  Args:
    network1: a `keras.Model` that gives logits [batch, num_classes].
    network2: another one.
    temperature: float above 0, T of the mimicry loss; the paper's 4.
    mimicry: bool, whether there is a mimicry loss at all; without it nothing
      is computed for it, and `alpha` must stay 0.
    randomize_targets: bool, whether there is target variability at all;
      without it nothing is computed for it.
    exclude_true: bool, whether a random label always differs from the given
      one; see `target_variability.randomize_labels`.
    seed: int, of the random labels. They are a function of (seed, step,
      network, position in the global batch) alone. The step is that of the
      data, see `Classifier`, or else the optimizer's.
    weight_decay: float, see `Classifier`.
    clip_norm: float or None, see `Classifier`.
    validation_metrics: see `Classifier`.
    **kwargs: of `keras.Model`.

  References:
    Algorithm 1 of the paper.
  """

  def __init__(
    self,
    network1,
    network2,
    temperature=4.0,
    mimicry=True,
    randomize_targets=True,
    exclude_true=True,
    seed=0,
    weight_decay=0.0,
    clip_norm=None,
    validation_metrics=(),
    **kwargs,
  ):
    super().__init__(
      network1, network2, weight_decay, clip_norm, validation_metrics, **kwargs
    )
    self.temperature = temperature
    self.mimicry = mimicry
    self.randomize_targets = randomize_targets
    self.exclude_true = exclude_true
    self.seed = seed
    self.alpha = self._schedule_weight("alpha")
    self.target_variability_rate = self._schedule_weight(
      "target_variability_rate"
    )

  def _schedule_weight(self, name):
    # A weight, not a Python number: it changes without a new trace, and is in
    # every checkpoint.
    return self.add_weight(
      name=name,
      shape=(),
      dtype="float32",
      initializer="zeros",
      trainable=False,
    )

  def train_step(self, data):
    """One step of Algorithm 1.

    Args:
      data: `(images, labels)` or `(images, targets)`, see `Classifier`.

    Returns:
      dict from name to scalar, the epoch's means so far.
    """
    images, targets = self.unpack(data)
    with tf.GradientTape() as tape:
      logits = self.logits(images, training=True)
      labels = self._random_labels(targets, num_classes=logits[0].shape[-1])
      values = self.per_example_losses(logits, labels)
      objective = self.objective(values["loss"])
    self.minimize(tape, objective)
    return self.record_training(values, logits, targets)

  def test_step(self, data):
    """Measures a batch: the losses against the labels as they are."""
    images, targets = self.unpack(data)
    logits = self.logits(images)
    values = self.per_example_losses(logits, [targets["label"]] * 2)
    return self.record_validation(values, logits, targets)

  def _random_labels(self, targets, num_classes):
    """Algorithm 2, independently for each network: two integer [batch]."""
    labels = targets["label"]
    if not self.randomize_targets:
      return [labels, labels]
    position = targets.get("position")
    if position is None:
      # Right where each replica gets an equal share of every batch.
      context = tf.distribute.get_replica_context()
      num_local = tf.shape(labels)[0]
      replica = tf.cast(context.replica_id_in_sync_group, tf.int32)
      position = replica * num_local + tf.range(num_local)
    if "step" in targets:
      step = targets["step"][0]
    else:
      step = tf.convert_to_tensor(self.optimizer.iterations)
    step_seed = tf.random.experimental.stateless_fold_in(
      tf.constant([_TARGET_STREAM, self.seed], tf.int64),
      tf.cast(step, tf.int64),
    )
    return [
      target_variability.randomize_labels(
        labels,
        tf.convert_to_tensor(self.target_variability_rate),
        num_classes,
        tf.random.experimental.stateless_fold_in(step_seed, network),
        self.exclude_true,
        position,
      )
      for network in (1, 2)
    ]

  def per_example_losses(self, logits, labels):
    """Equations 1 and 2: dict from name to float32 [batch].

    `loss` is the sum of the two networks' losses.
    """
    values = {"loss": 0.0}
    for number, own, peer, own_labels in (
      (1, logits[0], logits[1], labels[0]),
      (2, logits[1], logits[0], labels[1]),
    ):
      if self.mimicry:
        loss, cross_entropy, mimicry = losses.concurrent_loss_and_parts(
          own,
          peer,
          own_labels,
          tf.convert_to_tensor(self.alpha),
          self.temperature,
        )
        values[f"mimicry_{number}"] = mimicry
      else:
        loss = cross_entropy = losses.cross_entropy(own, own_labels)
      values[f"cross_entropy_{number}"] = cross_entropy
      values["loss"] += loss
    return values
