"""A training loop that is the same under every strategy and on both stacks.

Keras' own `fit` can train a `Classifier`, too. This loop can do what `fit`
cannot: begin within an epoch, stop between any two calls, those of an
evaluation included, and run on many machines with Keras 3.

The host does not wait for the devices within a call, which makes several steps
where they are short.
"""

import logging
import time

import keras
import numpy as np
import tensorflow as tf

from nct_tf import distribution
from nct_tf.models import weights
from nct_tf.system import device_errors, xla_cache
from nct_tf.training import progress, steps as steps_lib
from nct_tf.workdir import checkpoints

_logger = logging.getLogger(__name__)

# How long a call should take, and how many steps it makes at most, unless the
# caller says. A stop waits for the call, and so does the news of a loss that is
# no number.
_SECONDS_PER_CALL = 0.25
_MAX_STEPS_PER_CALL = 50
# The first call has compiled the step; this one is timed.
_NUM_TIMED_CALL = 2
# Machines agree on whether to stop after so many batches of an evaluation.
_BATCHES_PER_AGREEMENT = 10

# What TensorFlow raises where XLA cannot compile something, or cannot read or
# write what it keeps on disk.
_XLA_ERRORS = (
  tf.errors.DataLossError,
  tf.errors.FailedPreconditionError,
  tf.errors.InternalError,
  tf.errors.InvalidArgumentError,
  tf.errors.NotFoundError,
  tf.errors.OutOfRangeError,
  tf.errors.UnimplementedError,
)


