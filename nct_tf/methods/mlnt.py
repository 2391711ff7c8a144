"""MLNT: a network that wrong labels would not lead away from its teacher."""

import tensorflow as tf

from nct_tf import distribution, errors, losses, random_numbers
from nct_tf.methods import meta_options
from nct_tf.models import (
  classifier,
  features,
  functional,
  weights as weights_lib,
)

_LABEL_STREAM = 9  # Of random numbers, see `Classifier.step_seed`.
# Of the teacher, before the ramp's end and after.
_FIRST_DECAY = 0.99
_LAST_DECAY = 0.999


class MLNTModel(classifier.Classifier):
  """One network that learns to learn from wrong labels.

  After a phase of plain training, a step makes up sets of labels: half of the
  batch, drawn for each set, has the label of a random one of its nearest
  neighbours, by the features of the network as it was after that phase. Each
  set leads to other weights, `w' = w - rate * gradient of the cross entropy`.
  The network minimises

      cross entropy + weight / sets * sum(KL(teacher || network with w'))

  with the exact gradient, which looks through the step to w'. The teacher is
  the network with the moving average of its weights. It normalises by the
  batch's own statistics, so it needs no moving ones. Only the forward pass of
  the cross entropy changes the network's moving statistics; in the authors'
  code those with w' do, too. That code also averages the divergence over the
  classes, where the paper has their sum.

  The weight rises within the second phase. The authors' code has it rise from
  step 500 to step 2,000 of 31,250, which are the defaults' shares. It begins
  the second phase with the best epoch of the first one, by clean validation
  data; here it goes on from the last.

  With several replicas, neighbours are those of the global batch, and the steps
  to w' go by its gradient.

  Args:
    network1: a `keras.Model` that gives logits [batch, num_classes].
    seed: int, of the made-up labels, which are a function of it and of the
      step.
    **kwargs: fields of `meta_options.MLNT`, and see `Classifier`.

  References:
    Li et al., "Learning to Learn from Noisy Labeled Data", CVPR 2019.
  """

  Options = meta_options.MLNT
  PARTS = ("cross_entropy", "consistency")

  def prepare(self, images, targets):
    """Finds how the made-up labels are to change the weights."""
    weight = self._begin_step()
    computes = weight > 0
    labels = self._labels(images, targets, computes)
    consistency, gradient = self._look_ahead(images, labels, computes)
    return images, {
      **targets,
      "consistency": weight * consistency,
      "meta_gradient": weight * gradient,
    }

  def training_losses(self, images, targets):
    """The cross entropy, and what has the gradient of the consistency."""
    logits, (loss,) = super().training_losses(images, targets)
    weights = weights_lib.pack(self.network1.trainable_variables)
    change = weights - tf.stop_gradient(weights)
    of_gradient = tf.reduce_sum(targets["meta_gradient"] * change)
    consistency = targets["consistency"]
    return logits, [
      loss._replace(
        unlabelled=consistency + of_gradient,
        parts={**loss.parts, "consistency": consistency},
      )
    ]

  def network_losses(self, logits, targets):
    """The cross entropy."""
    return classifier.plain_losses(logits, targets)

  def evaluation_losses(self, logits, targets):
    """The cross entropy."""
    (loss,) = classifier.plain_losses(logits, targets)
    zeros = tf.zeros_like(loss.loss)
    return [loss._replace(parts={**loss.parts, "consistency": zeros})]

  def phases(self, num_epochs):
    """Plain training, then that with made-up labels."""
    num_plain = self._num_plain(num_epochs)
    classifier.check_ends_before("mlnt_plain_epochs", num_plain, num_epochs)
    return [
      classifier.Phase("plain", num_plain),
      classifier.Phase("meta", num_epochs - num_plain, anew=True),
    ]

  def schedules(self, num_epochs):
    """How many epochs have made-up labels; how much of them is done.

    Both are 0 before them.
    """
    num_plain = self._num_plain(num_epochs)
    num_meta = max(num_epochs - num_plain, 1)
    return {
      "meta_epochs": lambda epoch: float(num_meta * (epoch >= num_plain)),
      "meta_progress": lambda epoch: max(epoch - num_plain, 0) / num_meta,
    }

  def _num_plain(self, num_epochs):
    return self.options.mlnt_plain_epochs or max(1, num_epochs // 4)

  def state(self, num_examples, num_classes, batch_size):
    """The teacher's weights, those that features are of, and a counter."""
    del num_examples, num_classes, batch_size
    if self.sums_in_networks:
      raise errors.InvalidInputError(
        "Argument `sync_batch_norm` must be false for mlnt on several devices, "
        "which cannot wait for each other while it tries weights. Received: "
        "sync_batch_norm=True"
      )
    sizes = {
      "teacher": self.network1.trainable_variables,
      "reference": _all_weights(self._body()),
    }
    return {
      name: distribution.whole_variable([weights_lib.packed_size(variables)])
      for name, variables in sizes.items()
    } | {"meta_steps": distribution.whole_variable([])}

  def _body(self):
    return features.split(self.network1)[0]

  def _begin_step(self):
    """Has the teacher follow; returns the consistency's weight: a scalar."""
    options, state = self.options, self.example_state
    num_epochs = tf.convert_to_tensor(self.meta_epochs)
    is_meta = num_epochs > 0
    num_steps = tf.convert_to_tensor(state["meta_steps"])
    is_first = is_meta & (num_steps == 0)
    # Within an epoch, by a guess: the input pipeline may have other epochs.
    num_examples, batch_size = (
      self.remembered[name] for name in ("num_examples", "batch_size")
    )
    steps_per_epoch = max(1, -(-num_examples // batch_size))
    progress = tf.maximum(
      num_steps / (tf.maximum(num_epochs, 1) * steps_per_epoch),
      tf.convert_to_tensor(self.meta_progress),
    )
    has_risen = progress >= options.mlnt_rampup_end
    decay = tf.where(has_risen, _LAST_DECAY, _FIRST_DECAY)
    weights = weights_lib.pack(self.network1.trainable_variables)
    teacher = tf.convert_to_tensor(state["teacher"])
    followed = tf.where(
      is_first, weights, decay * teacher + (1 - decay) * weights
    )
    state["teacher"].assign(tf.where(is_meta, followed, teacher))
    reference = tf.convert_to_tensor(state["reference"])
    state["reference"].assign(
      tf.where(
        is_first, weights_lib.pack(_all_weights(self._body())), reference
      )
    )
    state["meta_steps"].assign(num_steps + tf.cast(is_meta, tf.float32))
    weight = ramp(progress, options.mlnt_rampup_start, options.mlnt_rampup_end)
    return tf.where(is_meta, options.mlnt_weight * weight, 0.0)

  def _labels(self, images, targets, computes):
    """Returns made-up labels of this replica's share: int32 [share, sets]."""
    body = self._body()

    def compute():
      reference = weights_lib.unpack(
        tf.convert_to_tensor(self.example_state["reference"]),
        _all_weights(body),
      )
      count = len(body.trainable_variables)
      found = functional.call(
        body, reference[:count], images, False, reference[count:]
      )
      return tf.cast(found, tf.float32)

    shape = [tf.shape(images)[0], body.output_shape[-1]]
    found = tf.cond(computes, compute, lambda: tf.zeros(shape))
    batch = self.global_batch(targets)
    label = tf.cast(targets["label"], tf.float32)
    shape = [batch.num_rows, self.options.mlnt_label_sets]
    choice_seed, half_seed = random_numbers.split(
      self.step_seed(_LABEL_STREAM, targets)
    )
    return batch.share(
      made_up_labels(
        batch.join(tf.ensure_shape(found, [None, body.output_shape[-1]])),
        tf.cast(batch.join(label), tf.int32),
        batch.is_there(),
        random_numbers.uniform(shape, choice_seed),
        random_numbers.uniform(shape, half_seed),
        self.options.mlnt_neighbors,
      )
    )

  def _look_ahead(self, images, labels, computes):
    """Computes the consistency after steps on made-up labels.

    Args:
      images: float [share, ...].
      labels: int32 [share, sets].
      computes: bool scalar, whether there is anything to do; else all is 0.

    Returns:
      a pair: float32 [share]; the gradient of its mean over the global batch,
      float32 [weights], the same on all replicas.
    """
    context = tf.distribute.get_replica_context()
    size = weights_lib.packed_size(self.network1.trainable_variables)
    nothing = (
      tf.zeros([tf.shape(images)[0]]),
      tf.zeros([labels.shape[1], size]),
      tf.zeros([size]),
    )

    def compute(find):
      steps = LookAhead(self, images, labels)
      gradients = find(steps.gradients, nothing[1])
      steps.go(distribution.sum_over_replicas(gradients))
      consistency, upstream = find(steps.consistency, nothing[:2])
      upstream = distribution.sum_over_replicas(upstream)
      second = find(lambda: steps.gradient_through(upstream), nothing[2])
      second = distribution.sum_over_replicas(second)
      return consistency, tf.reduce_sum(upstream, axis=0) - second

    if context.num_replicas_in_sync == 1:
      return tf.cond(
        computes,
        lambda: compute(lambda function, _: function()),
        lambda: (nothing[0], nothing[2]),
      )
    # Replicas cannot wait for each other within a condition.
    return compute(
      lambda function, zeros: tf.cond(computes, function, lambda: zeros)
    )


class LookAhead:
  """Steps on made-up labels, from the weights of now, and what they lead to.

  Weights are vectors, see `models.weights.pack`. With several replicas the
  caller sums up what the functions return.

  Args:
    model: `MLNTModel`.
    images: float [share, ...].
    labels: int32 [share, sets].
  """

  def __init__(self, model, images, labels):
    context = tf.distribute.get_replica_context()
    self._is_whole = context.num_replicas_in_sync == 1
    self._network = model.network1
    self._images = images
    self._labels = labels
    self._rate = model.options.mlnt_fast_rate
    self._weights = weights_lib.pack(self._network.trainable_variables)
    self._teacher = tf.convert_to_tensor(model.example_state["teacher"])
    self._num_images = distribution.sum_over_replicas(
      tf.cast(tf.shape(images)[0], tf.float32)
    )

  def _logits(self, weights):
    values = weights_lib.unpack(weights, self._network.trainable_variables)
    logits = functional.call(self._network, values, self._images, training=True)
    return tf.cast(logits, tf.float32)

  def gradients(self):
    """Returns this share's gradients of the cross entropy: [sets, weights]."""
    with tf.GradientTape() as tape:
      tape.watch(self._weights)
      gradients = self._gradients()
    self._recorded = tape, gradients
    return gradients

  def _gradients(self):
    with tf.GradientTape(persistent=True) as tape:
      tape.watch(self._weights)
      logits = self._logits(self._weights)
      sums = [
        tf.reduce_sum(losses.cross_entropy(logits, labels))
        for labels in tf.unstack(self._labels, axis=1)
      ]
    found = [tape.gradient(each, self._weights) for each in sums]
    return tf.stack(found) / self._num_images

  def go(self, gradients):
    """Makes the steps, by the gradients of all replicas."""
    self._fast = self._weights - self._rate * gradients

  def consistency(self):
    """Returns how far the steps lead from the teacher.

    Returns:
      a pair: float32 [share], the mean over the sets; this share's
      gradient of its mean over the global batch, to the weights after each
      step, [sets, weights].
    """
    teacher = tf.nn.log_softmax(self._logits(self._teacher))
    total, gradients = 0.0, []
    for fast in tf.unstack(self._fast):
      with tf.GradientTape() as tape:
        tape.watch(fast)
        reached = tf.nn.log_softmax(self._logits(fast))
        divergence = tf.reduce_sum(
          tf.exp(teacher) * (teacher - reached), axis=1
        )
        divergence /= self._labels.shape[1]
        loss = tf.reduce_sum(divergence)
      total += divergence
      gradients.append(tape.gradient(loss, fast))
    return total, tf.stack(gradients) / self._num_images

  def gradient_through(self, upstream):
    """Returns what the sum of the gradients after the steps is less.

    That is by how much the gradients that the steps went by change with the
    weights: their second derivative, times that after the steps.

    Args:
      upstream: float32 [sets, weights], to the weights after each step.

    Returns:
      float32 [weights].
    """
    if not self._is_whole:
      self.gradients()  # What was recorded is of another condition.
    tape, gradients = self._recorded
    return self._rate * tape.gradient(gradients, self._weights, upstream)


def ramp(progress, start, end):
  """Returns the weight of the consistency: 0, then rising to 1.

  Args:
    progress: float32 scalar, how much of the phase is done.
    start: float, up to where it is 0.
    end: float, from where on it is 1.
  """
  share = tf.math.divide_no_nan(progress - start, float(end - start))
  rising = tf.where(progress < start, 0.0, tf.exp(-5 * (1 - share) ** 2))
  return tf.where(progress >= end, 1.0, rising)


def made_up_labels(vectors, labels, is_there, choices, keys, num_neighbors):
  """Gives half of a batch the label of a neighbour, some times.

  Args:
    vectors: float32 [rows, channels].
    labels: int32 [rows].
    is_there: bool [rows], which rows are examples.
    choices: float32 [rows, sets] in [0, 1), which of the neighbours.
    keys: float32 [rows, sets] in [0, 1). In each set, the half of the examples
      with the smallest ones gets new labels.
    num_neighbors: int, among how many nearest ones to choose. In a smaller
      batch, they are all others; an example alone keeps its label.

  Returns:
    int32 [rows, sets].
  """
  count = tf.reduce_sum(tf.cast(is_there, tf.int32))
  squares = tf.reduce_sum(vectors**2, axis=1)
  products = tf.matmul(vectors, vectors, transpose_b=True)
  distances = squares[:, None] + squares[None] - 2 * products
  distances = tf.where(is_there[None], distances, float("inf"))
  # An example comes before its neighbours, even those that are equal.
  rows = tf.range(tf.shape(labels)[0])
  own = rows[:, None] == rows[None]
  distances = tf.where(own, -float("inf"), distances)
  order = tf.argsort(distances, axis=1, stable=True)
  largest = tf.minimum(num_neighbors, tf.maximum(count - 1, 0))
  steps = tf.cast(choices * tf.cast(largest, tf.float32), tf.int32)
  rank = tf.minimum(1 + steps, largest)
  neighbors = tf.gather(order, rank, batch_dims=1)
  keys = tf.where(is_there[:, None], keys, 1.0)
  place = tf.argsort(tf.argsort(keys, axis=0, stable=True), axis=0, stable=True)
  return tf.where(
    place < count // 2, tf.gather(labels, neighbors), labels[:, None]
  )


def _all_weights(body):
  return body.trainable_variables + functional.statistics_of(body)
