"""Times whole trainings, from their start, beside the bare step."""

import contextlib
import dataclasses
import pathlib
import subprocess
import tempfile
import time

import numpy as np

from nct_tf import errors, units
from nct_tf.benchmarks import (
  bare_step,
  device as device_lib,
  training_steps,
  workers,
)
from nct_tf.options import training as training_options
from nct_tf.reporting import text_tables
from nct_tf.workdir import history, layout

# The first one compiles, the others are timed.
_NUM_EPOCHS = 3
_NUM_WARMUP_STEPS = 3
_POLL_SECONDS = 0.02


@dataclasses.dataclass(frozen=True)
class _Run:
  """What was seen of a training.

  Attributes:
    columns: dict from column of its history to float array [num_epochs].
    row_seconds: float array [num_epochs], when each row came, from the start of
      the process.
    result: dict of its `result.json`.
    config: its `TrainConfig`, nothing of which is `auto`.
  """

  columns: dict
  row_seconds: np.ndarray
  result: dict
  config: object

  @property
  def train_seconds(self):
    """Of each epoch, without evaluations: float array [num_epochs]."""
    return self.num_examples / self.columns["examples_per_second"]

  @property
  def num_examples(self):
    """Of an epoch: int."""
    return self.result["num_train_examples"]


def benchmark(config, num_steps, train_command):
  """Measures two trainings of a few epochs, and the bare step beside them.

  The second training finds what the first one left in its cache folder. The
  bare step is timed after each of them, on random images of the same shape. So
  a machine that slows down slows both.

  Args:
    config: a `TrainConfig`. It is trained for a few epochs alone, which have
      each example once.
    num_steps: int, how many bare steps, or groups of them, are timed.
    train_command: sequence of str, the program that trains, such as
      `(sys.executable, "-m", "scripts.train")`.

  Returns:
    dict ready for JSON: that of `training_steps.describe`; `device`, see
    `device.describe`; `dataset`; `num_train_examples`; `num_epochs`;
    `images_per_second`, the median over the epochs after the first, evaluations
    and checkpoints apart; `whole_images_per_second`, likewise with them;
    `step_seconds` and `bare_images_per_second` of the bare step; `ratio`, the
    first of these three rates over the last; `evaluation_share` of the seconds
    of these epochs, checkpoints apart; `first_step_seconds`, from the start of
    the process to the end of the first step; `warm_first_step_seconds`,
    likewise of the second training.

  Raises:
    InvalidInputError: if the config's strategy is not `default`, or if the
      training fails.
  """
  training_steps.check_strategy(config)
  short = _short(config)
  with (
    tempfile.TemporaryDirectory() as folder,
    contextlib.ExitStack() as stack,
  ):
    folder = pathlib.Path(folder)
    cold = _train(short, folder, "cold", train_command)
    config, device = training_steps.describe_device(cold.config)
    worker = stack.enter_context(
      bare_step.start(_of_same_shape(config, cold.result))
    )
    seconds = _time_bare_steps(worker, num_steps)
    warm = _train(short, folder, "warm", train_command)
    seconds += _time_bare_steps(worker, num_steps)
  return _summarize(config, (cold, warm), device, seconds, num_steps)


def _short(config):
  """Returns a config of a few epochs that leaves nothing outside."""
  return dataclasses.replace(
    config,
    sampling="natural",
    num_examples_per_epoch=None,
    num_epochs=_NUM_EPOCHS,
    early_stopping=None,
    export_dir=None,
    **training_options.CONSTANT_RATES,
  )


def _train(config, folder, name, train_command):
  """Trains in a process of its own; returns a `_Run`."""
  directory = layout.Workdir(folder / name)
  command = [
    *train_command,
    *config.to_flags(),
    f"--workdir={directory.path}",
    f"--cache_dir={folder / 'cache'}",
  ]
  with tempfile.TemporaryFile("w+", errors="replace") as messages:
    begin = time.perf_counter()
    with subprocess.Popen(
      command,
      stdin=subprocess.DEVNULL,
      stdout=messages,
      stderr=messages,
      env=workers.environment(),
    ) as process:
      try:
        row_seconds = _watch(process, directory.history_file, begin)
      except BaseException:
        process.kill()
        raise
    if process.returncode:
      messages.seek(0)
      last = [line for line in messages.read().splitlines() if line][-1:]
      raise errors.InvalidInputError(
        f"The training ended with code {process.returncode}: {''.join(last)}"
      )
  return _Run(
    directory.read_history(),
    np.array(row_seconds),
    directory.read_result(),
    directory.read_config(),
  )


