"""Real processes that train and are killed, and what they leave behind."""

import csv
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import time

import numpy as np
import tensorflow as tf

from nct_tf.workdir import checkpoints

ROOT = pathlib.Path(__file__).absolute().parents[2]
TIMES = ("seconds", "cpu_seconds", "examples_per_second")
TINY = (
  "--dataset=digits",
  "--num_train_examples=400",
  "--augmentation=crop_flip",
  "--noise_type=symmetric_inclusive",
  "--noise_rate=0.5",
  "--network=simple_cnn",
  "--width=4",
  "--target_variability_min=0.3",
  "--batch_size=16",
  "--num_epochs=8",
  # A call is to end in the middle of an epoch of 25 steps.
  "--steps_per_execution=3",
)

# What of a checkpoint has to be the same, by the begin of its name.
_COMPARED = (
  "network",
  "optimizer",
  "average",
  "position",
  "method",
  "label_scores",
)
_POLL_SECONDS = 0.0005
_PATIENCE_SECONDS = 300


def start(workdir, *flags, script="train"):
  """Returns the process of a training run."""
  return subprocess.Popen(
    [sys.executable, "-m", f"scripts.{script}", *flags, f"--workdir={workdir}"],
    cwd=ROOT,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


def finish(process):
  """Waits for a process; returns its exit code and what it wrote to stderr."""
  _, text = process.communicate()
  return process.returncode, text


def wait_for(process, condition):
  """Returns whether a condition came true before the process ended.

  A process that makes no progress for minutes is killed, so that a test fails.
  """
  deadline = time.monotonic() + _PATIENCE_SECONDS
  while process.poll() is None:
    if condition():
      return True
    if time.monotonic() > deadline:
      process.kill()
    time.sleep(_POLL_SECONDS)
  return False


def has_checkpoint(workdir, name):
  """Returns a condition for `wait_for`."""
  path = pathlib.Path(workdir) / "checkpoints" / name
  return path.exists


def has_come_to(workdir, epoch, step):
  """Returns a condition for `wait_for`: a checkpoint of a step, or a later one.

  One of many is deleted soon, so that a busy machine might never see it.
  """
  folder = pathlib.Path(workdir) / "checkpoints"

  def is_there():
    names = os.listdir(folder) if folder.exists() else ()
    found = (re.fullmatch(r"ckpt-(\d+)-(\d+)", name) for name in names)
    return any(
      (int(each[1]), int(each[2])) >= (epoch, step) for each in found if each
    )

  return is_there


class Killer:
  """Kills runs at random instants, and counts what came of it.

  Args:
    seed: int, of the instants.
  """

  def __init__(self, seed):
    self._random = random.Random(seed)
    self.num_kills = self.num_kills_while_writing = 0
    self.num_resumes = self.num_epochs_lost = 0

  def kill(self, process, workdir):
    """Kills a process at an instant of one of three kinds."""
    kind = self._random.choices(["starting", "training", "writing"], [1, 3, 3])[
      0
    ]
    folder = pathlib.Path(workdir) / "checkpoints"

    def names():
      return set(os.listdir(folder)) if folder.exists() else set()

    if kind == "starting":
      end = time.monotonic() + self._random.uniform(0, 8)
      wait_for(process, lambda: time.monotonic() > end)
    else:
      for _ in range(self._random.randint(1, 4)):
        before = names()
        wait_for(process, lambda before=before: names() - before)
      if kind == "training":
        time.sleep(self._random.uniform(0, 0.5))
      else:
        wait_for(process, lambda: any(n.startswith(".tmp-") for n in names()))
        time.sleep(self._random.choice([0, 0.002 * self._random.random()]))
    if process.poll() is not None:
      return
    process.kill()
    process.wait()
    self.num_kills += 1
    if any(name.startswith(".tmp-") for name in names()):
      self.num_kills_while_writing += 1

  def run_to_the_end(self, workdir, flags, num_kills):
    """Trains until a run has ended, killing it on the way.

    Args:
      workdir: path.
      flags: sequence of str.
      num_kills: int, how often at the most.
    """
    most = self.num_kills + num_kills
    while True:
      num_rows = len(read_history(workdir))
      process = start(workdir, *flags)
      if self.num_kills < most:
        self.kill(process, workdir)
      code, text = finish(process)
      self._count_resume(text, num_rows)
      if code == 0:
        return
      if code != -signal.SIGKILL:
        raise RuntimeError(f"The run ended with code {code}: {text[-2000:]}")

  def _count_resume(self, text, num_rows):
    for line in text.splitlines():
      if "Goes on from" in line:
        self.num_resumes += 1
        position = line.rpartition("/")[2]
        self.num_epochs_lost += max(0, num_rows - int(position.split("-")[1]))


def read_history(workdir):
  """Returns the rows of `history.csv` without times: a list of dicts."""
  try:
    text = (pathlib.Path(workdir) / "history.csv").read_text()
  except FileNotFoundError:
    return []
  return [
    {name: value for name, value in row.items() if name not in TIMES}
    for row in csv.DictReader(text.splitlines())
  ]


def differences(first, second):
  """Returns in what two finished runs differ, times aside: a list of str."""
  found = []
  one, two = map(_read, (first, second))
  for name in sorted(set(one) | set(two)):
    if name not in one or name not in two or one[name] != two[name]:
      found.append(name)
  return found


def _read(workdir):
  """Returns dict from a name to something comparable for all a run left."""
  workdir = pathlib.Path(workdir)
  result = json.loads((workdir / "result.json").read_text())
  content = {
    f"result.json: {name}": value
    for name, value in result.items()
    if name not in TIMES
  }
  content["history.csv"] = read_history(workdir)
  for name in ("noise.npz", "label_scores.npy"):
    content[name] = (workdir / name).read_bytes()
  content["curves"] = read_curves(workdir)
  last = last_checkpoint(workdir)
  content["last checkpoint"] = pathlib.Path(last).parent.name
  reader = tf.train.load_checkpoint(last)
  for name in reader.get_variable_to_shape_map():
    if name.startswith(_COMPARED):
      content[name] = np.asarray(reader.get_tensor(name)).tobytes()
  return content


def last_checkpoint(workdir):
  """Returns the prefix of the newest checkpoint: what TensorFlow reads."""
  saved = checkpoints.Checkpoints(pathlib.Path(workdir) / "checkpoints")
  return checkpoints.prefix(saved.last())


def read_curves(workdir):
  """Returns the sorted (part, tag, step, value) of TensorBoard's files."""
  folder = pathlib.Path(workdir) / "tensorboard"
  points = []
  for path in folder.rglob("events*"):
    for event in tf.compat.v1.train.summary_iterator(str(path)):
      points += [
        (path.parent.name, value.tag, event.step, value.simple_value)
        for value in event.summary.value
        if not value.tag.endswith(TIMES)
      ]
  return sorted(points)
