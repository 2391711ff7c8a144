"""What the training methods share: one or two networks in one Keras model."""

from collections.abc import Callable
import contextlib
import dataclasses
from typing import ClassVar, NamedTuple

import numpy as np
import tensorflow as tf

from nct_tf import (
  distribution,
  errors,
  loss_scaling,
  losses as losses_lib,
  metrics,
  random_numbers,
)
from nct_tf.models import (
  compiled_networks,
  features as features_lib,
  fit_metrics,
  global_batch,
  saving,
  targets as targets_lib,
)
from nct_tf.options import fields


class NetworkLoss(NamedTuple):
  """What one network learns from a batch.

  Attributes:
    loss: float32 [batch], of what the labels say. The sample weights of `fit`
      multiply it.
    weight: float32 [batch], at least 0, how much each example counts; None
      if all count alike. The network minimises
      `sum(weight * loss) / max(sum(weight), floor * batch size)` over the
      global batch.
    parts: dict from name to float32 [batch], what is logged of it, without
      sample weights.
    floor: float, see `weight`. With a floor of 1 and weights of at most 1, the
      sum is divided by the batch size.
    unlabelled: float32 [batch], added to `loss`: what does not look at the
      labels, such as mimicry. Sample weights leave it alone. None for nothing.
  """

  loss: tf.Tensor
  weight: tf.Tensor | None = None
  parts: dict = {}
  floor: float = 0.0
  unlabelled: tf.Tensor | None = None


class TrainingSet(NamedTuple):
  """The whole training set, for what a method does between epochs.

  Attributes:
    num_epochs: int, of the whole training.
    labels: int64 array [num_examples], the given labels.
    predict: a function without arguments that gives each network's logits for
      all training examples in their order, without augmentation: float32
      array [num_networks, num_examples, num_classes].
    features: a function from an ascending integer array [count] of examples to
      what the first network's last layer sees of them, without augmentation:
      float32 array [count, channels]; see `models.features`.
  """

  num_epochs: int
  labels: np.ndarray
  predict: Callable
  features: Callable | None = None


@dataclasses.dataclass(frozen=True)
class Phase:
  """A part of a training, some epochs long.

  Attributes:
    name: str.
    num_epochs: int, at least 1.
    learning_rate: float, of the whole phase; None for the run's schedule.
    restart: bool, whether networks and optimizer begin the phase anew, with
      the weights that the run began with.
    anew: bool, whether the run's schedule of the learning rate begins anew with
      the phase, as it does with a restart. It ends with the next such phase, or
      with the training.
  """

  name: str
  num_epochs: int
  learning_rate: float | None = None
  restart: bool = False
  anew: bool = False


