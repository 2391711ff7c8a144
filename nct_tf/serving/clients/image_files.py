"""Finds image files and has them classified, one batch after another."""

import glob
import itertools
import os

from nct_tf import errors
from nct_tf.serving.clients import refusals

# What a folder is searched for; a file that is named may be called anything.
SUFFIXES = (".jpg", ".jpeg", ".png")

# A request ends at whichever is reached first.
_MAX_BATCH_SIZE = 64
_MAX_BATCH_BYTES = 2**24

_REQUIRED = ("class_id", "class_name", "score")

_MAX_FILE_BYTES = 2**28


def find(patterns):
  """Finds images, holding the names of one folder or one pattern at a time.

  Args:
    patterns: sequence of str: files, folders (searched with all below them)
      or patterns with `*`, `**`, `?` and `[...]`.

  Returns:
    an iterator of paths, in the order of the patterns, then of the names.

  Raises:
    InvalidInputError: if one of the patterns leads nowhere.
  """
  for pattern in patterns:
    if not _leads_somewhere(pattern):
      raise errors.InvalidInputError(
        f"--images={pattern} is no file, no folder with {', '.join(SUFFIXES)}, "
        "and no pattern that any file matches"
      )
  return itertools.chain.from_iterable(map(_expand, patterns))


def _leads_somewhere(pattern):
  if os.path.exists(pattern):
    return next(_expand(pattern), None) is not None
  found = glob.iglob(pattern, recursive=True)
  return any(not os.path.isdir(path) for path in found)


def _expand(pattern):
  if os.path.isdir(pattern):
    yield from _walk(pattern)
  elif os.path.exists(pattern):
    yield pattern
  else:
    for path in sorted(glob.iglob(pattern, recursive=True)):
      if not os.path.isdir(path):
        yield path


def _walk(folder):
  unreadable = []
  for parent, folders, names in os.walk(
    folder, onerror=lambda error: unreadable.append(error.filename)
  ):
    folders.sort()
    for name in sorted(names):
      if name.lower().endswith(SUFFIXES):
        yield os.path.join(parent, name)
  yield from unreadable  # To be told of, as an image that cannot be read is.


def classify(client, paths):
  """Has files classified; holds no more than one batch of them in memory.

  Args:
    client: with a method `predict`, see `LocalClient`.
    paths: iterable of str.

  Yields:
    for each path, in order, a dict with `path` and either `class_id` (int),
    `class_name` (str), `score` (float) and `disagreement` (float, in nats;
    None of a model of one network), or `error` (str), what is wrong with it.

  Raises:
    ServerError: if the server stops to answer.
  """
  batch, num_bytes = [], 0
  for path in paths:
    contents = _read(path)
    batch.append((path, contents))
    num_bytes += len(contents) if isinstance(contents, bytes) else 0
    if len(batch) == _MAX_BATCH_SIZE or num_bytes >= _MAX_BATCH_BYTES:
      yield from _classify_batch(client, batch)
      batch, num_bytes = [], 0
  yield from _classify_batch(client, batch)


def _read(path):
  """Returns a file's bytes, or, as str, why it cannot be read."""
  try:
    with open(path, "rb") as file:
      contents = file.read(_MAX_FILE_BYTES + 1)
  except OSError as error:
    return f"cannot be read: {error.strerror}"
  if len(contents) > _MAX_FILE_BYTES:
    return f"is larger than {_MAX_FILE_BYTES} bytes"
  return contents


def _classify_batch(client, batch):
  images = [contents for _, contents in batch if isinstance(contents, bytes)]
  answers = iter(_ask(client, images))
  for path, contents in batch:
    if isinstance(contents, bytes):
      yield {"path": path, **next(answers)}
    else:
      yield {"path": path, "error": contents}


def _ask(client, images):
  """Returns a dict for each image: its class, or what is wrong with it."""
  if not images:
    return []
  try:
    answer = client.predict(images)
  except refusals.RefusedError as error:
    if len(images) == 1:
      return [{"error": str(error)}]
    # One bad image spoils a request: it is looked for by halves.
    half = len(images) // 2
    return _ask(client, images[:half]) + _ask(client, images[half:])
  return _rows(answer, len(images))


def _rows(answer, num_images):
  """Returns a dict for each image of an answer that may be of any model."""
  columns = {name: answer.get(name) for name in _REQUIRED}
  for name, values in columns.items():
    if not isinstance(values, list) or len(values) != num_images:
      raise errors.ServerError(
        f"The model does not answer with a {name} for each image: it is none "
        "that nct_tf exported"
      )
  # A model of one network has none.
  disagreement = answer.get("disagreement", [None] * num_images)
  return [
    {
      "class_id": class_id,
      "class_name": name.decode() if isinstance(name, bytes) else name,
      "score": score,
      "disagreement": difference,
    }
    for class_id, name, score, difference in zip(
      *columns.values(), disagreement, strict=True
    )
  ]
