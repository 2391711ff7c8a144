"""Bars that show how far something is."""

import sys

import tqdm


def bar(*args, **options):
  """Returns a `tqdm.tqdm`, which a log file gets fewer lines of.

  Args:
    *args: of `tqdm.tqdm`.
    **options: likewise.
  """
  # A terminal is redrawn. In a log file each update is one more line.
  interval = 0.2 if sys.stderr.isatty() else 20
  return tqdm.tqdm(*args, mininterval=interval, **options)
