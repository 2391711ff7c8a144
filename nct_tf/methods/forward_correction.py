"""Forward correction: predictions are made wrong as the labels are."""

import logging

import numpy as np
import tensorflow as tf

from nct_tf import errors, losses, noise_matrix
from nct_tf.methods import loss_options
from nct_tf.methods.selection_options import TRUE
from nct_tf.models import classifier, held_out

_logger = logging.getLogger(__name__)

# As the authors' code clips probabilities, and drops entries of the matrix.
_MIN_PROBABILITY = 1e-7
_MIN_ENTRY = 1e-6
_FILTER_PERCENTILE = 97
# From there on, a matrix mixes classes up so much that little is left to tell
# them apart by; and from there on, nothing is.
_BAD_CONDITION = 100
_SINGULAR_CONDITION = 1e8


class ForwardCorrectionModel(classifier.Classifier):
  """One network that minimises `-log((p T)[label])`.

  T is the transition matrix. Where it is estimated, there are two phases. In
  the first the network minimises the cross entropy on nine tenths of the
  examples. After each epoch in which it predicts the given labels of the last
  tenth better than before, T is estimated anew. Then the network starts again,
  and learns with T from all examples.

  In the authors' code, the last tenth is held out of the second phase as well,
  and the best weights are restored at its end. Here the epochs are measured
  like those of any method.

  Args:
    network1: a `keras.Model` that gives logits [batch, num_classes].
    **kwargs: fields of `loss_options.ForwardCorrection`, and see `Classifier`.

  References:
    Patrini et al., "Making Deep Neural Networks Robust to Label Noise: a Loss
    Correction Approach", CVPR 2017, Theorem 2, Equation 12.
  """

  Options = loss_options.ForwardCorrection

  def network_losses(self, logits, targets):
    """The cross entropy in the first phase, then the corrected one."""
    (corrected,) = self.evaluation_losses(logits, targets)
    if not self.options.is_estimated:
      return [corrected]
    (plain,) = classifier.plain_losses(logits, targets)
    corrects = tf.convert_to_tensor(self.corrects)
    is_held_out = self.example_state["held_out"].gather(targets)[:, 0]
    return [
      corrected._replace(
        loss=tf.where(corrects > 0, corrected.loss, plain.loss),
        weight=1 - (1 - corrects) * is_held_out,
      )
    ]

  def evaluation_losses(self, logits, targets):
    """The corrected cross entropy, by the matrix as it is."""
    transition = tf.convert_to_tensor(self.example_state["transition"])
    cross_entropy = losses.cross_entropy(logits[0], targets["label"])
    return [
      classifier.NetworkLoss(
        forward_loss(logits[0], targets["label"], transition),
        parts={"cross_entropy": cross_entropy},
      )
    ]

  def phases(self, num_epochs):
    """A plain training before, where the matrix is estimated."""
    if not self.options.is_estimated:
      return super().phases(num_epochs)
    num_plain = self._num_plain(num_epochs)
    return [
      classifier.Phase("estimation", num_plain),
      classifier.Phase("correction", num_epochs - num_plain, restart=True),
    ]

  def schedules(self, num_epochs):
    """Whether the loss is corrected: 0 or 1."""
    if not self.options.is_estimated:
      return {}
    num_plain = self._num_plain(num_epochs)
    return {"corrects": lambda epoch: float(epoch >= num_plain)}

  def _num_plain(self, num_epochs):
    return self.options.transition_epochs or num_epochs // 2

  def state(self, num_examples, num_classes, batch_size):
    """The transition matrix, and what its estimation needs."""
    transition = self._first_transition(num_classes)
    result = {"transition": tf.Variable(transition, trainable=False)}
    if self.options.is_estimated:
      result["lowest_loss"] = tf.Variable(float("inf"), trainable=False)
      result["held_out"] = held_out.create(
        num_examples, num_classes, batch_size, self.seed, "transition_matrix"
      )
    return result

  def _first_transition(self, num_classes):
    """Returns the matrix that the training begins with: float32 array."""
    source = self.options.transition_matrix
    if self.options.is_estimated:
      return np.eye(num_classes, dtype=np.float32)
    if source == TRUE:
      transition = np.array(self.remembered["true_transition"], np.float32)
    else:
      transition = _read_transition(source, num_classes)
    _say_condition(f"Transition matrix ({source})", transition)
    return transition

  def passes(self, num_epochs):
    """One after each epoch of the first phase."""
    return self._num_plain(num_epochs) if self.options.is_estimated else 0

  def between_epochs(self, epoch, training_set):
    """Estimates the matrix, in the first phase."""
    num_plain = self._num_plain(training_set.num_epochs)
    if not self.options.is_estimated or epoch >= num_plain:
      return
    (logits,) = training_set.predict()
    is_held_out = held_out.which(self.example_state["held_out"])
    cross_entropy = losses.cross_entropy(
      logits[is_held_out], training_set.labels[is_held_out]
    )
    loss = float(tf.reduce_mean(cross_entropy))
    if loss < self.recall("lowest_loss"):
      self.example_state["lowest_loss"].assign(loss)
      self.example_state["transition"].assign(
        estimate_transition(
          tf.nn.softmax(logits).numpy(),
          self.options.transition_filter,
          self.options.transition_blend,
        )
      )
    if epoch == num_plain - 1:
      _say_condition(
        f"After epoch {num_plain}, the transition matrix is estimated",
        self.recall("transition"),
      )
      if self.options.transition_filter:
        _warn_of_rare_classes(training_set.labels, logits.shape[1])


