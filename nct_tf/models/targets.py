"""What `fit` passes to a step, in the form in which methods take it."""

import keras
import tensorflow as tf


def unpack(data):
  """Splits a batch of `fit` or `evaluate`.

  Args:
    data: `(images, labels)` or `(images, labels, sample_weight)`. Labels are
      [batch], [batch, 1] or one-hot [batch, num_classes], or a dict with such
      labels as its `label`.

  Returns:
    a pair: images; the dict that `Classifier.unpack` describes.

  Raises:
    ValueError: if there are no labels, or labels or weights have another
      shape.
    tf.errors.InvalidArgumentError: by the step itself, if a row of one-hot
      labels is not one-hot. XLA leaves such checks out, so with
      `jit_compile=True` the largest entry's class is taken without a word.
  """
  images, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
  targets = labels if isinstance(labels, dict) else {"label": labels}
  given = targets.get("label")
  if given is None:
    raise ValueError(
      "The data must be (images, labels), or have a `label` among the targets. "
      f"Received: targets {', '.join(targets) if labels else 'None'}"
    )
  targets = {
    name: tf.cast(value, tf.int32)
    for name, value in {**targets, "label": _integers(given)}.items()
  }
  targets["given_label"] = given
  if weights is not None:
    targets["sample_weight"] = _sample_weight(weights)
  return images, targets


def check_num_classes(targets, num_classes):
  """Raises `ValueError` if one-hot labels have other classes.

  Args:
    targets: dict of `unpack`.
    num_classes: int, what the networks tell apart.
  """
  given = targets["given_label"]
  if _is_one_hot(given) and given.shape[1] not in (None, num_classes):
    raise ValueError(
      f"One-hot labels must be [batch, {num_classes}], as the networks' logits "
      f"are. Received: labels of shape {given.shape}"
    )


def _is_one_hot(labels):
  return labels.shape.rank == 2 and labels.shape[1] != 1


def _integers(labels):
  """Returns labels as integers [batch]."""
  if labels.shape.rank == 1:
    return labels
  if _is_one_hot(labels):
    return _from_one_hot(labels)
  if labels.shape.rank not in (None, 2):
    raise ValueError(
      "Labels must be integers [batch], or one-hot [batch, num_classes]. "
      f"Received: labels of shape {labels.shape}"
    )
  return tf.reshape(labels, [-1])  # Keras may have added an axis.


def _from_one_hot(labels):
  labels = tf.cast(labels, tf.float32)
  num_nonzeros = tf.math.count_nonzero(labels, axis=1)
  is_one_hot = (tf.reduce_max(labels, axis=1) == 1) & (num_nonzeros == 1)
  check = tf.debugging.assert_equal(
    tf.reduce_all(is_one_hot),
    True,
    message="Labels of shape [batch, num_classes] must be one-hot: one 1 in "
    "each row, and zeros. Soft labels and several labels of an example are not "
    "possible.",
  )
  with tf.control_dependencies([check]):
    return tf.argmax(labels, axis=1, output_type=tf.int32)


def _sample_weight(weights):
  """Returns weights as float32 [batch]."""
  if isinstance(weights, dict):  # Keras 3 repeats them for each target.
    weights = weights["label"]
  shape = weights.shape
  if shape.rank not in (None, 1) and shape.as_list()[1:] != [1]:
    raise ValueError(
      "Argument `sample_weight` must be of shape [batch]. Received: weights of "
      f"shape {shape}"
    )
  return tf.reshape(tf.cast(weights, tf.float32), [-1])
