"""Processes of their own that are told what to do, a line of JSON each way.

Each contender of a benchmark is one: so its peak of memory is its own, and it
may run in another environment. This module needs nothing but Python, as the
environment of PyTorch may have nothing of what `nct_tf` stands on.
"""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

from nct_tf import errors

_ROOT = pathlib.Path(__file__).absolute().parents[2]
# The checkout comes last, so that it hides no package of the environment.
_START = (
  "import runpy, sys; sys.path.append(sys.argv.pop(1)); "
  "runpy.run_module(sys.argv.pop(1), run_name='__main__')"
)


class Worker:
  """A process that makes an object and calls its methods; see `serve`.

  It is a context manager, which ends the process.

  Args:
    module: str, the name of a module that calls `serve` where it is run.
    python: str, the interpreter; None for that of this process.
    **arguments: JSON, what the object is made of.

  Raises:
    InvalidInputError: if the process cannot be started, or the object cannot be
      made.
  """

  def __init__(self, module, python=None, **arguments):
    self._name = module.rpartition(".")[2]
    self._stack = contextlib.ExitStack()
    self._messages = self._stack.enter_context(
      tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
    )
    try:
      self._process = subprocess.Popen(
        [python or sys.executable, "-c", _START, str(_ROOT), module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=self._messages,
        text=True,
        env=environment(),
      )
    except OSError as error:
      self._stack.close()
      raise errors.InvalidInputError(
        f"A Python must be a program that runs. Received: {python} "
        f"({error.strerror})"
      ) from error
    try:
      self.call("create", **arguments)
    except BaseException:
      self._end()
      raise

  def __enter__(self):
    return self

  def __exit__(self, *error):
    self._end()

  def call(self, name, **arguments):
    """Calls a method of the process' object.

    Args:
      name: str, the method.
      **arguments: JSON.

    Returns:
      what it returned, JSON.

    Raises:
      InvalidInputError: if the method raised it, or if the process ended.
    """
    try:
      print(json.dumps([name, arguments]), file=self._process.stdin, flush=True)
      line = self._process.stdout.readline()
    except BrokenPipeError:
      line = ""
    if not line:
      raise errors.InvalidInputError(
        f"The process of {self._name} ended with code {self._process.wait()}: "
        f"{self._last_message()}"
      )
    answer = json.loads(line)
    if "error" in answer:
      raise errors.InvalidInputError(answer["error"])
    return answer["result"]

  def _last_message(self):
    self._messages.seek(0)
    lines = [line for line in self._messages.read().splitlines() if line]
    return lines[-1].strip() if lines else "it said nothing"

  def _end(self):
    self._process.kill()
    self._process.communicate()
    self._stack.close()


def environment():
  """Returns the environment of a process beside others: dict.

  TensorFlow would take all memory of a GPU, and leave none to the others.
  """
  return {
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    **os.environ,
  }


def serve(create):
  """Does what the parent process says, until that closes the pipe or ends.

  Args:
    create: a function of what `Worker` was given that returns the object whose
      methods are called.
  """
  signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent ends this.
  answers = os.fdopen(os.dup(1), "w")
  os.dup2(2, 1)  # What libraries print is no answer.
  made = None
  for line in sys.stdin:
    name, arguments = json.loads(line)
    try:
      if name == "create":
        made, result = create(**arguments), None
      else:
        result = getattr(made, name)(**arguments)
      answer = {"result": result}
    except errors.InvalidInputError as error:
      answer = {"error": str(error)}
    print(json.dumps(answer), file=answers, flush=True)


def peak_memory():
  """Returns the most memory that this process has held so far, in bytes.

  That of `resource` is no less than what the parent held when it started this.
  """
  for line in pathlib.Path("/proc/self/status").read_text().splitlines():
    if line.startswith("VmHWM:"):
      return 1024 * int(line.split()[1])
  raise OSError("/proc/self/status has no VmHWM")
