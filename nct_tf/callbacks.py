"""Keras callbacks: schedules, the memorisation monitor, files, progress."""

import csv
import math
import sys
import time

import keras
import tqdm

from nct_tf import errors


class EpochSchedule(keras.callbacks.Callback):
  """Sets a value once an epoch, and logs it.

  Args:
    name: str, the key in the logs.
    schedule: a pure function from the 0-based epoch to a float.
    assign: a function that takes the float, such as a variable's `assign`.
  """

  def __init__(self, name, schedule, assign):
    super().__init__()
    self.name = name
    self.schedule = schedule
    self.assign = assign

  def on_epoch_begin(self, epoch, logs=None):
    self.assign(self.schedule(epoch))

  def on_epoch_end(self, epoch, logs=None):
    if logs is not None:
      logs[self.name] = self.schedule(epoch)


class LearningRateSchedule(EpochSchedule):
  """Sets the learning rate once an epoch, with the meaning PyTorch gives it.

  Keras keeps the rate inside the velocity of SGD, `v = m * v - rate * g`. After
  a drop the old velocity would run on for some steps, far too large for the
  gradients to hold it. Scaled along with the rate, it makes every step
  `rate * v` with `v = m * v + g`.

  Args:
    schedule: a pure function from the 0-based epoch to a float.
    optimizer: a Keras optimizer.
    velocities: a function without arguments that gives its velocities, a list
      of variables.
  """

  def __init__(self, schedule, optimizer, velocities):
    super().__init__(
      "learning_rate",
      schedule,
      lambda rate: setattr(optimizer, "learning_rate", rate),
    )
    self.velocities = velocities

  def on_epoch_begin(self, epoch, logs=None):
    super().on_epoch_begin(epoch)
    before = self.schedule(max(epoch - 1, 0))
    ratio = self.schedule(epoch) / before
    if ratio != 1:
      for velocity in self.velocities():
        velocity.assign(velocity * ratio)


class Evaluation(keras.callbacks.Callback):
  """Evaluates the model on a dataset of its own at the end of an epoch.

  Args:
    dataset: a `tf.data.Dataset`, as `evaluate` takes it.
    rename: a function from a name that `evaluate` gives to the key in the
      logs, or to None for what is not wanted.
    num_epochs: int, of the whole training; the last is always evaluated.
    every_epochs: int, how often; the first epoch is always evaluated.
  """

  def __init__(self, dataset, rename, num_epochs, every_epochs=1):
    super().__init__()
    self.dataset = dataset
    self.rename = rename
    self.num_epochs = num_epochs
    self.every_epochs = every_epochs

  def on_epoch_end(self, epoch, logs=None):
    if epoch % self.every_epochs and epoch != self.num_epochs - 1:
      return
    values = self.model.evaluate(self.dataset, return_dict=True, verbose=0)
    for name, value in values.items():
      if self.rename(name):
        logs[self.rename(name)] = float(value)


class NanGuard(keras.callbacks.Callback):
  """Stops training at the first loss that is not a number, or infinite.

  Args:
    manager: the `tf.train.CheckpointManager` whose last checkpoint is good.

  Raises:
    TrainingDivergedError: naming the epoch, the step and what to try. It is
      raised, not left to `stop_training`, so that nothing after it takes the
      run for finished and no checkpoint of such weights is written.
  """

  def __init__(self, manager):
    super().__init__()
    self.manager = manager
    self._epoch = 0

  def on_epoch_begin(self, epoch, logs=None):
    self._epoch = epoch

  def on_train_batch_end(self, batch, logs=None):
    self._check(logs["loss"], f"in epoch {self._epoch + 1}, step {batch + 1}")

  def on_epoch_end(self, epoch, logs=None):
    # The last step's update shows in the validation loss alone.
    self._check(
      logs.get("val_loss", logs["loss"]),
      f"in the validation after epoch {epoch + 1}",
    )

  def _check(self, loss, where):
    if not math.isfinite(loss):
      last_good = self.manager.latest_checkpoint or "none yet"
      raise errors.TrainingDivergedError(
        f"The loss became {float(loss)} {where}: try a lower --learning_rate, "
        f"or --mixed_precision=none. The last good checkpoint: {last_good}"
      )


