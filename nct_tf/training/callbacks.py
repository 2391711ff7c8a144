"""Keras callbacks: schedules, measurements, files, checkpoints, progress."""

import math
import time

import keras

from nct_tf import errors
from nct_tf.training import progress
from nct_tf.workdir import checkpoints


class Evaluation(keras.callbacks.Callback):
  """Evaluates the model on a dataset of its own at the end of an epoch.

  Args:
    evaluate: a function without arguments that gives dict from name to float.
    rename: a function from such a name to the key in the logs, or to None if
      the value is not wanted.
    is_last: a function from the 0-based epoch to whether it is the last one,
      which is always evaluated.
    every_epochs: int, after how many epochs to evaluate again; the first epoch
      is always evaluated.
  """

  def __init__(self, evaluate, rename, is_last, every_epochs=1):
    super().__init__()
    self.evaluate = evaluate
    self.rename = rename
    self.is_last = is_last
    self.every_epochs = every_epochs

  def on_epoch_end(self, epoch, logs=None):
    if epoch % self.every_epochs and not self.is_last(epoch):
      return
    for name, value in self.evaluate().items():
      if self.rename(name):
        logs[self.rename(name)] = value


class BetweenEpochs(keras.callbacks.Callback):
  """Lets a method work on the training set before and between epochs.

  Args:
    model: a `Classifier`, whose `before_training` and `between_epochs` are
      called.
    training_set: see there.
    state: `state.TrainingState`, which tells whether training has begun.
  """

  def __init__(self, model, training_set, state):
    super().__init__()
    self.classifier = model
    self.training_set = training_set
    self.state = state

  def on_train_begin(self, logs=None):
    if self.state.position == checkpoints.Position(0):
      self.classifier.before_training(self.training_set)

  def on_epoch_end(self, epoch, logs=None):
    self.classifier.between_epochs(epoch, self.training_set)


class NanGuard(keras.callbacks.Callback):
  """Stops training at the first loss that is NaN or infinite.

  Args:
    directory: `checkpoints.Checkpoints`, whose last one is good.

  Raises:
    TrainingDivergedError: with the epoch, the step and what to try. An error is
      raised, and `stop_training` is not used, so that nothing later takes the
      run for finished or writes a checkpoint of such weights.
  """

  def __init__(self, directory):
    super().__init__()
    self.directory = directory
    self._epoch = 0

  def on_epoch_begin(self, epoch, logs=None):
    self._epoch = epoch

  def on_train_batch_end(self, batch, logs=None):
    # A mean stays what it is if it is no number. The training loop, which looks
    # at it after several steps, has counted those before.
    if not math.isfinite(logs["loss"]):
      # Keras 3 makes a float of each number in the logs.
      step = int(logs.get("num_finite_steps", batch)) + 1
      self._fail(logs["loss"], f"in epoch {self._epoch + 1}, step {step}")

  def on_epoch_end(self, epoch, logs=None):
    # The last step's update shows only in the validation loss.
    loss = logs.get("val_loss", logs["loss"])
    if not math.isfinite(loss):
      self._fail(loss, f"in the validation after epoch {epoch + 1}")

  def _fail(self, loss, where):
    raise errors.TrainingDivergedError(
      f"The loss became {float(loss)} {where}: try a lower --learning_rate, "
      "or --mixed_precision=none. The last good checkpoint: "
      f"{self.directory.last() or 'none yet'}"
    )


class Timer(keras.callbacks.Callback):
  """Logs the epoch's times, and `examples_per_second` while training.

  `seconds` is from its begin to its end. `cpu_seconds` is the time of all of
  this process' threads; other work on the machine changes it little. Of an
  epoch that goes on, what was spent before is left out of it.

  Args:
    num_examples: int, of an epoch.
    state: `state.TrainingState`. Its `seconds` tell how long an epoch that goes
      on has taken before; they are updated after each step.
  """

  def __init__(self, num_examples, state):
    super().__init__()
    self.num_examples = num_examples
    self.state = state
    self._begin = 0.0
    self._cpu_begin = 0.0

  def on_epoch_begin(self, epoch, logs=None):
    self._begin = time.perf_counter() - self.state.seconds
    self._cpu_begin = time.process_time()

  def on_train_batch_end(self, batch, logs=None):
    self.state.seconds = time.perf_counter() - self._begin

  def on_epoch_end(self, epoch, logs=None):
    logs["seconds"] = time.perf_counter() - self._begin
    logs["cpu_seconds"] = time.process_time() - self._cpu_begin
    logs["examples_per_second"] = self.num_examples / self.state.seconds
    self.state.seconds = 0.0


