"""Tells which state of the code is running."""

import pathlib
import subprocess

_ROOT = pathlib.Path(__file__).absolute().parents[2]


def git_commit():
  """Returns the commit of the checkout that this package is imported from.

  It has 40 hexadecimal digits, and `-dirty` after them if files differ from it.
  It is None outside of a checkout, and if there is no git.
  """
  top = _git("rev-parse", "--show-toplevel")
  # An installed package may lie inside of somebody else's checkout.
  if top is None or pathlib.Path(top) != _ROOT.resolve():
    return None
  return _git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def _git(*arguments):
  try:
    process = subprocess.run(
      ["git", "-C", str(_ROOT), *arguments],
      capture_output=True,
      text=True,
      check=True,
    )
  except (OSError, subprocess.CalledProcessError):
    return None
  return process.stdout.strip()