class Classifier(saving.Saved):
  """One or two networks that give logits, trained by a method.

  A method is a subclass. It sets `Options`, overrides `network_losses`, and
  what else it needs of `evaluation_losses`, `prepare`, `training_losses`,
  `schedules`, `state`, `before_training`, `between_epochs`, `phases`,
  `begin_phase`, `begin_epoch`, `passes` and `auxiliary_layers`. Training,
  tables, cards, checkpoints, exports and audits take what they need from there.

  Data are `(images, labels)`, with labels as integers [batch] or one-hot
  [batch, num_classes]; see `models.targets`. Instead of labels, they may have a
  dict of targets, all but the first of which are optional integers [batch]:

  * `label`: the labels;
  * `true_label`: labels to measure against as well;
  * `position`: the place of each example in the global batch;
  * `step`: the number of the step in the whole training;
  * `example`: the number of each example in the training data.

  `sample_weight` and `class_weight` of `fit` multiply the loss with the labels,
  which is the cross entropy of most methods. They leave mimicry alone, and the
  weight that NCT gives it. As in Keras, the sum is divided by the number of
  examples, not by the sum of the weights. Of what is logged, `loss` is
  weighted; `cross_entropy_1` and its like, and all accuracies, are not.

  With several replicas each normalises its part of a batch by that part's own
  statistics (unless its batch norm is `synchronized`). After each step, all
  replicas' moving statistics are replaced by their mean.

  Args:
    *networks: `keras.Model`s that give logits [batch, num_classes], as many as
      `Options.NUM_NETWORKS`.
    seed: int, of what the method draws at random.
    weight_decay: float, at least 0; `weight_decay * w` is added to the
      gradient of every trainable variable w, batch norm and biases included,
      as PyTorch's SGD does. Keras' own `weight_decay` is decoupled from the
      gradient, which is a different method.
    clip_norm: float above 0. The gradient of each network whose norm, over all
      of its variables and the global batch, is larger is scaled down to it,
      before the weight decay is added. None for no clipping.
    validation_metrics: Keras metrics that `test_step` updates with the labels
      and the ensemble's probabilities.
    **options: fields of `Options`, and arguments of `keras.Model`.

  Attributes:
    options: an instance of `Options`.
    network1: the first network.
    network2: the second one, or None.
    seed, weight_decay, clip_norm, validation_metrics: as given.
  """

  # A `methods.options.MethodOptions`.
  Options: ClassVar[type]
  # What `NetworkLoss.parts` holds.
  PARTS: ClassVar[tuple[str, ...]] = ("cross_entropy",)

  def __init__(
    self,
    *networks,
    seed=0,
    weight_decay=0.0,
    clip_norm=None,
    validation_metrics=(),
    **options,
  ):
    known = {field.name for field in dataclasses.fields(self.Options)}
    chosen = {name: options.pop(name) for name in known & options.keys()}
    super().__init__(**options)
    if len(networks) != self.Options.NUM_NETWORKS:
      raise errors.InvalidInputError(
        f"{type(self).__name__} must have {self.Options.NUM_NETWORKS} "
        f"networks. Received: {len(networks)}"
      )
    # Of `auto` options, a model by itself has the paper's values.
    self.options = self.Options(**fields.papers_of(self.Options) | chosen)
    self.network1, self.network2 = (*networks, None)[:2]
    self.seed = seed
    self.weight_decay = weight_decay
    self.clip_norm = clip_norm
    names = ["loss", "ensemble_accuracy", "ensemble_cross_entropy"]
    names += ["ensemble_true_accuracy", "ensemble_top5_accuracy", "agreement"]
    for number in range(1, len(networks) + 1):
      names += [f"accuracy_{number}"]
      names += [f"{part}_{number}" for part in self.PARTS]
    self._means = metrics.Means(names)
    self.validation_metrics = tuple(validation_metrics)
    self._fit_metrics = saving.Hidden(fit_metrics.FitMetrics())
    self.compile_arguments = saving.Hidden(None)
    self._compiled_networks = saving.Hidden(None)
    self._features = saving.Hidden(None)
    self._label_scores = None
    self._remembered = saving.Hidden(None)
    self._example_state = saving.Hidden(_NothingRemembered())
    for name in self.schedules(num_epochs=1):
      # A weight, not a Python number: it changes without a new trace, and is
      # in every checkpoint.
      weight = self.add_weight(
        name=name,
        shape=(),
        dtype="float32",
        initializer="zeros",
        trainable=False,
      )
      setattr(self, name, weight)

  # What a method overrides.

  def prepare(self, images, targets):
    """Returns what a training step learns from, in place of the batch.

    Args:
      images: float [batch, ...].
      targets: dict of `unpack`. What it holds is to stay: `label` the given
        label, and `sample_weight`, if any, how much the loss with it counts.
        Where images are mixed from two, `mixed_label`, the label of the other
        image, and `label_share`, float32 [batch], the share of the own one, are
        added, for accuracies and label scores.
    """
    return images, targets

  def network_losses(self, logits, targets):
    """Returns what each network learns from a batch that `prepare` made.

    Args:
      logits: list of float32 [batch, num_classes], a network each.
      targets: dict.

    Returns:
      list of `NetworkLoss`, a network each.
    """
    raise NotImplementedError(f"{type(self).__name__} has no network_losses")

  def training_losses(self, images, targets):
    """Computes what a training step minimises; a gradient tape sees it.

    Args:
      images: float [batch, ...], which `prepare` made.
      targets: dict, likewise.

    Returns:
      a pair: list of float32 [batch, num_classes], the logits of each network;
      list of `NetworkLoss`, a network each.
    """
    logits = self.logits(images, training=True)
    return logits, self.network_losses(logits, targets)

  def evaluation_losses(self, logits, targets):
    """Returns as `network_losses`, of a batch that nothing is learned from.

    That is `network_losses` itself, unless the method looks at more than the
    batch, or leaves examples out.
    """
    return self.network_losses(logits, targets)

  def schedules(self, num_epochs):
    """Returns what depends on the epoch.

    Args:
      num_epochs: int, of the whole training.

    Returns:
      dict from name to a function from the 0-based epoch to a float, of which
      and of `example_state` it is a pure function. Of each name, the model has
      a scalar weight, which starts at 0. It is set at the begin of an epoch,
      and logged at its end.
    """
    del num_epochs
    return {}

  def state(self, num_examples, num_classes, batch_size):
    """Returns what the method remembers of the training examples.

    Args:
      num_examples: int, of the training data.
      num_classes: int.
      batch_size: int, the largest global batch.

    Returns:
      dict from name to `example_table.ExampleTable` or `tf.Variable`, which
      is in every checkpoint, and to be had as `example_state[name]`.
    """
    del num_examples, num_classes, batch_size
    return {}

  def before_training(self, training_set):
    """Works on the whole training set, before the first step.

    A run that goes on from within its first epoch does not call it again.

    Args:
      training_set: a `TrainingSet`.
    """

  def between_epochs(self, epoch, training_set):
    """Works on the whole training set, such as on `example_state`.

    It is called after an epoch's evaluations and before its checkpoint, so that
    a run that goes on repeats nothing.

    Args:
      epoch: int, that which has ended, from 0.
      training_set: a `TrainingSet`.
    """

  def passes(self, num_epochs):
    """Returns how often it goes over the whole training set between epochs.

    In the whole training: a float, as a part of the training set is a part of a
    pass. Estimates of cost go by it.

    Args:
      num_epochs: int, of the whole training.
    """
    del num_epochs
    return 0

  def phases(self, num_epochs):
    """Returns the list of `Phase` that the epochs of a training fall into.

    Raises:
      InvalidInputError: if there are too few for what the method does in them.
    """
    return [Phase("training", num_epochs)]

  def begin_phase(self, number):
    """Changes networks or what is remembered, where a phase begins.

    It is called after the phase's restart, if any, and before its first step.
    A run that goes on from the checkpoint before the phase calls it, too.

    Args:
      number: int, of the phase, from 0.
    """

  def begin_epoch(self, epoch):
    """Changes networks where an epoch begins, by what is remembered.

    It is called after `begin_phase`, if any, and before the epoch's first step.
    A run that goes on from the checkpoint before the epoch calls it, too. What
    `between_epochs` did to the networks would be in the last epoch's
    checkpoint, whose evaluation it has not seen.

    Args:
      epoch: int, from 0.
    """

  @property
  def auxiliary_layers(self):
    """Built Keras layers that are trained, but predict nothing: list."""
    return []

  # What every method has.

  @classmethod
  def from_options(cls, networks, options, **kwargs):
    """Builds a model from networks and an instance of `Options`.

    Args:
      networks: sequence of `keras.Model`.
      options: an instance of `Options`.
      **kwargs: the other arguments.
    """
    return cls(*networks, **dataclasses.asdict(options), **kwargs)

  def compile(
    self,
    optimizer="rmsprop",
    loss=None,
    *,
    metrics=None,
    weighted_metrics=None,
    loss_weights=None,
    **kwargs,
  ):
    """As Keras' own, but for the loss, which the method is.

    Args:
      optimizer: a Keras optimizer, or its name.
      loss: None.
      metrics: list of names, functions and `keras.metrics.Metric`s, which
        training and validation update with the labels and the ensemble's
        probabilities; see `fit_metrics`.
      weighted_metrics: the same; these get the sample weights.
      loss_weights: None.
      **kwargs: the other arguments of Keras' `compile`.

    Raises:
      InvalidInputError: if there is a loss; see also `fit_metrics.FitMetrics`.
    """
    if loss is not None or loss_weights is not None:
      raise errors.InvalidInputError(
        "Arguments `loss` and `loss_weights` must not be given to compile: "
        f"{type(self).__name__} has its own loss. Received: loss={loss}, "
        f"loss_weights={loss_weights}"
      )
    self.compile_arguments = saving.Hidden(
      {
        "optimizer": optimizer,
        "metrics": metrics,
        "weighted_metrics": weighted_metrics,
        **kwargs,
      }
    )
    super().compile(
      optimizer=optimizer,
      # Keras 2 would warn that there are none.
      weighted_metrics=None if weighted_metrics is None else [],
      **kwargs,
    )
    self.build_as_networks()
    taken = [metric.name for metric in self._own_metrics]
    with self.distribute_strategy.scope():
      self._fit_metrics = saving.Hidden(
        fit_metrics.FitMetrics(metrics, weighted_metrics, taken)
      )

  def train_step(self, data):
    """One step of gradient descent on the networks' losses.

    Args:
      data: `(images, labels)` or `(images, targets)`, see `Classifier`.

    Returns:
      dict from name to scalar, the epoch's means so far.
    """
    images, targets = self.prepare(*self.unpack(data))
    with tf.GradientTape() as tape:
      logits, network_losses = self.training_losses(images, targets)
      values = per_example(network_losses, targets)
      objective = self.objective(values["loss"])
    self.minimize(tape, objective)
    return self.record_training(values, logits, targets)

  def test_step(self, data):
    """Measures a batch: the losses against the labels as they are."""
    images, targets = self.unpack(data)
    logits = self.logits(images)
    values = per_example(self.evaluation_losses(logits, targets), targets)
    return self.record_validation(values, logits, targets)

  def class_accuracies(self):
    """Returns the accuracy of each class: float array [num_classes].

    Of what was evaluated last, by the `metrics.BalancedAccuracy` that is one of
    the `validation_metrics`; NaN of a class without examples.
    """
    (metric,) = (
      metric
      for metric in self.validation_metrics
      if isinstance(metric, metrics.BalancedAccuracy)
    )
    return metric.per_class()

  def track(self, label_scores):
    """Has `label_scores.LabelScores` updated by every training step."""
    self._label_scores = label_scores

  def remember(
    self,
    num_examples,
    num_classes,
    batch_size,
    true_noise_rate=None,
    true_transition=None,
  ):
    """Makes what the method remembers of the training examples; see `state`.

    To be called in the scope of the model's strategy, before the first step.
    The last two arguments are what nobody knows of real data. They are for a
    method whose options say that it `uses` them.

    Args:
      num_examples: int, of the training data.
      num_classes: int.
      batch_size: int, the largest global batch.
      true_noise_rate: float, the share of wrong labels.
      true_transition: nested lists of float [num_classes, num_classes], the
        transition matrix: row true class, column given label.

    Raises:
      InvalidInputError: if the method uses the truth, and there is none.
    """
    if self.options.uses and None in (true_noise_rate, true_transition):
      told = [
        f"`{name}`=true"
        for name, value in vars(self.options).items()
        if value == "true"
      ]
      raise errors.InvalidInputError(
        f"Argument {', '.join(told)} uses {' and '.join(self.options.uses)}, "
        "which is known only of labels that --noise_type made wrong, and of "
        "datasets that have right labels besides"
      )
    # Of what `keras.Model.save` can write.
    arguments = {
      "num_examples": num_examples,
      "num_classes": num_classes,
      "batch_size": batch_size,
    }
    self._remembered = saving.Hidden(
      {
        **arguments,
        "true_noise_rate": true_noise_rate,
        "true_transition": true_transition,
      }
    )
    self._example_state = saving.Hidden(self.state(**arguments))

  @property
  def example_state(self):
    """What `state` gave, since `remember`: a dict."""
    return self._example_state.value

  @property
  def example_variables(self):
    """The `tf.Variable`s in `example_state`: a dict with its names."""
    return {
      name: getattr(value, "variable", value)
      for name, value in self.example_state.items()
    }

  @property
  def keeps_on_host(self):
    """Whether the host keeps a table of `example_state`."""
    return any(
      getattr(value, "is_on_host", False)
      for value in self.example_state.values()
    )

  def recall(self, name):
    """Returns a variable of `example_state` as a NumPy array; not in a step."""
    return tf.convert_to_tensor(self.example_variables[name]).numpy()

  @property
  def remembered(self):
    """The arguments of `remember`, a dict; None before it was called."""
    return self._remembered.value

  def step(self, targets):
    """Returns the number of a training step: an integer scalar.

    Args:
      targets: dict of `unpack`. Its `step` counts, where it has any, else the
        optimizer's iterations.
    """
    if "step" in targets:
      return targets["step"][0]
    return tf.convert_to_tensor(self.optimizer.iterations)

  def step_seed(self, stream, targets):
    """Returns the seed of what a training step draws: int64 [2].

    Args:
      stream: int, which of the model's random numbers they are. 0 and 1 are
        those of the input pipeline.
      targets: see `step`.
    """
    seed = tf.constant([stream, self.seed], tf.int64)
    return random_numbers.fold_in(seed, self.step(targets))

  def global_batch(self, targets):
    """Returns the `global_batch.GlobalBatch` of a training step.

    Args:
      targets: dict of `unpack`.
    """
    batch_size = (self.remembered or {}).get("batch_size")
    return global_batch.GlobalBatch(targets, batch_size)

  @property
  def networks(self):
    """The networks: a list of one or two Keras models."""
    both = (self.network1, self.network2)
    return [network for network in both if network is not None]

  def features(self, images):
    """Returns what the first network's last layer sees: float32 [batch, ...].

    Raises:
      InvalidInputError: see `models.features.split`.
    """
    if self._features.value is None:
      self._features = saving.Hidden(features_lib.split(self.network1)[0])
    return tf.cast(self._features.value(images, training=False), tf.float32)

  @property
  def sums_in_networks(self):
    """Whether the networks sum values up over replicas: synchronized norms."""
    return self.distribute_strategy.num_replicas_in_sync > 1 and any(
      getattr(layer, "synchronized", False)
      for network in self.networks
      for layer in network.layers
    )

  @property
  def means(self):
    """The `metrics.Means` of the epoch."""
    return self._means

  @property
  def metrics(self):
    """The trackers that Keras resets at the start of an epoch."""
    return self._own_metrics + self._fit_metrics.value.trackers

  @property
  def _own_metrics(self):
    return self._means.trackers + list(self.validation_metrics)

  def logits(self, images, training=False, is_filled=True):
    """Returns each network's logits: a list of float32 [batch, num_classes].

    Args:
      images: float [batch, ...].
      training: bool, whether batch norm uses the batch's own statistics.
      is_filled: see `compiled_networks.CompiledNetworks`.
    """
    if self._compiled_networks.value is None:
      return self._compute_logits(images, training)
    return self._compiled_networks.value(images, training, is_filled)

  def _compute_logits(self, images, training):
    return [
      tf.cast(network(images, training=training), tf.float32)
      for network in self.networks
    ]

  def compile_networks(self, evaluation_size):
    """Returns `compiled_networks.CompiledNetworks` of this model's networks.

    Args:
      evaluation_size: int, see there.
    """
    return compiled_networks.CompiledNetworks(
      self._compute_logits, evaluation_size
    )

  @contextlib.contextmanager
  def computing_with(self, networks):
    """Has steps that are traced within this compute logits with `networks`.

    Args:
      networks: of `compile_networks`; None for the networks as they are.
    """
    before = self._compiled_networks
    self._compiled_networks = saving.Hidden(networks)
    try:
      yield
    finally:
      self._compiled_networks = before

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
      a pair: images; dict with `label` and what else the targets have, int32
      [batch]; `given_label`, the labels in the form that they were given in;
      and, where `fit` was given weights, `sample_weight`, float32 [batch].
    """
    return targets_lib.unpack(data)

  def objective(self, loss):
    """What this replica minimises.

    Optimizers add the replicas' gradients up. So the sum of the replicas'
    objectives is to be the mean over the global batch, however it was split,
    plus the networks' own regularisers; all that times the scale of float16's
    loss scaling, see `loss_scaling`.

    Args:
      loss: float32 [batch], of `per_example`.

    Returns:
      float32 scalar.
    """
    context = tf.distribute.get_replica_context()
    objective = tf.reduce_sum(loss) / global_batch.size(loss)
    if self.losses:
      objective += tf.add_n(self.losses) / context.num_replicas_in_sync
    return loss_scaling.scale_loss(self.optimizer, objective)

  def minimize(self, tape, objective):
    """One step of the optimizer on all networks.

    Args:
      tape: the `tf.GradientTape` that saw `objective`.
      objective: float32 scalar, of `self.objective`.
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
      # The optimizer sums the gradients over the replicas, so each of them adds
      # its part of the decay.
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
    # That of an embedding names rows, some of them twice: it has no norm as is.
    gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
    context = tf.distribute.get_replica_context()
    num_replicas = context.num_replicas_in_sync
    if num_replicas > 1:
      gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
    clipped = []
    for layer in [*self.networks, *self.auxiliary_layers]:
      part = gradients[len(clipped) :][: len(layer.trainable_variables)]
      clipped += tf.clip_by_global_norm(part, self.clip_norm)[0]
    # The optimizer sums them over the replicas again.
    return [gradient / num_replicas for gradient in clipped]

  def _average_statistics(self):
    """Gives all replicas the mean of their moving statistics.

    Keras 2 averages them only when they are read; Keras 3 keeps the first
    replica's. They are averaged after each step here, so that one replica's
    checkpoint is valid for all.
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
    """Adds a batch to the running means and to the label scores.

    Args:
      values: dict from name to float32 [batch], of `per_example`.
      logits: list of float [batch, num_classes], a network each.
      targets: dict, of `unpack`. Accuracies are against its `label`, the given
        one, whatever a method trained on in its place.

    Returns:
      dict from name to scalar float32, the means so far.
    """
    if self._label_scores is not None:
      self._label_scores.update(ensemble_logits(logits), targets)
    results = self._means.update(values | _accuracies(logits, targets))
    return results | self._update_fit_metrics(logits, targets)

  def record_validation(self, values, logits, targets):
    """Adds a batch to the running means and to the validation metrics.

    Measures the ensemble's accuracy among five classes as well, where there
    are more. See `record_training`.
    """
    joint = ensemble_logits(logits)
    values = values | _accuracies(logits, targets)
    if joint.shape[-1] > metrics.NUM_TOP_CLASSES:
      values["ensemble_top5_accuracy"] = metrics.correct_within(
        joint, targets["label"], metrics.NUM_TOP_CLASSES
      )
    results = self._means.update(values)
    probabilities = tf.nn.softmax(joint)
    for metric in self.validation_metrics:
      metric.update_state(targets["label"], probabilities)
      results[metric.name] = metric.result()
    return results | self._update_fit_metrics(logits, targets)

  def _update_fit_metrics(self, logits, targets):
    metrics_of_fit = self._fit_metrics.value
    if not metrics_of_fit.trackers:
      return {}  # Without metrics nothing is computed for them.
    probabilities = tf.nn.softmax(ensemble_logits(logits))
    return metrics_of_fit.update(targets, probabilities)


class _NothingRemembered(dict):
  """The `example_state` before `remember`."""

  def __missing__(self, name):
    raise ValueError(
      f"The method keeps `{name}`, which there is not yet. Before training, "
      "call the model's `remember(num_examples, num_classes, batch_size)`, and "
      "pass `fit` the targets "
      '{"label": labels, "example": np.arange(len(labels))}'
    )


def check_ends_before(option, epochs, num_epochs):
  """Raises `InvalidInputError` unless something begins within a training.

  Args:
    option: str, that which says when.
    epochs: int, after how many epochs, by the option or its default.
    num_epochs: int, of the whole training.
  """
  if epochs >= num_epochs:
    raise errors.InvalidInputError(
      f"Argument `num_epochs` must be above the {epochs} of `{option}`. "
      f"Received: num_epochs={num_epochs}"
    )


def plain_losses(logits, targets):
  """Returns each network's cross entropy, and nothing besides.

  Args:
    logits: list of float32 [batch, num_classes], a network each.
    targets: dict of `unpack`.

  Returns:
    list of `NetworkLoss`, a network each.
  """
  values = [losses_lib.cross_entropy(own, targets["label"]) for own in logits]
  return [NetworkLoss(each, parts={"cross_entropy": each}) for each in values]


def per_example(network_losses, targets=None):
  """Returns what the networks learn from each example, and its parts.

  Args:
    network_losses: list of `NetworkLoss`, of this replica's share.
    targets: dict of `unpack`, for its sample weights; None for none.

  Returns:
    dict from name to float32 [batch]: `loss`, whose mean over the global batch
    is what all networks together minimise; and each network's parts, with its
    number behind their names.
  """
  sample_weight = (targets or {}).get("sample_weight")
  totals = [_total(each, sample_weight) for each in network_losses]
  values = {"loss": tf.add_n(totals)}
  for number, each in enumerate(network_losses, start=1):
    for part, value in each.parts.items():
      values[f"{part}_{number}"] = value
  return values


def _total(network_loss, sample_weight):
  """Returns a loss whose mean over the global batch is minimised: [batch]."""
  loss = network_loss.loss
  if sample_weight is not None:
    loss *= sample_weight
  if network_loss.unlabelled is not None:
    loss += network_loss.unlabelled
  if network_loss.weight is None:
    return loss
  weight = tf.stop_gradient(network_loss.weight)
  batch_size = global_batch.size(loss)
  total = tf.maximum(
    distribution.sum_over_replicas(tf.reduce_sum(weight)),
    network_loss.floor * batch_size,
  )
  return tf.math.divide_no_nan(batch_size * weight * loss, total)


def _accuracies(logits, targets):
  """Returns how well a batch is predicted: dict from name to [batch]."""
  joint = ensemble_logits(logits)
  targets_lib.check_num_classes(targets, joint.shape[-1])

  def measure(function, logits):
    own = function(logits, targets["label"])
    if "mixed_label" not in targets:
      return own
    share = targets["label_share"]
    other = function(logits, targets["mixed_label"])
    return share * own + (1 - share) * other

  values = {
    "ensemble_accuracy": measure(metrics.correct, joint),
    "ensemble_cross_entropy": measure(losses_lib.cross_entropy, joint),
  }
  for number, network_logits in enumerate(logits, start=1):
    values[f"accuracy_{number}"] = measure(metrics.correct, network_logits)
  if len(logits) == 2:
    values["agreement"] = metrics.agreement(*logits)
  if "true_label" in targets:
    values["ensemble_true_accuracy"] = metrics.correct(
      joint, targets["true_label"]
    )
  return values


def ensemble_logits(logits):
  """Returns the mean of a list of logits: never their sum, which is sharper."""
  return tf.add_n(logits) / len(logits)
