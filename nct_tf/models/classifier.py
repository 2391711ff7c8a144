"""What the training methods share: one or two networks in one Keras model."""

import keras
import tensorflow as tf

from nct_tf import loss_scaling, losses, metrics


class Classifier(keras.Model):
  """One or two networks that give logits, trained by a subclass.

  A subclass overrides `train_step`. Data are `(images, labels)` with integer
  labels [batch], or `(images, targets)` with a dict: `label`, integer [batch];
  optionally `true_label`, integer [batch], to measure against; optionally
  `position`, integer [batch], of each example in the global batch, and `step`,
  integer [batch], the number of the step in the whole training; `example`,
  integer [batch], each one's number in the training data, where label scores
  are kept.

  With several replicas each normalises its part of a batch by that part's own
  statistics (unless its batch norm is `synchronized`), and after each step the
  moving statistics of all are their mean.

  Args:
    network1: a `keras.Model` that gives logits [batch, num_classes].
    network2: another one, or None.
    weight_decay: float, at least 0; `weight_decay * w` is added to the
      gradient of every trainable variable w, batch norm and biases included,
      as PyTorch's SGD does. Keras' own `weight_decay` is decoupled from the
      gradient, which is a different method.
    clip_norm: float above 0: the gradient of each network whose norm, over all
      of its variables and the global batch, is larger is scaled down to it,
      before the weight decay is added. None for no clipping.
    validation_metrics: Keras metrics that `test_step` updates with the labels
      and the ensemble's probabilities.
    **kwargs: of `keras.Model`.
  """

  def __init__(
    self,
    network1,
    network2=None,
    weight_decay=0.0,
    clip_norm=None,
    validation_metrics=(),
    **kwargs,
  ):
    super().__init__(**kwargs)
    self.network1 = network1
    self.network2 = network2
    self.weight_decay = weight_decay
    self.clip_norm = clip_norm
    names = ["loss", "ensemble_accuracy", "ensemble_cross_entropy"]
    names += ["ensemble_true_accuracy", "ensemble_top5_accuracy", "agreement"]
    for number in range(1, len(self.networks) + 1):
      names += [f"cross_entropy_{number}", f"accuracy_{number}"]
      names += [f"mimicry_{number}"]
    self._means = metrics.Means(names)
    self._validation_metrics = tuple(validation_metrics)
    self._label_scores = None

  def class_accuracies(self):
    """Returns the accuracy of each class: float array [num_classes].

    Of what was evaluated last, by the `metrics.BalancedAccuracy` that is one of
    the `validation_metrics`; NaN of a class without examples.
    """
    (metric,) = (
      metric
      for metric in self._validation_metrics
      if isinstance(metric, metrics.BalancedAccuracy)
    )
    return metric.per_class()

  def track(self, label_scores):
    """Has `label_scores.LabelScores` updated by every training step."""
    self._label_scores = label_scores

  @property
  def networks(self):
    """The networks: a list of one or two Keras models."""
    both = (self.network1, self.network2)
    return [network for network in both if network is not None]

  @property
  def means(self):
    """The `metrics.Means` of the epoch."""
    return self._means

  @property
  def metrics(self):
    """The trackers that Keras resets at the start of an epoch."""
    return self._means.trackers + list(self._validation_metrics)

  def logits(self, images, training=False):
    """Returns each network's logits: a list of float32 [batch, num_classes]."""
    return [
      tf.cast(network(images, training=training), tf.float32)
      for network in self.networks
    ]

  def call(self, images, training=False):
    """The joint prediction: softmax of the mean of the networks' logits.

    Args:
      images: float [batch, ...], what the networks take.
      training: bool, whether batch norm uses the batch's own statistics.

    Returns:
      float32 probabilities [batch, num_classes].

    References:
      Equation 3 of the paper.
    """
    return tf.nn.softmax(ensemble_logits(self.logits(images, training)))

  def unpack(self, data):
    """Splits a batch of `fit` or `evaluate`.

    Args:
      data: what Keras passes to a step.

    Returns:
      a pair: images; dict of int32 [batch] with `label` and perhaps
      `true_label`, `position`.

    Raises:
      ValueError: if there are no labels, if they are one-hot, or if there are
        sample weights.
    """
    images, targets, weights = keras.utils.unpack_x_y_sample_weight(data)
    if targets is None or weights is not None:
      raise ValueError(
        f"{type(self).__name__} trains on (images, labels) without sample "
        f"weights. Received: {'no labels' if targets is None else 'weights'}"
      )
    if not isinstance(targets, dict):
      # Keras adds an axis to labels that come as an array.
      if targets.shape.rank == 2 and targets.shape[-1] != 1:
        raise ValueError(
          f"{type(self).__name__} takes labels as integers [batch], not "
          f"one-hot. Received: labels of shape {targets.shape}"
        )
      targets = {"label": tf.reshape(targets, [-1])}
    return images, {
      name: tf.cast(value, tf.int32) for name, value in targets.items()
    }

  def objective(self, loss):
    """What this replica minimises.

    Optimizers add the replicas' gradients up, so the sum of the replicas'
    objectives is to be the mean over the global batch, however it was split,
    plus the networks' own regularisers; all that times the scale of float16's
    loss scaling, see `loss_scaling`.

    Args:
      loss: float [batch].

    Returns:
      float32 scalar.
    """
    count = tf.cast(tf.size(loss), tf.float32)
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync > 1:
      count = context.all_reduce(tf.distribute.ReduceOp.SUM, count)
    objective = tf.reduce_sum(loss) / count
    if self.losses:
      objective += tf.add_n(self.losses) / context.num_replicas_in_sync
    return loss_scaling.scale_loss(self.optimizer, objective)

  def minimize(self, tape, objective):
    """One step of the optimizer on all networks.

    Args:
      tape: the `tf.GradientTape` that saw `objective`.
      objective: float32 scalar, see there.
    """
    variables = self.trainable_variables
    gradients = tape.gradient(objective, variables)
    gradients = [  # None is of a variable that no loss depends on.
      tf.zeros_like(variable) if gradient is None else gradient
      for gradient, variable in zip(gradients, variables, strict=True)
    ]
    gradients = loss_scaling.unscale(self.optimizer, gradients)
    if self.clip_norm is not None:
      gradients = self._clip(gradients)
    if self.weight_decay:
      # The replicas' gradients will be added up, and their parts of it.
      num_replicas = tf.distribute.get_strategy().num_replicas_in_sync
      decay = self.weight_decay / num_replicas
      gradients = [
        gradient + decay * tf.convert_to_tensor(variable)
        for gradient, variable in zip(gradients, variables, strict=True)
      ]
    gradients = loss_scaling.rescale(self.optimizer, gradients)
    self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
    self._average_statistics()

  def _clip(self, gradients):
    """Clips each network's gradient by its norm."""
    context = tf.distribute.get_replica_context()
    num_replicas = context.num_replicas_in_sync
    if num_replicas > 1:
      gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
    clipped = []
    for network in self.networks:
      part = gradients[len(clipped) :][: len(network.trainable_variables)]
      clipped += tf.clip_by_global_norm(part, self.clip_norm)[0]
    # The optimizer adds them up again.
    return [gradient / num_replicas for gradient in clipped]

  def _average_statistics(self):
    """Gives all replicas the mean of their moving statistics.

    Keras 2 would average them when somebody looks, Keras 3 keep the first
    replica's. So they are alike on all replicas after every step, and a
    checkpoint of one replica's is one of all.
    """
    context = tf.distribute.get_replica_context()
    statistics = [
      variable
      for network in self.networks
      for variable in network.non_trainable_variables
      if tf.as_dtype(variable.dtype).is_floating
    ]
    if context.num_replicas_in_sync == 1 or not statistics:
      return
    flat = [tf.reshape(tf.convert_to_tensor(v), [-1]) for v in statistics]
    mean = context.all_reduce(
      tf.distribute.ReduceOp.MEAN, tf.concat(flat, axis=0)
    )
    parts = tf.split(mean, [part.shape[0] for part in flat])
    for variable, part in zip(statistics, parts, strict=True):
      variable.assign(tf.reshape(part, variable.shape))

  def record_training(self, values, logits, targets):
    """As `record`, and updates the label scores; of `train_step`."""
    if self._label_scores is not None:
      self._label_scores.update(ensemble_logits(logits), targets)
    return self.record(values, logits, targets)

  def record(self, values, logits, targets):
    """Adds a batch to the running means.

    Args:
      values: dict from name to float [batch], what the method measures itself.
      logits: list of float [batch, num_classes], a network each.
      targets: dict, of `unpack`. Accuracies are against its `label`, the given
        one, whatever a method trained on in its place.

    Returns:
      dict from name to scalar float32, the means so far.
    """
    labels = targets["label"]
    joint = ensemble_logits(logits)
    values = {
      **values,
      "ensemble_accuracy": metrics.correct(joint, labels),
      "ensemble_cross_entropy": losses.cross_entropy(joint, labels),
    }
    for number, network_logits in enumerate(logits, start=1):
      values[f"accuracy_{number}"] = metrics.correct(network_logits, labels)
    if len(logits) == 2:
      values["agreement"] = metrics.agreement(*logits)
    if "true_label" in targets:
      values["ensemble_true_accuracy"] = metrics.correct(
        joint, targets["true_label"]
      )
    return self._means.update(values)

  def record_validation(self, values, logits, targets):
    """As `record`, with what is measured in validation alone; of `test_step`.

    That is the ensemble's accuracy among five classes, where there are more,
    and the validation metrics.
    """
    joint = ensemble_logits(logits)
    if joint.shape[-1] > metrics.NUM_TOP_CLASSES:
      values = {
        **values,
        "ensemble_top5_accuracy": metrics.correct_within(
          joint, targets["label"], metrics.NUM_TOP_CLASSES
        ),
      }
    results = self.record(values, logits, targets)
    probabilities = tf.nn.softmax(joint)
    for metric in self._validation_metrics:
      metric.update_state(targets["label"], probabilities)
      results[metric.name] = metric.result()
    return results


def ensemble_logits(logits):
  """Returns the mean of a list of logits: never their sum, which is sharper."""
  return tf.add_n(logits) / len(logits)
