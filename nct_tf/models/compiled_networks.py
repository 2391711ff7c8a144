"""A classifier's networks as functions that XLA has compiled."""

import tensorflow as tf


class CompiledNetworks:
  """Computes logits as `Classifier.logits` does, compiled by XLA.

  Only the networks are compiled, forward and backward. What a method does with
  their logits is not: so that may have anything in it, such as sums over
  replicas.

  XLA compiles anew for each size of a batch. Batches of an evaluation are
  filled up to one size. Those of training are not, as batch norm would see the
  filling; nor are those that a training step predicts, which may be larger.

  Args:
    compute: a function from images and `training`, a bool, to a list of float32
      [batch, num_classes].
    evaluation_size: int, the size of the largest batch when not training.
  """

  def __init__(self, compute, evaluation_size):
    self._evaluation_size = evaluation_size
    self._compiled = {
      training: _compile(compute, training) for training in (False, True)
    }

  def __call__(self, images, training, is_filled=True):
    """Returns each network's logits: list of float32 [batch, num_classes].

    Args:
      images: float [batch, ...].
      training: bool.
      is_filled: bool, whether the batch is filled up, if it is not of training.
    """
    if training or not is_filled:
      return self._compiled[training](images)
    num_images = tf.shape(images)[0]
    missing = self._evaluation_size - num_images
    filled = tf.pad(images, [[0, missing]] + [[0, 0]] * (images.shape.rank - 1))
    filled = tf.ensure_shape(filled, [self._evaluation_size, *images.shape[1:]])
    return [logits[:num_images] for logits in self._compiled[False](filled)]


def _compile(compute, training):
  return tf.function(
    lambda images: compute(images, training), autograph=False, jit_compile=True
  )