class HistoryWriter(keras.callbacks.Callback):
  """Writes each epoch to the history and to the curves of TensorBoard.

  Args:
    history: `history.History`.
    curves: `curves.Curves`.
  """

  def __init__(self, history, curves):
    super().__init__()
    self.history = history
    self.curves = curves

  def on_epoch_end(self, epoch, logs=None):
    row = {"epoch": epoch}
    row |= {name: float(value) for name, value in sorted(logs.items())}
    self.history.add(row)
    self.curves.add(row)


class Checkpointing(keras.callbacks.Callback):
  """Saves checkpoints, and removes those that are no longer wanted.

  The newest ones stay, and so does that of the best epoch so far.

  Args:
    state: `state.TrainingState`.
    directory: `checkpoints.Checkpoints`.
    history: `history.History`, which tells the best epoch.
    is_last: a function from the 0-based epoch to whether it is the last one,
      which is always saved.
    every_epochs: int, after how many epochs to save.
    every_minutes: float, after how many minutes to save within an epoch; None
      for never.
    num_kept: int, how many of the newest checkpoints stay.
  """

  def __init__(
    self,
    state,
    directory,
    history,
    is_last,
    every_epochs=1,
    every_minutes=None,
    num_kept=2,
  ):
    super().__init__()
    self.state = state
    self.directory = directory
    self.history = history
    self.is_last = is_last
    self.every_epochs = every_epochs
    self.every_minutes = every_minutes
    self.num_kept = num_kept
    self._last_time = time.monotonic()

  def on_train_batch_end(self, batch, logs=None):
    if self.every_minutes is None:
      return
    if time.monotonic() - self._last_time >= 60 * self.every_minutes:
      self.state.means = self.model.means.get_state()
      self.save()

  def on_epoch_end(self, epoch, logs=None):
    num_done = epoch + 1
    self.state.position = checkpoints.Position(num_done)
    if (
      num_done % self.every_epochs == 0
      or self.is_last(epoch)
      or self.history.best_epoch() == epoch
    ):
      self.save()

  def save(self):
    """Saves the state as it is."""
    self.state.write(self.directory)
    self._last_time = time.monotonic()
    newest = list(self.directory.find())[-self.num_kept :]
    best = self.history.best_epoch()
    self.directory.keep(
      newest if best is None else [*newest, checkpoints.Position(best + 1)]
    )


class ProgressBar(keras.callbacks.Callback):
  """Shows the epochs done, loss and accuracy, and the time left.

  The bar moves within an epoch, too, as an epoch may take hours.

  Args:
    num_epochs: int.
    steps_per_epoch: int.
    description: str, what stands before the bar.
    validation: str, what the validation data are.
    position: `checkpoints.Position` that training begins at.
  """

  def __init__(
    self, num_epochs, steps_per_epoch, description, validation, position
  ):
    super().__init__()
    self.num_epochs = num_epochs
    self.steps_per_epoch = steps_per_epoch
    self.description = description
    self.validation = validation
    self.position = position
    self._bar = None
    self._epoch = 0

  def on_train_begin(self, logs=None):
    self._bar = progress.bar(
      total=self.num_epochs,
      initial=self.position.epoch + self.position.step / self.steps_per_epoch,
      desc=self.description,
      bar_format=(
        "{desc} {percentage:3.0f}% |{bar}| epoch {n:.1f}/{total_fmt} "
        "[{elapsed}<{remaining}]{postfix}"
      ),
    )

  def on_epoch_begin(self, epoch, logs=None):
    self._epoch = epoch

  def on_train_batch_end(self, batch, logs=None):
    done = self._epoch + (batch + 1) / self.steps_per_epoch
    self._bar.update(done - self._bar.n)

  def on_epoch_end(self, epoch, logs=None):
    self._bar.n = epoch + 1
    accuracy = logs["val_ensemble_accuracy"]
    self._bar.set_postfix_str(
      f"loss {logs['loss']:.3f}, {self.validation} accuracy {accuracy:.1%}",
      refresh=False,
    )

  def close(self):
    """Closes the bar as it is, even if training was broken off."""
    if self._bar is not None:
      self._bar.close()
