"""Commands for a person to paste into a shell."""

import os
import pathlib
import shlex
import sys


def python():
  """Returns the name of this Python for a command line: str.

  It is relative where it lies below the current folder, such as
  `.venv/bin/python`; otherwise it is the whole path.
  """
  path = pathlib.Path(sys.executable or "python")
  if path.is_relative_to(os.getcwd()):
    return str(path.relative_to(os.getcwd()))
  return str(path)


def module(name, *arguments):
  """Returns the command that runs a module, quoted for a shell: str.

  Args:
    name: str, such as `scripts.train`.
    *arguments: str, flags as `--name=value`.
  """
  return shlex.join([python(), "-m", name, *arguments])
