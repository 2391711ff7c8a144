"""PENCIL: labels that are learned as the weights are."""

import itertools
import logging
import math

import numpy as np
import tensorflow as tf

from nct_tf import losses
from nct_tf.methods import correction_options
from nct_tf.models import classifier, example_table, global_batch

_logger = logging.getLogger(__name__)

# Of the published epochs, 70 and 130 of 320.
_BEGIN_SHARE = 70 / 320
_CORRECTION_SHARE = 130 / 320
_DECAY = 0.1
# Of `pencil_stage`.
_GIVEN, _LEARNED, _FIXED = 0.0, 1.0, 2.0


class PencilModel(classifier.Classifier):
  """One network whose labels q are the softmax of logits that are learned.

  The logits begin as K times the one-hot given label. There are three stages.
  In the first the network minimises the cross entropy with the given labels. In
  the second it minimises `KL(p || q) / C + beta * H(p) / C`, and the labels
  descend the gradient of `KL(p || q) / C + alpha * CE(q)`, without momentum, at
  a rate of their own. In the third the network minimises `KL(p || q) / C`, and
  the labels stay. p are its predictions, C is the number of classes.

  As in the authors' code, KL and H are means over the classes, and CE takes q
  for logits. That code means to multiply the third stage's learning rate by 0.1
  after a third and two thirds of it, but divides integers, and gets 0.

  Args:
    network1: a `keras.Model` that gives logits [batch, num_classes].
    **kwargs: fields of `correction_options.Pencil`, and see `Classifier`.

  References:
    Yi and Wu, "Probabilistic End-to-end Noise Correction for Learning with
    Noisy Labels", CVPR 2019, Equations 5 to 12.
  """

  Options = correction_options.Pencil
  PARTS = ("cross_entropy", "divergence", "compatibility", "entropy")

  def network_losses(self, logits, targets):
    """The losses of the stage; in the second, the labels make a step."""
    labels = targets["label"]
    label_logits = self.label_logits(targets, logits[0].shape[-1])
    self._move_labels(label_logits, logits[0], targets)
    stage = tf.convert_to_tensor(self.pencil_stage)
    cross_entropy = losses.cross_entropy(logits[0], labels)
    divergence, entropy = divergence_and_entropy(logits[0], label_logits)
    weight = tf.where(stage == _LEARNED, self.options.pencil_beta, 0.0)
    return [
      classifier.NetworkLoss(
        tf.where(stage == _GIVEN, cross_entropy, divergence),
        unlabelled=weight * entropy,
        parts={
          "cross_entropy": cross_entropy,
          "divergence": divergence,
          "compatibility": losses.cross_entropy(
            tf.nn.softmax(label_logits), labels
          ),
          "entropy": entropy,
        },
      )
    ]

  def _move_labels(self, label_logits, logits, targets):
    """Has the labels of a batch descend their gradient, in the second stage."""
    gradient = label_gradient(
      label_logits, logits, targets["label"], self.options.pencil_alpha
    )
    if "sample_weight" in targets:
      gradient *= targets["sample_weight"][:, None]
    is_learned = tf.convert_to_tensor(self.pencil_stage) == _LEARNED
    rate = tf.where(is_learned, self.options.pencil_label_rate, 0.0)
    # The losses are means over the global batch.
    batch_size = global_batch.size(targets["label"])
    moves = self.example_state["moves"]
    moves.add(-rate / batch_size * gradient, targets)

  def label_logits(self, targets, num_classes):
    """Returns the logits of a batch's labels: float32 [batch, num_classes]."""
    first = tf.one_hot(targets["label"], num_classes)
    first *= self.options.pencil_label_scale
    return first + self.example_state["moves"].gather(targets)

  def evaluation_losses(self, logits, targets):
    """The cross entropy with the given labels."""
    return classifier.plain_losses(logits, targets)

  def state(self, num_examples, num_classes, batch_size):
    """How far the logits of each label have moved from the given label's."""
    return {
      "moves": example_table.ExampleTable(num_examples, num_classes, batch_size)
    }

  def schedules(self, num_epochs):
    """The stage: 0, 1 or 2."""
    begin, correction = self._lengths(num_epochs)

    def stage(epoch):
      if epoch < begin:
        return _GIVEN
      return _LEARNED if epoch < begin + correction else _FIXED

    return {"pencil_stage": stage}

  def _lengths(self, num_epochs):
    """Returns how many epochs the first two stages have: two ints."""
    begin = self.options.pencil_begin_epochs
    correction = self.options.pencil_correction_epochs
    return (
      begin or max(1, round(_BEGIN_SHARE * num_epochs)),
      correction or max(1, round(_CORRECTION_SHARE * num_epochs)),
    )

  def phases(self, num_epochs):
    """The stages; the last one in three parts where it has a learning rate."""
    begin, correction = self._lengths(num_epochs)
    rate = self.options.pencil_learning_rate
    final_rate = self.options.pencil_final_learning_rate
    classifier.check_ends_before(
      "pencil_begin_epochs` and `pencil_correction_epochs",
      begin + correction,
      num_epochs,
    )
    first = [
      classifier.Phase("given labels", begin, rate),
      classifier.Phase("label correction", correction, rate),
    ]
    left = num_epochs - begin - correction
    if final_rate is None:
      anew = rate is not None
      return [*first, classifier.Phase("fixed labels", left, anew=anew)]
    ends = [math.ceil(left * part / 3) for part in range(4)]
    return first + [
      classifier.Phase(
        f"fixed labels {part}", end - begin, final_rate * _DECAY ** (part - 1)
      )
      for part, (begin, end) in enumerate(itertools.pairwise(ends), start=1)
      if end > begin
    ]

  def between_epochs(self, epoch, training_set):
    """Says, after the second stage, how many labels have changed."""
    if epoch + 1 != sum(self._lengths(training_set.num_epochs)):
      return
    logits = self.example_state["moves"].get_state()
    rows = np.arange(len(logits))
    logits[rows, training_set.labels] += self.options.pencil_label_scale
    num_changed = np.sum(logits.argmax(axis=1) != training_set.labels)
    _logger.info(
      "After epoch %d: %d of %d labels have become another class; now all stay",
      epoch + 1,
      num_changed,
      len(logits),
    )


