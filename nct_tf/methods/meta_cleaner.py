"""MetaCleaner: clean features, made of those of images with the same label."""

import keras
import tensorflow as tf

from nct_tf import losses, random_numbers
from nct_tf.methods import meta_options
from nct_tf.models import classifier, features as features_lib, saving

_ORDER_STREAM = 10  # Of random numbers, see `Classifier.step_seed`.
_MIN_CONFIDENCE = 1e-6  # Of sets in which it is 0 throughout.


class MetaCleanerModel(classifier.Classifier):
  """One network that learns from clean features of sets of images.

  The images of a batch that have the same label fall into sets of K at random;
  the last set of a label may be smaller. Two dense layers see the features of
  an image beside the mean of its set's, and give its confidence a. The clean
  feature of a set is `sum(a * features) / sum(a)`, and the network minimises
  the mean over all sets of the cross entropy of what its last layer makes of
  it. It predicts as it is, without the two layers.

  There is no public code. The sets from plain batches, of the global batch on
  several replicas, take the place of batches that are drawn by classes; the
  size of the hidden layer, and confidences between 0 and 1, are choices, too.

  Args:
    network1: a `keras.Model` of the functional API that gives logits [batch,
      num_classes].
    seed: int, of the sets, which are a function of it and of the step.
    **kwargs: fields of `meta_options.MetaCleaner`, and see `Classifier`.

  References:
    Zhang et al., "MetaCleaner: Learning to Hallucinate Clean Representations
    for Noisy-Labeled Visual Recognition", CVPR 2019.
  """

  Options = meta_options.MetaCleaner
  PARTS = ("cross_entropy", "confidence")

  def __init__(self, *networks, **kwargs):
    super().__init__(*networks, **kwargs)
    body, last = features_lib.split(self.network1)
    # Hidden, as their layers are the network's.
    self._split = saving.Hidden((body, last))
    # The two are float32, whatever the network computes in.
    self.hidden = keras.layers.Dense(
      self.options.meta_cleaner_units,
      activation="relu",
      dtype="float32",
      name="confidence_hidden",
    )
    self.confidence = keras.layers.Dense(
      1, activation="sigmoid", dtype="float32", name="confidence"
    )
    self.hidden.build([None, 2 * body.output_shape[-1]])
    self.confidence.build([None, self.options.meta_cleaner_units])

  @property
  def auxiliary_layers(self):
    """Those that give confidences."""
    return [self.hidden, self.confidence]

  def training_losses(self, images, targets):
    """The cross entropy of clean features."""
    body, last = self._split.value
    vectors = tf.cast(body(images, training=True), tf.float32)
    logits = tf.cast(last(vectors), tf.float32)
    batch = self.global_batch(targets)
    label = tf.cast(targets["label"], tf.float32)
    of_set = sets(
      tf.cast(batch.join(label), tf.int32),
      batch.is_there(),
      random_numbers.uniform(
        [batch.num_rows], self.step_seed(_ORDER_STREAM, targets)
      ),
      self.options.meta_cleaner_set_size,
    )
    clean, confidence = self._clean(batch.join(vectors), of_set)
    clean_logits = tf.cast(last(batch.share(clean)), tf.float32)
    return [logits], [
      classifier.NetworkLoss(
        losses.cross_entropy(clean_logits, targets["label"]),
        # Each set counts once.
        weight=batch.share(1 / tf.reduce_sum(of_set, axis=1)),
        parts={
          "cross_entropy": losses.cross_entropy(logits, targets["label"]),
          "confidence": batch.share(confidence),
        },
      )
    ]

  def _clean(self, vectors, of_set):
    """Returns the clean feature and the confidence of each row.

    Args:
      vectors: float32 [rows, channels].
      of_set: float32 [rows, rows], see `sets`.

    Returns:
      a pair: float32 [rows, channels], that of the row's set; float32 [rows].
    """
    context = tf.matmul(of_set, vectors) / tf.reduce_sum(
      of_set, axis=1, keepdims=True
    )
    hidden = self.hidden(tf.concat([vectors, context], axis=1))
    confidence = self.confidence(hidden)[:, 0]
    weights = of_set * tf.maximum(confidence, _MIN_CONFIDENCE)
    clean = tf.matmul(weights, vectors) / tf.reduce_sum(
      weights, axis=1, keepdims=True
    )
    return clean, confidence

  def network_losses(self, logits, targets):
    """The cross entropy of the images themselves."""
    (loss,) = classifier.plain_losses(logits, targets)
    ones = tf.ones_like(loss.loss)
    return [loss._replace(parts={**loss.parts, "confidence": ones})]


def sets(labels, is_there, keys, size):
  """Divides the examples of a batch into sets of the same label.

  Args:
    labels: int32 [rows].
    is_there: bool [rows], which rows are examples. The others are sets of
      their own.
    keys: float32 [rows], in whose order a label's examples fill its sets.
    size: int, of a set. What is left over of a label makes a smaller one.

  Returns:
    float32 [rows, rows], 1 where two rows are of the same set, else 0.
  """
  rows = tf.range(tf.shape(labels)[0])
  is_same = (labels[:, None] == labels[None]) & is_there[:, None] & is_there
  # Row i, column j: whether j comes before i.
  is_before = (keys < keys[:, None]) | (
    (keys == keys[:, None]) & (rows < rows[:, None])
  )
  rank = tf.reduce_sum(tf.cast(is_same & is_before, tf.int32), axis=1)
  number = rank // size
  of_set = is_same & (number[:, None] == number)
  return tf.cast(of_set | (rows[:, None] == rows), tf.float32)
