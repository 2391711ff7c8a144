"""Which training examples an epoch has, and in which order.

Both depend only on the seed and the epoch.
"""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

_ORDER_STREAM = 0


class Labels(NamedTuple):
  """The given labels of all training examples, and how often each occurs.

  Attributes:
    of_examples: int32 tensor [num_examples].
    counts: int array [num_present], of the classes that occur, in order.
  """

  of_examples: tf.Tensor
  counts: np.ndarray


def count_labels(labels):
  """Returns the `Labels` of an integer array [num_examples]."""
  _, counts = np.unique(labels, return_counts=True)
  with tf.device("CPU:0"):  # Where tf.data reads them, not on a GPU.
    return Labels(tf.constant(np.asarray(labels, np.int32)), counts)


class Natural:
  """Takes each example once an epoch."""

  def size(self, counts, num_examples_per_epoch):
    """Returns how many examples an epoch has: an int.

    Args:
      counts: int array, see `Labels`.
      num_examples_per_epoch: int, what was asked for, or None.
    """
    del num_examples_per_epoch
    return int(counts.sum())

  def draw(self, order, labels, epoch, num_examples_per_epoch):
    """Chooses among examples that are in random order.

    Args:
      order: int32 [num_examples], all of them in random order.
      labels: `Labels`.
      epoch: int64 scalar.
      num_examples_per_epoch: int, what was asked for, or None.

    Returns:
      int32 [num_drawn], and whether it is in random order.
    """
    del labels, epoch, num_examples_per_epoch
    return order, True


class Balanced(Natural):
  """Takes as many examples as there are, equally many of each class.

  Examples of rare classes are repeated, and those of frequent classes come only
  in some epochs. If the number cannot be divided evenly, the classes with one
  example more change from epoch to epoch.
  """

  def draw(self, order, labels, epoch, num_examples_per_epoch):
    """See `Natural`."""
    by_class = _by_class(order, labels)
    counts = labels.counts
    begins = tf.constant(np.cumsum(counts) - counts)
    draw = tf.range(tf.size(order, tf.int64))
    which = (draw + epoch) % len(counts)
    within = draw // len(counts) % tf.gather(tf.constant(counts), which)
    return tf.gather(by_class, tf.gather(begins, which) + within), False


class BalancedSubset(Natural):
  """Takes different examples in each epoch, none of them twice.

  Of each class it takes at most an equal part of `num_examples_per_epoch`,
  rounded up. If classes have fewer examples, an epoch has fewer, too.
  """

  def size(self, counts, num_examples_per_epoch):
    """See `Natural`."""
    quota = math.ceil(num_examples_per_epoch / len(counts))
    return min(num_examples_per_epoch, int(np.minimum(counts, quota).sum()))

  def draw(self, order, labels, epoch, num_examples_per_epoch):
    """See `Natural`."""
    by_class = _by_class(order, labels)
    counts = labels.counts
    quota = math.ceil(num_examples_per_epoch / len(counts))
    within = np.concatenate([np.arange(count) for count in counts])
    return tf.gather(by_class, np.flatnonzero(within < quota)), False


SAMPLERS = {
  "natural": Natural(),
  "balanced": Balanced(),
  "balanced_subset": BalancedSubset(),
}


def examples_per_epoch(labels, sampling, num_examples_per_epoch=None):
  """Returns how many examples an epoch has: an int.

  Args:
    labels: integer array [num_examples], the given labels.
    sampling: str, one of `SAMPLERS`.
    num_examples_per_epoch: int, of `balanced_subset`.
  """
  _, counts = np.unique(labels, return_counts=True)
  return SAMPLERS[sampling].size(counts, num_examples_per_epoch)


def order_of_epoch(
  labels, epoch, seed, sampling="natural", num_examples_per_epoch=None
):
  """Returns the examples of an epoch, in their order: int32 [num_in_epoch].

  Args:
    labels: `Labels`.
    epoch: int64 scalar.
    seed: int.
    sampling: str, one of `SAMPLERS`.
    num_examples_per_epoch: int, of `balanced_subset`.
  """
  sampler = SAMPLERS[sampling]
  fold_in = tf.random.experimental.stateless_fold_in
  key = fold_in(tf.constant([_ORDER_STREAM, seed], tf.int64), epoch)
  order = _shuffle(labels.of_examples.shape[0], key)
  order, is_random = sampler.draw(order, labels, epoch, num_examples_per_epoch)
  if not is_random:
    order = tf.gather(order, _shuffle(order.shape[0], fold_in(key, 1)))
  return order[: sampler.size(labels.counts, num_examples_per_epoch)]


def _shuffle(size, key):
  """Returns the numbers below `size` in random order: int32 [size]."""
  return tf.argsort(tf.random.stateless_uniform([size], key), stable=True)


def _by_class(order, labels):
  """Returns the examples class by class, in random order within each."""
  of_order = tf.gather(labels.of_examples, order)
  return tf.gather(order, tf.argsort(of_order, stable=True))
