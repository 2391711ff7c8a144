"""Finds the image files that files, folders and patterns stand for."""

import glob
import itertools
import os

from nct_tf import errors
from nct_tf.options import fields
from nct_tf.pictures import picture_files

_NUM_NAMED = 5
_WHAT = f"pictures ({', '.join(picture_files.SUFFIXES)})"


def find(patterns):
  """Finds images, holding the names of one folder or one pattern at a time.

  Args:
    patterns: sequence of str: files, folders (searched with all below them)
      or patterns with `*`, `**`, `?` and `[...]`. One that has commas, and is
      the name of nothing, is several.

  Returns:
    a `Found`.

  Raises:
    InvalidInputError: if one of the patterns leads nowhere.
  """
  patterns = list(itertools.chain.from_iterable(map(_split, patterns)))
  for pattern in patterns:
    if next(iter(Found([pattern])), None) is None:
      raise errors.InvalidInputError(
        f"--images={pattern} is no file, no folder with {_WHAT}, and no "
        "pattern that any file matches"
      )
  return Found(patterns)


def _split(pattern):
  return fields.split_paths(pattern)


class Found:
  """The paths of images, in the order of the patterns, then of the names.

  A folder that cannot be listed is among them, to be told of as an image that
  cannot be read is.

  Args:
    patterns: see `find`.
  """

  def __init__(self, patterns):
    self._patterns = patterns
    self._num_others = 0
    self._named_others = []

  def __iter__(self):
    return itertools.chain.from_iterable(map(self._expand, self._patterns))

  def describe_others(self):
    """Returns a line on what was passed over so far; empty if nothing was."""
    if not self._num_others:
      return ""
    names = ", ".join(self._named_others).replace("\n", "\\n")
    more = self._num_others - len(self._named_others)
    return f"No {_WHAT}, passed over ({self._num_others}): {names}" + (
      f" and {more} more" if more else ""
    )

  def _expand(self, pattern):
    if os.path.isdir(pattern):
      yield from self._walk(pattern)
    elif os.path.exists(pattern):
      yield pattern
    else:
      for path in sorted(glob.iglob(pattern, recursive=True)):
        if not os.path.isdir(path):
          yield path
        elif "**" not in pattern:  # Which matches what is in it, too.
          self._pass_over(path)

  def _walk(self, folder):
    for path, is_picture in picture_files.walk(folder):
      if is_picture or _is_unlisted(path):
        yield path
      else:
        self._pass_over(path)

  def _pass_over(self, path):
    self._num_others += 1
    if len(self._named_others) < _NUM_NAMED:
      self._named_others.append(path)


def _is_unlisted(path):
  """Returns whether a path is that of a folder that cannot be listed."""
  if not os.path.isdir(path):
    return False
  try:
    os.scandir(path).close()
  except OSError:
    return True
  return False