class TrainingLoop:
  """Trains and evaluates a model.

  Args:
    model: a compiled `Classifier`.
    interruption: `interruption.Interruption` that asks it to stop.
    finish: see `steps.Steps`, as for the next two.
    finish_evaluation: see there.
    average: see there.
    uses_xla: bool, whether XLA compiles the steps. What it cannot compile runs
      without, and the log says why.
    steps_per_execution: int, how many steps a call makes at most; None to
      choose by their time.
  """

  def __init__(
    self,
    model,
    interruption,
    finish=None,
    finish_evaluation=None,
    average=None,
    uses_xla=False,
    steps_per_execution=None,
  ):
    self.model = model
    self.strategy = model.distribute_strategy
    self._interruption = interruption
    if uses_xla and model.sums_in_networks:
      uses_xla = False
      _logger.warning(
        "Goes on without XLA: synchronized batch norm sums values up over the "
        "replicas within the networks"
      )
    if uses_xla and model.keeps_on_host:
      _logger.info(
        "XLA compiles the networks, not whole steps: it cannot reach the table "
        "of the examples on the host"
      )
    self._steps = steps_lib.Steps(
      model, finish, finish_evaluation, average, uses_xla
    )
    # What XLA has not compiled yet, it may be unable to.
    self._is_train_tried = not uses_xla
    self._is_evaluation_tried = False
    self._steps_per_call = steps_per_execution
    self._num_calls = 0
    self._is_multi_worker = distribution.is_multi_worker(self.strategy)
    self._sum = distribution.make_sum(self.strategy)

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

  def train(
    self, make_batches, num_steps, ending, state, callbacks, has_small=False
  ):
    """Trains from where `state` is to the end of the last epoch.

    Args:
      make_batches: a function from the number of a step in the whole training
        to an iterator of `iterate` that begins there.
      num_steps: int, of an epoch.
      ending: `ending.Ending`, one of the callbacks, which tells the last epoch.
      state: `state.TrainingState`. Its `position` is updated after each call,
        its `means` after the last step of an epoch, or before a stop.
      callbacks: list of Keras callbacks. As in Keras, `on_train_batch_begin`
        and `on_train_batch_end` are called once a call, with the number of its
        first and of its last step in the epoch. The latter gets as logs `loss`,
        the epoch's mean so far, and `num_finite_steps`, see
        `steps.Steps.read_progress`.
      has_small: bool, whether the last batch of an epoch is smaller.

    Raises:
      StopRequested: between two calls; `state` is that after the last step.
    """
    callbacks = keras.callbacks.CallbackList(callbacks, model=self.model)
    callbacks.on_train_begin()
    first_epoch, step = state.position
    feed = _Feed(make_batches, first_epoch * num_steps + step)
    for epoch in range(first_epoch, ending.num_epochs):
      if ending.is_early:
        break
      self.model.reset_metrics()
      self._steps.start_epoch(step)
      if step:
        self.model.means.set_state(state.means)
      callbacks.on_epoch_begin(epoch)
      while step < num_steps:
        callbacks.on_train_batch_begin(step)
        num_full = num_steps - has_small - step
        count = min(num_full, self._steps_per_call or 1) or 1
        num_finite, loss = self._make_steps(feed, count, is_small=not num_full)
        step += count
        state.position = checkpoints.Position(epoch, step)
        self._interruption.deferred = True  # There is something to save now.
        callbacks.on_train_batch_end(
          step - 1, {"loss": loss, "num_finite_steps": num_finite}
        )
        if self._wants_stop():
          state.means = self.model.means.get_state()
          raise StopRequested
      step = 0
      # An evaluation resets the means.
      state.means = self.model.means.get_state()
      callbacks.on_epoch_end(epoch, self.model.means.results())
      state.position = checkpoints.Position(epoch + 1)
    callbacks.on_train_end()

  def train_steps(self, batches, num_steps=1):
    """Makes steps, and waits for the last one.

    Where XLA cannot compile them, they are made without, and their batches may
    be later ones.

    Args:
      batches: an iterator of `iterate`.
      num_steps: int.

    Returns:
      float, the mean loss so far.
    """
    self._train(lambda: self._steps.train(batches, 0, num_steps))
    return self._steps.read_progress()[1]

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
    self._prepare_evaluation()
    self.model.reset_metrics()
    for number in range(1, num_steps + 1):
      logs = self._steps.test(batches)
      self._stop_if_agreed(number, num_steps)
    return {name: float(value) for name, value in logs.items()}

  def make_predictor(self, batches, sizes, name="predict"):
    """Returns a function that computes something in one pass over data.

    Args:
      batches: an iterator of `iterate` over `Batching.evaluate`, which begins
        anew with each pass.
      sizes: list of int, the size of each batch of the pass.
      name: str, of a function of `steps.Steps`: `predict` or `features`.

    Returns:
      a function without arguments that returns what that does of all examples:
      float32 array [num_networks, num_examples, ...]. It raises `StopRequested`
      between two batches.
    """

    def predict():
      self._prepare_evaluation()
      compute = getattr(self._steps, name)
      parts = []
      # If it takes a while, it shows how far it is.
      bar = progress.bar(sizes, desc="training set", leave=False, delay=2)
      for number, size in enumerate(bar, start=1):
        parts.append(compute(batches, max(sizes))[:size])
        if len(parts) > 1:  # The device has the next batch meanwhile.
          parts[-2] = parts[-2].numpy()
        self._stop_if_agreed(number, len(sizes))
      return np.concatenate(parts).transpose(1, 0, 2)

    return predict

  def _stop_if_agreed(self, number, num_batches):
    """Raises `StopRequested` after a batch of a pass, if all machines do."""
    is_agreed = number % _BATCHES_PER_AGREEMENT == 0 or number == num_batches
    if (is_agreed or not self._is_multi_worker) and self._wants_stop():
      raise StopRequested

  def _prepare_evaluation(self):
    """Has XLA compile evaluation, unless it has been done."""
    if self._steps.uses_xla and not self._is_evaluation_tried:
      self._try_xla(lambda: self._steps.compile_evaluation())
    self._is_evaluation_tried = True

  def _make_steps(self, feed, count, is_small):
    """Makes a call of some steps, and waits for it.

    The first one with XLA may do without.

    Returns:
      see `steps.Steps.read_progress`.
    """
    begin = time.perf_counter()
    if is_small:
      self._steps.train_uncompiled(feed.batches, feed.step, count)
    else:
      self._train(
        lambda: self._steps.train(feed.batches, feed.step, count), feed.restart
      )
    progress = self._steps.read_progress()
    feed.step += count
    self._num_calls += 1
    if self._steps_per_call is None and self._num_calls == _NUM_TIMED_CALL:
      self._steps_per_call = self._choose_steps(time.perf_counter() - begin)
    return progress

  def _choose_steps(self, seconds):
    """Returns how many steps a call makes, of the time that one took."""
    if self._is_multi_worker:
      # All must make the same calls.
      total = self._sum([round(1e6 * seconds)])[0]
      seconds = total / 1e6 / self.strategy.num_replicas_in_sync
    return min(max(int(_SECONDS_PER_CALL / seconds), 1), _MAX_STEPS_PER_CALL)

  def _train(self, call, restart=lambda: None):
    """Makes steps with XLA, or without if it cannot compile them.

    Args:
      call: a function without arguments that makes them.
      restart: likewise, which has their batches come again.
    """
    if self._is_train_tried:
      return call()
    self._is_train_tried = True
    statistics = {
      variable.ref(): variable.numpy()
      for variables in weights.network_weights(self.model).values()
      for variable in variables
      if not variable.trainable
    }

    def undo():
      # A forward pass may have run.
      for reference, value in statistics.items():
        reference.deref().assign(value)
      weights.spread_to_replicas(self.model)
      restart()

    return self._try_xla(call, undo)

  def _try_xla(self, call, undo=lambda: None):
    """Makes the first call of something that XLA compiles.

    If it cannot, the call is made again: with nothing of what it has kept on
    disk, and then without XLA.

    Args:
      call: a function without arguments.
      undo: likewise, which brings everything back to before the call.
    """
    may_empty = True
    while True:
      try:
        return call()
      except _XLA_ERRORS as error:
        failure = device_errors.explain(error)
        is_of_xla = failure is None or failure.kind == device_errors.XLA
        if not (is_of_xla and self._steps.uses_xla):
          raise
        undo()
        uses_xla = may_empty and xla_cache.empty()
        may_empty = False
        _logger.warning(
          "%s: %s",
          "What XLA has kept on disk is deleted"
          if uses_xla
          else "Goes on without XLA",
          failure.text if failure else device_errors.first_line(error),
        )
        # XLA does not try again what has failed.
        self._steps = self._steps.made_anew(uses_xla)

  def _wants_stop(self):
    """Returns whether to stop; all machines must ask at the same time."""
    wish = int(self._interruption.requested)
    if self._is_multi_worker:
      (wish,) = self._sum([wish])
    return bool(wish)


class _Feed:
  """Batches from some step on.

  Attributes:
    batches: an iterator.
    step: int, that of its next batch in the whole training.
  """

  def __init__(self, make_batches, step):
    self._make_batches = make_batches
    self.batches = make_batches(step)
    self.step = step

  def restart(self):
    """Has the batch of `step` come again."""
    self.batches = self._make_batches(self.step)


class StopRequested(Exception):  # noqa: N818 It is no error.
  """The loop has stopped, as it was asked to."""
