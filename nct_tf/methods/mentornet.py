"""MentorNet's predefined curriculum: easy examples first, hard ones hardly."""

import tensorflow as tf

from nct_tf import distribution, losses, random_numbers
from nct_tf.methods import selection_options
from nct_tf.models import classifier, selection

_DROPOUT_STREAM = 5  # Of random numbers, see `Classifier.step_seed`.
_AVERAGE_DECAY = 0.5
# Percent of the training: up to there all examples count, from there on those
# above the average do, too; and how long more examples are dropped.
_BURN_IN_PERCENT = 18
_SOFT_PERCENT = 90
_DROPOUT_PERCENT = 17


class MentorNetModel(classifier.Classifier):
  """One network that minimises `mean(v * CE)`.

  The weights v compare the cross entropy with a moving average of a percentile
  of the global batch's; see `curriculum`. The training's progress is that at
  the begin of an epoch. A share of each batch is left out at random.

  The authors train a small network that imitates this formula. Their weight
  decay is scaled by the mean of v, too; here it is the optimizer's.

  Args:
    network1: a `keras.Model` that gives logits [batch, num_classes].
    seed: int, of what is left out at random.
    **kwargs: fields of `selection_options.MentorNet`, and see `Classifier`.

  References:
    Jiang et al., "MentorNet: Learning Data-Driven Curriculum for Very Deep
    Neural Networks on Corrupted Labels", ICML 2018, Equations 3 and 5.
  """

  Options = selection_options.MentorNet
  PARTS = ("cross_entropy", "weight")

  def network_losses(self, logits, targets):
    """The cross entropy, weighted by the curriculum."""
    cross_entropy = losses.cross_entropy(logits[0], targets["label"])
    batch = self.global_batch(targets)
    is_there = batch.is_there()
    values = batch.join(tf.stop_gradient(cross_entropy))
    average = self._update_average(values, is_there)
    weights = curriculum(
      values - average,
      tf.convert_to_tensor(self.training_percent),
      self.options.mentornet_gamma,
      is_self_paced=self.options.mentornet_type == "self_paced",
    )
    stays = self._drop_out(batch, is_there, targets)
    weight = batch.share(tf.where(stays, weights, tf.zeros_like(weights)))
    parts = {"cross_entropy": cross_entropy, "weight": weight}
    return [
      classifier.NetworkLoss(cross_entropy, weight, parts=parts, floor=1.0)
    ]

  def evaluation_losses(self, logits, targets):
    """The cross entropy of all examples."""
    return classifier.plain_losses(logits, targets)

  def schedules(self, num_epochs):
    """The training's progress in percent, and the share that is left out."""

    def percent(epoch):
      return float(100 * epoch // num_epochs)

    def dropout(epoch):
      if percent(epoch) < _DROPOUT_PERCENT:
        return self.options.example_dropout_start
      return self.options.example_dropout

    return {"training_percent": percent, "dropout_rate": dropout}

  def state(self, num_examples, num_classes, batch_size):
    """The moving average of the percentile."""
    del num_examples, num_classes, batch_size
    return {"loss_average": distribution.whole_variable([])}

  def _update_average(self, values, is_there):
    """Returns the moving average after a batch, which counts already."""
    variable = self.example_state["loss_average"]
    found = selection.percentile(values, self.options.loss_percentile, is_there)
    average = moving_average(tf.convert_to_tensor(variable), found)
    variable.assign(average)
    return average

  def _drop_out(self, batch, is_there, targets):
    """Returns which examples are not left out at random: bool [rows]."""
    keys = random_numbers.uniform(
      [batch.num_rows], self.step_seed(_DROPOUT_STREAM, targets)
    )
    num_kept = selection.num_kept(
      tf.convert_to_tensor(self.dropout_rate),
      tf.reduce_sum(tf.cast(is_there, tf.float32)),
    )
    return selection.smallest(keys, num_kept, is_there)


def moving_average(average, value):
  """Returns the moving average of a percentile after one more value."""
  return _AVERAGE_DECAY * average + (1 - _AVERAGE_DECAY) * value


def curriculum(distance, percent, gamma, is_self_paced=False):
  """Returns the weights of examples: float32 [rows], in [0, 1].

  Up to 18 % of the training all are 1. Then they are 1 where the loss is not
  above the average, else 0. From 90 % on they are `1 - distance / gamma`, cut
  to [0, 1].

  Args:
    distance: float32 [rows], the losses minus their average.
    percent: float32 scalar, how much of the training is done.
    gamma: float above 0.
    is_self_paced: bool, whether they are 1 or 0 throughout.
  """
  is_easy = tf.cast(distance <= 0, tf.float32)
  if is_self_paced:
    return is_easy
  soft = tf.clip_by_value(1 - distance / gamma, 0.0, 1.0)
  weights = tf.where(percent >= _SOFT_PERCENT, soft, is_easy)
  return tf.where(percent <= _BURN_IN_PERCENT, tf.ones_like(weights), weights)
