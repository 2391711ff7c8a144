"""Joint optimisation: labels that are replaced by the network's predictions."""

import logging

import numpy as np
import tensorflow as tf

from nct_tf import errors, losses
from nct_tf.methods import correction_options
from nct_tf.models import class_prior, classifier, example_table

_logger = logging.getLogger(__name__)

_NUM_SLOTS = 10  # Of how many epochs the predictions are kept.
# Of the published epochs, 200 of 320, and 70 of these 200.
_FIRST_SHARE = 200 / 320
_REPLACE_SHARE = 70 / 200
_MOST = 0.5


class JointOptimModel(classifier.Classifier):
  """One network and its labels, in turn; then it starts again.

  In the first step it minimises `CE(s) + alpha * KL(prior || mean(p)) + beta *
  H(p)`, with p its predictions, and s the labels. After some epochs, at the end
  of each, s is replaced by the mean of the predictions of the last ten, which
  are those that the training steps have made. Then the network starts again,
  and minimises `CE(s)`.

  The prior is uniform: of classes that are not equally frequent, the first step
  predicts the rare ones too often. The authors report the epoch that is best on
  clean validation data; here the epochs are measured like those of any method.

  Under Keras' own `fit` the labels are not replaced; see `Classifier`.

  Args:
    network1: a `keras.Model` that gives logits [batch, num_classes].
    **kwargs: fields of `correction_options.JointOptim`, and see `Classifier`.

  References:
    Tanaka et al., "Joint Optimization Framework for Learning with Noisy
    Labels", CVPR 2018, Equations 4 to 9.
  """

  Options = correction_options.JointOptim
  PARTS = ("cross_entropy", "divergence", "entropy")

  def network_losses(self, logits, targets):
    """The losses of the step; the predictions are kept."""
    log_p = tf.nn.log_softmax(logits[0])
    p = tf.exp(log_p)
    self._keep(p, targets)
    soft_labels = self.soft_labels(targets, p.shape[-1])
    cross_entropy = -tf.reduce_sum(soft_labels * log_p, axis=1)
    divergence = class_prior.divergence(p)
    entropy = -tf.reduce_sum(p * log_p, axis=1)
    alpha, beta = self.options.joint_alpha, self.options.joint_beta
    regularizes = tf.convert_to_tensor(self.regularizes)
    return [
      classifier.NetworkLoss(
        cross_entropy,
        unlabelled=regularizes * (alpha * divergence + beta * entropy),
        parts={
          "cross_entropy": losses.cross_entropy(logits[0], targets["label"]),
          "divergence": divergence,
          "entropy": entropy,
        },
      )
    ]

  def _keep(self, probabilities, targets):
    """Writes a batch's predictions to the slot of the epoch."""
    slot = tf.cast(tf.convert_to_tensor(self.ring_slot), tf.int32)
    self.example_state["ring"].assign(
      tf.stop_gradient(probabilities), self._in_slot(slot, targets)
    )

  def _in_slot(self, slot, targets):
    """Returns targets that stand for the ring's rows of one slot."""
    if "example" not in targets:
      return targets
    row = targets["example"] + slot * self.remembered["num_examples"]
    return {**targets, "example": row}

  def soft_labels(self, targets, num_classes):
    """Returns a batch's labels: float32 [batch, num_classes].

    They are the given ones until they are replaced.
    """
    rows = self.example_state["soft_labels"].gather(targets)
    is_replaced = tf.reduce_sum(rows, axis=1, keepdims=True) > 0
    given = tf.one_hot(targets["label"], num_classes)
    return tf.where(is_replaced, rows, given)

  def evaluation_losses(self, logits, targets):
    """The cross entropy with the given labels."""
    return classifier.plain_losses(logits, targets)

  def state(self, num_examples, num_classes, batch_size):
    """The labels, of zeros until they are replaced, and the predictions."""
    return {
      "soft_labels": example_table.ExampleTable(
        num_examples, num_classes, batch_size
      ),
      # Slot by slot, so that a step writes rows of its own.
      "ring": example_table.ExampleTable(
        _NUM_SLOTS * num_examples, num_classes, batch_size, tf.float16
      ),
    }

  def schedules(self, num_epochs):
    """The ring's slot, and whether it is the first step: 0 or 1."""
    first = self._num_first(num_epochs)
    return {
      "ring_slot": lambda epoch: float(epoch % _NUM_SLOTS),
      "regularizes": lambda epoch: float(epoch < first),
    }

  def _num_first(self, num_epochs):
    """Returns how many epochs the first step has: int."""
    chosen = self.options.joint_first_epochs
    return chosen or max(1, round(_FIRST_SHARE * num_epochs))

  def _num_given(self, num_epochs):
    """Returns after how many epochs the labels are first replaced: int."""
    share = _REPLACE_SHARE * self._num_first(num_epochs)
    return self.options.joint_replace_epochs or max(1, round(share))

  def phases(self, num_epochs):
    """The two steps."""
    first = self._num_first(num_epochs)
    classifier.check_ends_before("joint_first_epochs", first, num_epochs)
    given = self._num_given(num_epochs)
    if given > first:
      raise errors.InvalidInputError(
        "Argument `joint_replace_epochs` must be at most the epochs before the "
        f"start again. Received: joint_replace_epochs={given} of {first}"
      )
    return [
      classifier.Phase(
        "label correction", first, self.options.joint_learning_rate
      ),
      classifier.Phase("fixed labels", num_epochs - first, restart=True),
    ]

  def between_epochs(self, epoch, training_set):
    """Replaces the labels, in the first step."""
    first = self._num_first(training_set.num_epochs)
    if not self._num_given(training_set.num_epochs) <= epoch + 1 <= first:
      return
    soft_labels = mean_prediction(
      self.example_state["ring"].get_state(),
      self.example_state["soft_labels"].get_state(),
    )
    self.example_state["soft_labels"].set_state(soft_labels)
    if epoch + 1 == first:
      is_there = soft_labels.any(axis=1)
      is_other = soft_labels.argmax(axis=1) != training_set.labels
      _tell(epoch, is_there & is_other)


def _tell(epoch, is_changed):
  """Logs how many labels have changed, with a warning if they are most."""
  _logger.info(
    "After epoch %d: %d of %d labels have become another class; the network "
    "starts again, and all stay",
    epoch + 1,
    is_changed.sum(),
    len(is_changed),
  )
  if is_changed.mean() > _MOST:
    _logger.warning(
      "That is more than half of them: unless the labels are that bad, the "
      "network knew too little yet, and more epochs, or a longer "
      "--joint_first_epochs and --joint_replace_epochs, are better"
    )


def mean_prediction(ring, before):
  """Returns the mean prediction for each example: float32 array like `before`.

  A slot in which nothing was written does not count; one whose last epochs left
  an example out has what was written before. An example that was never seen
  keeps what it had.

  Args:
    ring: float16 array [slots * num_examples, num_classes], zeros where nothing
      was written.
    before: float32 array [num_examples, num_classes].
  """
  slots = ring.reshape(-1, *before.shape)
  total = np.sum(slots, axis=0, dtype=np.float32)
  weight = total.sum(axis=1, keepdims=True)
  # Each prediction adds up to 1, but for float16's rounding.
  return np.where(weight > 0, total / np.maximum(weight, 1e-6), before)