def _watch(process, file, begin):
  """Waits for a process; returns when each row of a history came."""
  row_seconds = []
  while True:
    has_ended = process.poll() is not None
    num_rows = len(history.History(file).rows)
    now = time.perf_counter() - begin
    row_seconds += [now] * (num_rows - len(row_seconds))
    if has_ended:
      return row_seconds
    time.sleep(_POLL_SECONDS)


def _of_same_shape(config, result):
  """Returns a `TrainConfig` of random images as those of a run's result."""
  height, _, num_channels = result["image_shape"]
  return dataclasses.replace(
    config,
    fake_image_size=height,
    fake_num_channels=num_channels,
    fake_num_classes=len(result["class_names"]),
    fake_num_train_examples=max(config.batch_size, len(result["class_names"])),
  )


def _time_bare_steps(worker, num_steps):
  """Returns the seconds of a step of each group."""
  group_size = worker.call("describe")["group_size"]
  times = [
    worker.call("seconds", num_steps=group_size)
    for _ in range(_NUM_WARMUP_STEPS + num_steps)
  ]
  return times[_NUM_WARMUP_STEPS:]


def _summarize(config, runs, device, bare_seconds, num_steps):
  """Returns the dict of `benchmark`."""
  result = runs[0].result
  num_examples = runs[0].num_examples
  train_seconds = np.concatenate([run.train_seconds[1:] for run in runs])
  epoch_seconds = np.concatenate([run.columns["seconds"][1:] for run in runs])
  whole_seconds = np.concatenate([np.diff(run.row_seconds) for run in runs])
  step_seconds = float(np.median(bare_seconds))
  images_per_second = float(num_examples / np.median(train_seconds))
  bare_images_per_second = config.batch_size / step_seconds
  return {
    **training_steps.describe(config, result["image_shape"], num_steps),
    "device": device,
    "dataset": result["dataset"],
    "num_train_examples": result["num_train_examples"],
    "num_epochs": config.num_epochs,
    "images_per_second": images_per_second,
    "whole_images_per_second": float(num_examples / np.median(whole_seconds)),
    "step_seconds": step_seconds,
    "bare_images_per_second": bare_images_per_second,
    "ratio": images_per_second / bare_images_per_second,
    "evaluation_share": float(1 - train_seconds.sum() / epoch_seconds.sum()),
    "first_step_seconds": _first_step_seconds(runs[0], train_seconds),
    "warm_first_step_seconds": _first_step_seconds(runs[1], train_seconds),
  }


def _first_step_seconds(run, train_seconds):
  """Returns when the first step was done, from the start of the process.

  A run does not tell. But it tells how long its first epoch took, and the
  others tell how long that takes without what is done once: all but one step
  of it came after the first.
  """
  begin = run.row_seconds[0] - run.columns["seconds"][0]
  num_steps = np.ceil(run.num_examples / run.config.batch_size)
  later = np.median(train_seconds) * (1 - 1 / num_steps)
  return float(begin + run.train_seconds[0] - later)


def format_benchmark(benchmark):
  """Returns a table of what `benchmark` measured.

  Args:
    benchmark: its dict.
  """
  share = text_tables.percent(benchmark["evaluation_share"])
  rows = [
    ("training, end to end", f"{benchmark['images_per_second']:,.0f} images/s"),
    (
      "with evaluations and checkpoints",
      f"{benchmark['whole_images_per_second']:,.0f} images/s",
    ),
    (
      "the bare step",
      f"{benchmark['bare_images_per_second']:,.0f} images/s, "
      + training_steps.format_step_seconds(benchmark["step_seconds"]),
    ),
    ("end to end over the bare step", f"{benchmark['ratio']:.3f}"),
    ("evaluations' share of an epoch", share),
    (
      "from start to first step",
      units.seconds(benchmark["first_step_seconds"]),
    ),
    (
      "the same, with a warm cache",
      units.seconds(benchmark["warm_first_step_seconds"]),
    ),
  ]
  return "\n".join(
    [
      device_lib.format_device(benchmark["device"]),
      training_steps.format_steps(benchmark, "batch"),
      f"{benchmark['dataset']}, {benchmark['num_train_examples']:,} training "
      f"examples, {benchmark['num_epochs']} epochs twice",
      text_tables.format_table(rows, ("scripts.train", "")),
    ]
  )
