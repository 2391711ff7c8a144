"""What methods share that leave the examples with the largest losses out."""

import logging

import numpy as np
import tensorflow as tf

from nct_tf.methods import selection_options
from nct_tf.models import classifier, held_out
from nct_tf.noise_estimation import noise_estimate

_logger = logging.getLogger(__name__)

_ROUGH = 0.3  # Width of an interval of the noise rate.


class ForgettingModel(classifier.Classifier):
  """A model that leaves a share of each batch out, which rises from 0.

  The share is `forget_rate`, a scalar weight of the model. It rises to the
  noise rate. Where that is estimated, a tenth of the examples is held out at
  first, and during the warm-up nothing is left out besides. Then the share
  rises, to what the networks predict of the held-out examples; that is
  estimated anew after each epoch, as the networks get better, until the share
  has risen, or half of the training is over.

  Under Keras' own `fit`, a rate that is no number needs `remember` and
  `training_set`s; see `Classifier`.
  """

  def schedules(self, num_epochs):
    """The share that is left out, and whether examples are held out."""
    warmup_epochs = self._warmup_epochs(num_epochs)

    def share(epoch):
      if epoch < warmup_epochs:
        return 0.0
      return forget_rate(
        epoch - warmup_epochs,
        self._noise_rate(),
        self.options.forget_rampup_epochs,
        self.options.forget_exponent,
      )

    result = {"forget_rate": share}
    if self.options.is_estimated:
      last = self._last_estimate(num_epochs)
      result["holds_out"] = lambda epoch: float(epoch <= last)
    return result

  def _warmup_epochs(self, num_epochs):
    if not self.options.is_estimated:
      return 0
    return self.options.forget_warmup_epochs or max(1, round(num_epochs / 10))

  def _last_estimate(self, num_epochs):
    """Returns the epoch after which the noise rate is estimated last."""
    warmup_epochs = self._warmup_epochs(num_epochs)
    end = warmup_epochs + self.options.forget_rampup_epochs
    return max(warmup_epochs, min(end, num_epochs // 2)) - 1

  def phases(self, num_epochs):
    """One, which is to be longer than the warm-up."""
    classifier.check_ends_before(
      "forget_warmup_epochs", self._warmup_epochs(num_epochs), num_epochs
    )
    return super().phases(num_epochs)

  def _noise_rate(self):
    """Returns what the share rises to: float."""
    kind = self.options.forget_rate
    if kind in (selection_options.ESTIMATED, selection_options.TRUE):
      return float(self.recall("noise_rate"))
    return float(kind)

  def state(self, num_examples, num_classes, batch_size):
    """The noise rate if it is no option, and the examples held out for it."""
    result = {}
    if self.options.is_estimated:
      result["held_out"] = held_out.create(
        num_examples, num_classes, batch_size, self.seed, "forget_rate"
      )
      result["noise_rate"] = tf.Variable(0.0, trainable=False)
    elif self.options.forget_rate == selection_options.TRUE:
      truth = self.remembered["true_noise_rate"]
      result["noise_rate"] = tf.Variable(truth, trainable=False)
    return result

  def _estimates(self, num_epochs):
    """Returns the epochs after which the noise rate is estimated: a range."""
    if not self.options.is_estimated:
      return range(0)
    first = self._warmup_epochs(num_epochs) - 1
    return range(first, self._last_estimate(num_epochs) + 1)

  def passes(self, num_epochs):
    """One for each estimate of the noise rate."""
    return len(self._estimates(num_epochs))

  def between_epochs(self, epoch, training_set):
    """Estimates the noise rate, while examples are held out for it."""
    estimates = self._estimates(training_set.num_epochs)
    if epoch not in estimates:
      return
    is_held_out = held_out.which(self.example_state["held_out"])
    logits = classifier.ensemble_logits(list(training_set.predict()))
    noise_rate = noise_estimate.estimate(
      training_set.labels[is_held_out],
      tf.nn.softmax(logits).numpy()[is_held_out],
      self.seed,
    ).noise_rate
    self.example_state["noise_rate"].assign(noise_rate.value)
    if epoch == estimates[-1]:
      _tell(epoch, noise_rate, is_held_out.sum())

  def batch(self, targets):
    """Returns the `GlobalBatch` of a step, and which of it is learned from.

    Args:
      targets: dict of `unpack`.

    Returns:
      a pair: `global_batch.GlobalBatch`; bool [rows].
    """
    batch = self.global_batch(targets)
    learned = batch.is_there()
    if self.options.is_estimated:
      is_held_out = self.example_state["held_out"].gather(targets)[:, 0]
      holds_out = tf.convert_to_tensor(self.holds_out)
      learned &= batch.join(holds_out * is_held_out) == 0
    return batch, learned


def _tell(epoch, noise_rate, num_examples):
  """Logs the last estimate of the noise rate, with a warning if it is rough."""
  _logger.info(
    "After epoch %d: %.1f %% of the labels seem wrong (%.1f to %.1f), by %d "
    "examples that were not learned from; as many are left out",
    epoch + 1,
    100 * noise_rate.value,
    100 * noise_rate.low,
    100 * noise_rate.high,
    num_examples,
  )
  if noise_rate.high - noise_rate.low > _ROUGH:
    _logger.warning(
      "That is a rough estimate, because there are few examples, or because "
      "the networks know little yet: a longer --forget_warmup_epochs, or a "
      "--forget_rate of your own, may be better"
    )


def forget_rate(epoch, noise_rate, rampup_epochs, exponent=1.0):
  """Returns the share of a batch that is left out at an epoch: float.

  It rises in equal steps from 0 in epoch 0 to `noise_rate ** exponent` in epoch
  `rampup_epochs - 1`, and is `noise_rate` after that, as in the authors' code
  of Co-teaching. In their paper it is
  `noise_rate * min(epoch ** exponent / rampup_epochs, 1)`.

  Args:
    epoch: int, from 0.
    noise_rate: float in [0, 1).
    rampup_epochs: int, at least 1.
    exponent: float above 0.
  """
  if epoch >= rampup_epochs:
    return float(noise_rate)
  return float(np.linspace(0, noise_rate**exponent, rampup_epochs)[epoch])
