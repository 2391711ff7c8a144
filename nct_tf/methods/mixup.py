"""Mixup: images that are mixed from two, with both labels."""

import math

import tensorflow as tf

from nct_tf import losses, random_numbers
from nct_tf.methods import loss_options
from nct_tf.models import classifier

_MIXUP_STREAM = 3  # Of random numbers, see `Classifier.step_seed`.


class MixupModel(classifier.Classifier):
  """One network that learns from mixed images.

  `share * x + (1 - share) * x[order]`, with one share for each batch, drawn
  from Beta(alpha, alpha), and a random order of the global batch. The loss is
  that of both labels, mixed alike. So are the accuracies in training.

  Args:
    network1: a `keras.Model` that gives logits [batch, num_classes].
    seed: int, of shares and orders, which are a function of it and of the step.
    **kwargs: fields of `loss_options.Mixup`, and see `Classifier`.

  References:
    Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018.
  """

  Options = loss_options.Mixup

  def prepare(self, images, targets):
    """Mixes the images of the batch."""
    pairs = Pairs(
      self.global_batch(targets),
      self.options.mixup_alpha,
      self.step_seed(_MIXUP_STREAM, targets),
    )
    share = tf.fill(tf.shape(targets["label"]), pairs.share)
    return pairs.mix(images, share), {
      **targets,
      "mixed_label": pairs.labels_of_other(targets["label"]),
      "label_share": share,
    }

  def network_losses(self, logits, targets):
    """The cross entropy with both labels."""
    loss = mixed_cross_entropy(
      logits[0],
      targets["label"],
      targets["mixed_label"],
      targets["label_share"],
    )
    return [classifier.NetworkLoss(loss, parts={"cross_entropy": loss})]

  def evaluation_losses(self, logits, targets):
    """The cross entropy of images as they are."""
    return classifier.plain_losses(logits, targets)


def mixed_cross_entropy(logits, labels, mixed_labels, share):
  """Cross entropy with the labels of two images.

  `share * CE(labels) + (1 - share) * CE(mixed_labels)`.

  Args:
    logits: float [batch, num_classes].
    labels: integer [batch].
    mixed_labels: integer [batch].
    share: float32 [batch] or a scalar, in [0, 1].

  Returns:
    float32 [batch], in nats.
  """
  return share * losses.cross_entropy(logits, labels) + (
    1 - share
  ) * losses.cross_entropy(logits, mixed_labels)


class Pairs:
  """Who is mixed with whom in a batch, and a share for all of it.

  The other ones are the global batch in random order.

  Args:
    batch: `global_batch.GlobalBatch`.
    alpha: float above 0, of `symmetric_beta`.
    seed: integer [2], a stateless seed.

  Attributes:
    share: float32 scalar, the share of the own example.
  """

  def __init__(self, batch, alpha, seed):
    share_seed, order_seed = random_numbers.split(seed)
    self.share = symmetric_beta(alpha, share_seed)
    self._batch = batch
    self._order = random_order(batch, order_seed)

  def of_other(self, values):
    """Returns what the other ones have: float32 [batch, ...], like `values`."""
    return self._batch.share(tf.gather(self._batch.join(values), self._order))

  def labels_of_other(self, labels):
    """Returns the other ones' labels: int32 [batch]."""
    return tf.cast(self.of_other(tf.cast(labels, tf.float32)), tf.int32)

  def mix(self, values, share):
    """Returns values that are mixed from two: float32 [batch, ...].

    Args:
      values: float [batch, ...].
      share: float32 [batch], that of the own ones.
    """
    values = tf.cast(values, tf.float32)
    ones = tf.ones([tf.rank(values) - 1], tf.int32)
    share = tf.reshape(share, tf.concat([tf.shape(share), ones], axis=0))
    return share * values + (1 - share) * self.of_other(values)


def random_order(batch, seed):
  """Returns the rows of a global batch in random order: int32 [rows].

  Rows that are no examples stay behind those that are.
  """
  keys = random_numbers.uniform([batch.num_rows], seed)
  keys = tf.where(batch.is_there(), keys, tf.ones_like(keys))
  return tf.argsort(keys, stable=True)


def symmetric_beta(alpha, seed):
  """Draws from Beta(alpha, alpha): a float32 scalar in [0, 1].

  Args:
    alpha: float above 0.
    seed: integer [2], a stateless seed.

  References:
    Devroye, "Random variate generation in one line of code", WSC 1996:
    Student's t from two uniform numbers, as Bailey draws it, and the beta from
    that.
  """
  first, second = tf.unstack(random_numbers.uniform([2], seed))
  # In (0, 1], as is 1 minus a number in [0, 1).
  radius = tf.math.expm1(-tf.math.log(1 - first) / alpha)
  cosine = tf.cos(2 * math.pi * second)
  # 1 / radius is infinite where it is 0, and the result is the middle then.
  return 0.5 + 0.5 * cosine * tf.math.rsqrt(cosine**2 + 1 / radius)
