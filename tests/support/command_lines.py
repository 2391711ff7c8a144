"""Runs scripts one after another in a process that imports TensorFlow once.

To import it costs each process seconds. A script that ends its process, as one
that hears a signal does, ends this one too; the next script gets a new one.

`python -m tests.support.command_lines` is that process.
"""

import json
import os
import pathlib
import runpy
import select
import subprocess
import sys
import tempfile
import traceback

from absl import app
from absl.testing import flagsaver

_ROOT = pathlib.Path(__file__).absolute().parents[2]


class CommandLines:
  """Runs scripts as `python -m scripts.NAME` does, but by turns."""

  def __init__(self):
    self._process = None

  def start(self, script, *arguments):
    """Returns a `Script`, which has to end before the next one starts."""
    if self._process is None or self._process.poll() is not None:
      self.close()
      self._process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.command_lines"],
        cwd=_ROOT,
        env={**os.environ, "COLUMNS": "80"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
      )
    return Script(self._process, [script, *arguments])

  def run(self, script, *arguments):
    """Returns the `subprocess.CompletedProcess` of a script."""
    running = self.start(script, *arguments)
    outputs = running.communicate()
    return subprocess.CompletedProcess(
      [script, *arguments], running.returncode, *outputs
    )

  def close(self):
    """Ends the process, whatever it does."""
    if self._process is not None:
      self._process.kill()
      self._process.communicate()


class Script:
  """A script that runs: what tests use of a `subprocess.Popen`.

  Args:
    process: the `subprocess.Popen` of this module's program.
    command: list of str, the script's name and its arguments.

  Attributes:
    returncode: int, the exit code, or None as long as it runs.
  """

  def __init__(self, process, command):
    self.returncode = None
    self.send_signal = process.send_signal
    self._process = process
    self._folder = tempfile.TemporaryDirectory()
    self._outputs = [
      pathlib.Path(self._folder.name, name) for name in ("stdout", "stderr")
    ]
    order = {"command": command, "outputs": list(map(str, self._outputs))}
    process.stdin.write(f"{json.dumps(order)}\n")
    process.stdin.flush()

  def poll(self):
    """Returns the exit code, or None as long as it runs."""
    if self.returncode is not None:
      return self.returncode
    has_answered, _, _ = select.select([self._process.stdout], [], [], 0)
    if has_answered:
      self._wait()
    return self.returncode

  def communicate(self):
    """Waits for its end; returns what it wrote to stdout, and to stderr."""
    if self.returncode is None:
      self._wait()
    texts = tuple(path.read_text() for path in self._outputs)
    self._folder.cleanup()
    return texts

  def _wait(self):
    answer = self._process.stdout.readline()
    self.returncode = int(answer) if answer else self._process.wait()


def _serve():
  """Obeys each line of stdin, and answers it with an exit code."""
  # Once: what `flagsaver` takes away would not be defined again.
  app.define_help_flags()
  answers = os.fdopen(os.dup(1), "w")
  for line in sys.stdin:
    order = json.loads(line)
    for number, path in enumerate(order["outputs"], 1):
      file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
      os.dup2(file, number)
      os.close(file)
    code = _run(*order["command"])
    sys.stdout.flush()
    sys.stderr.flush()
    answers.write(f"{code}\n")
    answers.flush()


def _run(script, *arguments):
  """Returns the exit code."""
  sys.argv = [script, *arguments]
  try:
    with flagsaver.flagsaver():
      runpy.run_module(f"scripts.{script}", run_name="__main__", alter_sys=True)
  except SystemExit as end:
    return end.code or 0
  except BaseException:
    traceback.print_exc()
    return 1
  return 0


if __name__ == "__main__":
  _serve()
