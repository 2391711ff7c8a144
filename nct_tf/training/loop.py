"""A training loop that is the same under every strategy and on both stacks.

Keras' own `fit` can train a `Classifier`, too. This loop can do what `fit`
cannot: begin within an epoch, stop between any two steps, those of an
evaluation included, and run on many machines with Keras 3.
"""

import keras
import numpy as np
import tensorflow as tf

from nct_tf import distribution
from nct_tf.workdir import checkpoints


class TrainingLoop:
  """Trains and evaluates a model.

  Args:
    model: a compiled `Classifier`.
    interruption: `interruption.Interruption` that asks it to stop.
  """

  def __init__(self, model, interruption):
    self.model = model
    self.strategy = model.distribute_strategy
    self._interruption = interruption
    self._train = self._make_step(model.train_step)
    self._test = self._make_step(model.test_step)

  def iterate(self, make_dataset):
    """Returns an endless iterator over the batches of each replica.

    Args:
      make_dataset: function of the keyword arguments `replicas` and
        `num_replicas` that returns a `tf.data.Dataset`, see `batching`. At its
        end the dataset begins anew.
    """
    options = tf.data.Options()
    # Autotuning has a thread for each iterator, which may take seconds to end.
    # Without it there are as many parallel calls as cores, which autotuning
    # would come to, too.
    options.autotune.enabled = False

    def make(context):
      # The dataset is endless, so machines need not agree whether it has ended.
      return (
        make_dataset(
          replicas=distribution.local_replicas(context),
          num_replicas=context.num_replicas_in_sync,
        )
        .repeat()
        .with_options(options)
      )

    return iter(self.strategy.distribute_datasets_from_function(make))

  def train(self, batches, num_steps, ending, state, callbacks):
    """Trains from where `state` is to the end of the last epoch.

    Args:
      batches: an iterator of `iterate` that begins where `state` is.
      num_steps: int, of an epoch.
      ending: `ending.Ending`, one of the callbacks, which tells the last epoch.
      state: `state.TrainingState`. Its `position` is updated after each step,
        its `means` after the last step of an epoch, or before a stop.
      callbacks: list of Keras callbacks.

    Raises:
      StopRequested: between two steps; `state` is that after the last step.
    """
    callbacks = keras.callbacks.CallbackList(callbacks, model=self.model)
    callbacks.on_train_begin()
    first_epoch, first_step = state.position
    for epoch in range(first_epoch, ending.num_epochs):
      if ending.is_early:
        break
      self.model.reset_metrics()
      if first_step:
        self.model.means.set_state(state.means)
      callbacks.on_epoch_begin(epoch)
      for step in range(first_step, num_steps):
        callbacks.on_train_batch_begin(step)
        logs, stop = self.train_step(batches)
        state.position = checkpoints.Position(epoch, step + 1)
        self._interruption.deferred = True  # There is something to save now.
        callbacks.on_train_batch_end(step, {"loss": float(logs["loss"])})
        if stop:
          state.means = self.model.means.get_state()
          raise StopRequested
      first_step = 0
      # An evaluation resets the means.
      state.means = self.model.means.get_state()
      callbacks.on_epoch_end(epoch, self.model.means.results())
      state.position = checkpoints.Position(epoch + 1)
    callbacks.on_train_end()

  def train_step(self, batches):
    """Makes one step.

    Args:
      batches: an iterator of `iterate`.

    Returns:
      a pair: dict from name to scalar, the epoch's means so far; whether to
      stop.
    """
    return self._run(self._train, batches)

  def evaluate(self, batches, num_steps):
    """Evaluates on one pass over data.

    Args:
      batches: an iterator of `iterate`.
      num_steps: int, of a pass.

    Returns:
      dict from name to float.

    Raises:
      StopRequested: between two steps.
    """
    self.model.reset_metrics()
    for _ in range(num_steps):
      logs, stop = self._run(self._test, batches)
      if stop:
        raise StopRequested
    return {name: float(value) for name, value in logs.items()}

  def make_predictor(self, batches, sizes):
    """Returns a function that predicts in one pass over data.

    Args:
      batches: an iterator of `iterate` over `Batching.evaluate`.
      sizes: list of int, the size of each batch of the pass.

    Returns:
      a function without arguments that returns each network's logits: float32
      array [num_networks, num_examples, num_classes].
    """
    strategy = self.strategy
    largest = max(sizes)

    def replica_step(batch):
      images, targets = batch
      logits = tf.stack(self.model.logits(images), axis=1)
      if strategy.num_replicas_in_sync > 1:
        shape = logits.shape[1:]
        flat = tf.reshape(logits, [-1, shape.num_elements()])
        flat = distribution.join_shares(flat, targets["position"], largest)
        logits = tf.reshape(flat, [largest, *shape])
      return logits

    @tf.function(autograph=False)
    def step(batches):
      logits = strategy.run(replica_step, args=(next(batches),))
      return strategy.experimental_local_results(logits)[0]

    def predict():
      parts = [step(batches)[:size].numpy() for size in sizes]
      return np.concatenate(parts).transpose(1, 0, 2)

    return predict

  def _make_step(self, method):
    strategy = self.strategy
    is_multi_worker = distribution.is_multi_worker(strategy)

    def replica_step(batch, wish):
      logs = method(batch)
      if is_multi_worker:
        # All machines must stop after the same step, or some would wait on.
        wish = distribution.sum_over_replicas(wish)
      return logs, wish

    # A step has no Python control flow that AutoGraph would have to translate.
    @tf.function(autograph=False)
    def step(batches, wish):
      logs, wish = strategy.run(replica_step, args=(next(batches), wish))
      first = {
        name: strategy.experimental_local_results(value)[0]
        for name, value in logs.items()
      }
      return first, strategy.experimental_local_results(wish)[0]

    return step

  def _run(self, step, batches):
    """Returns a step's results, and whether to stop after it."""
    wish = tf.constant(int(self._interruption.requested))
    logs, wish = step(batches, wish)
    return logs, bool(wish)


class StopRequested(Exception):  # noqa: N818 It is no error.
  """The loop has stopped, as it was asked to."""
