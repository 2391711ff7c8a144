"""Python in a process of its own, from its start to its end."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).absolute().parents[2]


def run_python(*arguments, **kwargs):
  """Runs the interpreter of the tests, in the checkout.

  Args:
    *arguments: str, what stands behind `python` on a command line.
    **kwargs: of `subprocess.run`, where another value than here is wanted.

  Returns:
    the `subprocess.CompletedProcess`, with what it printed as text.
  """
  return subprocess.run(
    [sys.executable, *arguments],
    **{
      "cwd": ROOT,
      "stdout": subprocess.PIPE,
      "stderr": subprocess.PIPE,
      "text": True,
      "check": False,
      **kwargs,
    },
  )