def forward_loss(logits, labels, transition):
  """Cross entropy of predictions that a transition matrix has made wrong.

  `-log(sum(p[i] * T[i, label]))`, with p clipped to [1e-7, 1 - 1e-7], and the
  sum to 1e-7 from below: T may have a column of zeros.

  Args:
    logits: float [batch, num_classes].
    labels: integer [batch].
    transition: float32 [num_classes, num_classes], T: row true class, column
      given label.

  Returns:
    float32 [batch], in nats.
  """
  p = tf.clip_by_value(
    tf.nn.softmax(tf.cast(logits, tf.float32)),
    _MIN_PROBABILITY,
    1 - _MIN_PROBABILITY,
  )
  to_label = tf.gather(tf.transpose(transition), labels)
  likelihood = tf.reduce_sum(p * to_label, axis=1)
  return -tf.math.log(tf.maximum(likelihood, _MIN_PROBABILITY))


def estimate_transition(probabilities, is_filtered=True, blend=0.0):
  """Estimates the transition matrix from anchor points.

  The row of a class is the prediction for the example that is its anchor: the
  one of the highest probability of that class; with a filter, of those whose
  probability is below its 97th percentile.

  Args:
    probabilities: float [num_examples, num_classes], of a network that learned
      the given labels.
    is_filtered: bool.
    blend: float in [0, 1], the share of the identity in the result.

  Returns:
    float32 array [num_classes, num_classes], rows add up to 1.

  References:
    Patrini et al., 2017, Equation 12. Their code lets the filter of a class
    change what later classes see; here it does not.
  """
  num_classes = probabilities.shape[1]
  rows = []
  for label in range(num_classes):
    own = probabilities[:, label]
    if is_filtered:
      threshold = np.percentile(own, _FILTER_PERCENTILE, method="higher")
      own = np.where(own >= threshold, 0.0, own)
    rows.append(probabilities[own.argmax()])
  transition = np.array(rows, np.float64)
  transition[transition < _MIN_ENTRY] = 0
  transition /= transition.sum(axis=1, keepdims=True)
  transition = blend * np.eye(num_classes) + (1 - blend) * transition
  return transition.astype(np.float32)


def _read_transition(path, num_classes):
  """Returns the transition matrix of a file: float32 array."""
  transition = noise_matrix.read(path, num_classes, "transition_matrix")
  if np.linalg.cond(transition) > _SINGULAR_CONDITION:
    raise errors.InvalidInputError(
      "Argument `transition_matrix` must not be singular, or some classes "
      f"cannot be told from mixtures of others. Received: {path}, whose "
      f"condition number is {np.linalg.cond(transition):.3g}"
    )
  return transition.astype(np.float32)


def _warn_of_rare_classes(labels, num_classes):
  """Warns of classes whose anchors the filter takes from other classes."""
  shares = np.bincount(labels, minlength=num_classes) / len(labels)
  num_rare = int(np.sum(shares <= 1 - _FILTER_PERCENTILE / 100))
  if num_rare:
    _logger.warning(
      "Classes that have at most %d %% of the labels: %d. What stands for such "
      "a class in the transition matrix is probably an example of another one. "
      "--notransition_filter takes the likeliest example of each class",
      100 - _FILTER_PERCENTILE,
      num_rare,
    )


def _say_condition(what, transition):
  """Logs a matrix's condition number, with a warning where it is bad."""
  condition = np.linalg.cond(transition)
  _logger.info("%s: condition number %.3g", what, condition)
  if condition > _BAD_CONDITION:
    _logger.warning(
      "The transition matrix's condition number %.3g is above %d: it makes "
      "classes so alike that the correction may fail. "
      "--transition_blend draws an estimated one to the identity",
      condition,
      _BAD_CONDITION,
    )