def divergence_and_entropy(logits, label_logits):
  """Returns `KL(p || q) / C` and `H(p) / C`: two float32 [batch].

  Args:
    logits: float32 [batch, num_classes], p before the softmax.
    label_logits: float32 [batch, num_classes], q before the softmax.
  """
  log_p = tf.nn.log_softmax(logits)
  log_q = tf.stop_gradient(tf.nn.log_softmax(label_logits))
  p = tf.exp(log_p)
  return (
    tf.reduce_mean(p * (log_p - log_q), axis=1),
    -tf.reduce_mean(p * log_p, axis=1),
  )


def label_gradient(label_logits, logits, labels, alpha):
  """The gradient of a label's losses with respect to its logits.

  That of `KL(p || q) / C + alpha * CE(q, label)`, q being the softmax of the
  label's logits. CE takes q for logits.

  Args:
    label_logits: float32 [batch, num_classes].
    logits: float32 [batch, num_classes], p before the softmax.
    labels: integer [batch], the given ones.
    alpha: float.

  Returns:
    float32 [batch, num_classes]; no gradient flows through it.
  """
  p = tf.nn.softmax(tf.stop_gradient(logits))
  q = tf.nn.softmax(label_logits)
  num_classes = q.shape[-1]
  error = tf.nn.softmax(q) - tf.one_hot(labels, num_classes)
  error -= tf.reduce_sum(q * error, axis=1, keepdims=True)
  return (q - p) / num_classes + alpha * q * error