class Timer(keras.callbacks.Callback):
  """Logs `seconds` of the epoch, and `examples_per_second` while training.

  Args:
    num_examples: int, of an epoch.
  """

  def __init__(self, num_examples):
    super().__init__()
    self.num_examples = num_examples
    self._begin = self._last_step = 0.0

  def on_epoch_begin(self, epoch, logs=None):
    self._begin = time.perf_counter()

  def on_train_batch_end(self, batch, logs=None):
    self._last_step = time.perf_counter()

  def on_epoch_end(self, epoch, logs=None):
    logs["seconds"] = time.perf_counter() - self._begin
    logs["examples_per_second"] = self.num_examples / (
      self._last_step - self._begin
    )


class HistoryWriter(keras.callbacks.Callback):
  """Writes a row an epoch to a CSV file, at once.

  The columns are those of the first epoch; what an epoch did not measure
  stays empty.

  Args:
    path: str or path of the file.
  """

  def __init__(self, path):
    super().__init__()
    self.path = path
    self._columns = None

  def on_epoch_end(self, epoch, logs=None):
    row = {"epoch": epoch}
    row |= {name: float(value) for name, value in sorted(logs.items())}
    is_first = self._columns is None
    if is_first:
      self._columns = list(row)
    with open(self.path, "a", newline="", encoding="utf-8") as file:
      writer = csv.DictWriter(file, self._columns, restval="")
      if is_first:
        writer.writeheader()
      writer.writerow(row)


class EpochCheckpoint(keras.callbacks.Callback):
  """Saves a checkpoint at the end of an epoch.

  Args:
    manager: a `tf.train.CheckpointManager`.
    num_epochs_done: an integer `tf.Variable` of the checkpoint.
    num_epochs: int, of the whole training; the last is always saved.
    every_epochs: int, how often.
  """

  def __init__(self, manager, num_epochs_done, num_epochs, every_epochs=1):
    super().__init__()
    self.manager = manager
    self.num_epochs_done = num_epochs_done
    self.num_epochs = num_epochs
    self.every_epochs = every_epochs

  def on_epoch_end(self, epoch, logs=None):
    num_done = epoch + 1
    if num_done % self.every_epochs == 0 or num_done == self.num_epochs:
      self.num_epochs_done.assign(num_done)
      self.manager.save(checkpoint_number=num_done)


class ProgressBar(keras.callbacks.Callback):
  """Shows the epochs done, the accuracy, and the time left.

  The bar moves within an epoch too: an epoch may take hours.

  Args:
    num_epochs: int.
    steps_per_epoch: int.
    description: str, what stands before the bar.
    validation: str, what the validation data are.
  """

  def __init__(self, num_epochs, steps_per_epoch, description, validation):
    super().__init__()
    self.num_epochs = num_epochs
    self.steps_per_epoch = steps_per_epoch
    self.description = description
    self.validation = validation
    self._bar = None

  def on_train_begin(self, logs=None):
    self._bar = tqdm.tqdm(
      total=self.num_epochs,
      desc=self.description,
      bar_format=(
        "{desc} {percentage:3.0f}% |{bar}| epoch {n:.1f}/{total_fmt} "
        "[{elapsed}<{remaining}]{postfix}"
      ),
      # A terminal is redrawn; a log file is better off with fewer lines.
      mininterval=0.2 if sys.stderr.isatty() else 20,
    )

  def on_train_batch_end(self, batch, logs=None):
    self._bar.update(1 / self.steps_per_epoch)

  def on_epoch_end(self, epoch, logs=None):
    self._bar.n = epoch + 1
    accuracy = logs["val_ensemble_accuracy"]
    self._bar.set_postfix_str(
      f"{self.validation} accuracy {accuracy:.1%}", refresh=False
    )

  def close(self):
    """Leaves the bar as it is, also where training was broken off."""
    if self._bar is not None:
      self._bar.close()
