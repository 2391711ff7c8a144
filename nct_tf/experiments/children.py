"""Trainings in processes of their own, some at a time."""

from concurrent import futures
import contextlib
import logging
import os
import subprocess
import sys
import threading
import time

from nct_tf import errors
from nct_tf.system import interruption

_logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.2
_BEGIN = "--- "  # Begins the first line that a process has in its log.


class Children:
  """Trainings in processes, all of which end with this context.

  Args:
    num_jobs: int, how many of them share the processors.
  """

  def __init__(self, num_jobs):
    self._environment = dict(os.environ)
    if num_jobs > 1:
      num_threads = max(1, len(os.sched_getaffinity(0)) // num_jobs)
      for kind in ("INTRAOP", "INTEROP"):
        self._environment[f"TF_NUM_{kind}_THREADS"] = str(num_threads)
    self._lock = threading.Lock()
    self._is_over = False
    self._processes = []

  def __enter__(self):
    return self

  def __exit__(self, *_):
    with self._lock:
      self._is_over = True
      for process in self._processes:
        process.terminate()

  def kill(self):
    """Ends all at once; does nothing to those that have ended."""
    for process in self._processes:
      process.kill()
    for process in self._processes:
      process.wait()

  def train(self, config, is_enough=None):
    """Trains in a process, and waits for its end. Any thread may call this.

    What the process prints goes to `log_file(config)`.

    Args:
      config: a `TrainConfig`.
      is_enough: a function without arguments that says whether the process is
        to be asked to stop; None for never.

    Returns:
      int, the exit code; `RESTART_CODE` for a run that was stopped, or does not
      start any more.

    Raises:
      InvalidInputError: if the file cannot be written.
    """
    with self._lock:
      if self._is_over:
        return errors.RESTART_CODE
      with _open_log(config) as log:
        # In a session of its own, it does not get the terminal's Ctrl-C. Beside
        # the SIGTERM from here, that would be a second request, which would end
        # it before it has saved its state.
        process = subprocess.Popen(
          [sys.executable, "-m", "scripts.train", *config.to_flags()],
          stdin=subprocess.DEVNULL,
          stdout=log,
          stderr=subprocess.STDOUT,
          env=self._environment,
          start_new_session=True,
        )
      self._processes.append(process)
    return _wait(process, is_enough)


def _open_log(config):
  path = log_file(config)
  try:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    # What is there stays: it may be an earlier part of this run.
    log = open(path, "a", encoding="utf-8")  # noqa: SIM115 The caller closes it.
  except OSError as error:
    raise errors.InvalidInputError(
      f"{path} cannot be written: {error.strerror}"
    ) from error
  print(f"{_BEGIN}{time.strftime('%Y-%m-%d %H:%M:%S')}", file=log, flush=True)
  return log


def _wait(process, is_enough):
  if is_enough is None:
    return process.wait()
  while True:
    try:
      return process.wait(_POLL_SECONDS)
    except subprocess.TimeoutExpired:
      if is_enough():
        process.terminate()  # It saves its state, and ends.
        return process.wait()


def train_all(trainings, num_jobs, train, finish):
  """Trains in processes of their own, some at a time, and tells of each end.

  Args:
    trainings: sequence of what has a `name` and a `config`.
    num_jobs: int, how many train at a time.
    train: a function of `Children` and a training that trains it, and returns
      its exit code. It runs in threads.
    finish: a function that is called with each training that ended well, in
      this thread, and returns what to say of it.

  Returns:
    list of the trainings that failed; all others have ended well.

  Raises:
    TrainingInterrupted: if this process or a training was asked to stop. All
      trainings have saved their state and ended then; at a second request they
      are killed.
    InvalidInputError: if a log cannot be written.
  """
  failed = []
  with (
    interruption.catch(),
    _killed_in_the_end(Children(num_jobs)) as jobs,
    futures.ThreadPoolExecutor(num_jobs) as pool,
    jobs,
  ):
    tasks = {pool.submit(train, jobs, each): each for each in trainings}
    for num_done, task in enumerate(futures.as_completed(tasks), 1):
      training, code = tasks[task], task.result()
      if code == errors.RESTART_CODE:
        raise errors.TrainingInterrupted(f"{training.name} was stopped")
      place = f"{num_done} of {len(tasks)}"
      if code == 0:
        text = finish(training)
        _logger.info("%s: %s (%s)", training.name, text, place)
      else:
        failed.append(training)
        path = log_file(training.config)
        _logger.warning("%s failed, see %s (%s)", training.name, path, place)
  return failed


def failure(failed, num_trainings):
  """Returns the `InvalidInputError` that some trainings failed.

  Args:
    failed: list of trainings, of `train_all`.
    num_trainings: int, how many there were.
  """
  config = failed[0].config
  return errors.InvalidInputError(
    f"{len(failed)} of {num_trainings} trainings failed; {log_file(config)} "
    f"ends with: {last_line(config)}"
  )


@contextlib.contextmanager
def _killed_in_the_end(jobs):
  """Yields `Children`. Where waiting for them is interrupted, none is left."""
  try:
    yield jobs
  finally:
    jobs.kill()


def log_file(config):
  """Returns the file of what a training prints, beside its workdir: str."""
  return f"{config.workdir}.log"


def last_line(config):
  """Returns the last line that a training has printed: str."""
  with open(log_file(config), encoding="utf-8", errors="replace") as file:
    lines = file.read().split("\n")
  line = next(line for line in reversed(lines) if line.strip())
  return "nothing" if line.startswith(_BEGIN) else line
