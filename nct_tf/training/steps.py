"""What a training loop has its devices do, as compiled functions.

With XLA, a step of one device is one compiled program. Several devices sum
values up in the middle of a step, which XLA cannot compile under every
strategy; nor can it reach tables that the host keeps. There, and in evaluation,
the networks alone are compiled, forward and backward: they are nearly all of a
step.
"""

import tensorflow as tf

from nct_tf import distribution
from nct_tf.input_pipeline import batching


class Steps:
  """Training steps, evaluation steps and predictions of a model.

  None of them waits for the device.

  Args:
    model: a compiled `Classifier`.
    finish: a function from the images and targets of the training pipeline to
      those that the model learns from; None if they are the same.
    finish_evaluation: likewise, of evaluation and prediction.
    average: `weight_average.WeightAverage` that follows the weights, or None.
    uses_xla: bool.

  Attributes:
    uses_xla: as given.
    train: a function of an iterator, the number of the first step in the whole
      training, and the number of steps, which makes so many. With XLA, it
      compiles for each size of a batch.
    train_uncompiled: likewise, without XLA.
    test: a function of an iterator that evaluates a batch. It returns dict from
      name to scalar tensor, the means so far.
    predict: a function of an iterator and the size of the largest global batch
      that returns the logits of a batch: float32 tensor [batch, num_networks,
      num_classes]; of several replicas, [largest, ...] with zeros at the end.
    features: likewise, of the first network's features: float32 tensor [batch,
      1, channels].
  """

  def __init__(
    self,
    model,
    finish=None,
    finish_evaluation=None,
    average=None,
    uses_xla=False,
  ):
    self.uses_xla = uses_xla
    self._model = model
    self._strategy = model.distribute_strategy
    self._arguments = (model, finish, finish_evaluation, average)
    self._finish_evaluation = finish_evaluation or _as_they_are
    self._average = average
    self._progress = tf.Variable([0.0, 0.0], trainable=False)
    self._networks = networks = None
    if uses_xla:
      self._networks = networks = model.compile_networks(
        batching.largest_share(self._strategy.num_replicas_in_sync)
      )
    replica_step = _replica_step(model, finish or _as_they_are)
    self.train_uncompiled = self._make_train(replica_step)
    self.train = self.train_uncompiled
    is_one_program = not model.keeps_on_host
    is_one_program &= distribution.is_default(self._strategy)
    if uses_xla and is_one_program:
      self.train = self._make_train(
        tf.function(replica_step, autograph=False, jit_compile=True)
      )
    elif uses_xla:
      self.train = self._make_train(replica_step, networks)
    self.test = self._make_test(networks)
    self.predict = self._make_predict(model.logits, networks)
    self.features = self._make_predict(lambda images: [model.features(images)])

  def made_anew(self, uses_xla):
    """Returns the same, traced anew, which goes on from where this one is."""
    steps = Steps(*self._arguments, uses_xla)
    steps._progress.assign(self._progress)
    return steps

  def compile_evaluation(self):
    """Has XLA compile the networks for evaluation; no batch is taken for it."""
    image = tf.zeros([1, *self._model.network1.input_shape[1:]])

    @tf.function(autograph=False)
    def compute():
      return self._strategy.run(self._networks, args=(image, False))

    compute()

  def start_epoch(self, num_steps_done=0):
    """Counts steps anew, from how many of an epoch have been made already."""
    self._progress.assign([float(num_steps_done), 0.0])

  def read_progress(self):
    """Waits for the training steps called so far.

    Returns:
      a pair: int, the epoch's steps up to the first after which the mean loss
      was not finite; float, the mean loss of the epoch so far.
    """
    num_finite, loss = self._progress.numpy().tolist()
    return int(num_finite), loss

  def _make_train(self, replica_step, networks=None):
    strategy = self._strategy

    def one_step(batches, step):
      with self._model.computing_with(networks):
        loss = strategy.run(replica_step, args=(next(batches),))
      loss = strategy.experimental_local_results(loss)[0]
      # A mean that is not finite stays so until the epoch's end.
      is_finite = tf.cast(tf.math.is_finite(loss), tf.float32)
      self._progress.assign(tf.stack([self._progress[0] + is_finite, loss]))
      if self._average is not None:
        self._average.update(step)

    if distribution.is_default(strategy):
      return _in_one_call(one_step)
    # Keras 3 cannot loop in a graph under a strategy.
    one_call = tf.function(one_step, autograph=False)

    def train(batches, first_step, num_steps):
      for step in range(first_step, first_step + num_steps):
        one_call(batches, _on_cpu(step))

    return train

  def _make_test(self, networks):
    strategy = self._strategy

    def replica_step(batch):
      return self._model.test_step(self._finish_evaluation(*batch))

    @tf.function(autograph=False)
    def test(batches):
      with self._model.computing_with(networks):
        logs = strategy.run(replica_step, args=(next(batches),))
      return {
        name: strategy.experimental_local_results(value)[0]
        for name, value in logs.items()
      }

    return test

  def _make_predict(self, compute, networks=None):
    """Returns a function that computes a list of [batch, ...] of a batch."""
    strategy = self._strategy

    def replica_step(batch, largest):
      images, targets = self._finish_evaluation(*batch)
      values = tf.stack(compute(images), axis=1)
      if strategy.num_replicas_in_sync > 1:
        shape = values.shape[1:]
        flat = tf.reshape(values, [-1, shape.num_elements()])
        flat = distribution.join_shares(flat, targets["position"], largest)
        values = tf.reshape(flat, [largest, *shape])
      return values

    @tf.function(autograph=False)
    def predict(batches, largest):
      with self._model.computing_with(networks):
        values = strategy.run(replica_step, args=(next(batches), largest))
      return strategy.experimental_local_results(values)[0]

    return predict


def _as_they_are(images, targets):
  return images, targets


def _replica_step(model, finish):
  """Returns a function from a replica's batch to the mean loss so far."""
  return lambda batch: model.train_step(finish(*batch))["loss"]


def _in_one_call(one_step):
  """Returns a function that makes several steps within one graph."""

  @tf.function(autograph=False)
  def loop(batches, first_step, num_steps):
    def body(step):
      one_step(batches, step)
      with tf.device("CPU:0"):
        return step + 1

    with tf.device("CPU:0"):
      end = first_step + num_steps
    tf.while_loop(
      lambda step: step < end, body, [first_step], parallel_iterations=1
    )

  def train(batches, first_step, num_steps):
    loop(batches, _on_cpu(first_step), _on_cpu(num_steps))

  return train


def _on_cpu(number):
  """Returns an int32 scalar on the CPU, where loops are counted."""
  with tf.device("CPU:0"):
    return tf.constant(number, tf.int32)
