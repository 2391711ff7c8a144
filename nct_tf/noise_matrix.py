"""Transition matrices of label noise, and the files that hold them."""

import io
import pathlib
import re

import numpy as np

from nct_tf import errors

_NPY_MAGIC = b"\x93NUMPY"
# How far the sum of a row may be from 1: what writing six digits leaves.
_TOLERANCE = 1e-6


def read(path, num_classes=None, option="noise_matrix"):
  """Reads a transition matrix.

  Args:
    path: str, a `.npy` file, or text with a line for each row, whose numbers
      have commas, semicolons or blanks between them.
    num_classes: int, C; None to take whatever the file has.
    option: str, that which names the file.

  Returns:
    float64 array [C, C], see `check`.

  Raises:
    InvalidInputError: if the file cannot be read, or holds no such matrix.
  """
  name = f"Argument `{option}`={path}"
  try:
    content = pathlib.Path(path).read_bytes()
  except OSError as error:
    raise errors.InvalidInputError(
      f"{name} cannot be read: {error.strerror}. It must be a .npy file, or "
      "numbers as CSV"
    ) from error
  if content.startswith(_NPY_MAGIC):
    matrix = _parse_npy(name, content)
  else:
    matrix = _parse_text(name, content)
  return check(name, matrix, num_classes)


def check(name, matrix, num_classes=None):
  """Returns a transition matrix whose rows sum to 1 as exactly as can be.

  Args:
    name: str, what to call it in messages.
    matrix: array-like [C, C] of probabilities: entry (i, j) is that of the
      given label j where the true one is i.
    num_classes: int, C; None to take the size of the matrix.

  Returns:
    float64 array [C, C].

  Raises:
    InvalidInputError: if it is not of that form. Rows may miss the sum of 1 by
      a millionth.
  """
  matrix = np.asarray(matrix)
  size = num_classes or (len(matrix) if matrix.ndim else 0)
  if matrix.shape != (size, size) or size < 2 or matrix.dtype.kind not in "fiu":
    wanted = f"{num_classes} x {num_classes}" if num_classes else "C x C"
    raise errors.InvalidInputError(
      f"{name} must hold {wanted} numbers, a row and a column for each class. "
      f"Received: {matrix.dtype} [{', '.join(map(str, matrix.shape))}]"
    )
  matrix = matrix.astype(np.float64)
  for number, row in enumerate(matrix, start=1):
    bad = row[~((row >= 0) & (row <= 1))]
    if len(bad):
      raise errors.InvalidInputError(
        f"{name}, row {number}, must hold probabilities, in [0, 1]. Received: "
        f"{bad[0]:g}"
      )
    if abs(row.sum() - 1) > _TOLERANCE:
      raise errors.InvalidInputError(
        f"{name}, row {number}, must sum to 1, as it says what labels the "
        f"examples of one class are given. Received: a sum of {row.sum():.8g}"
      )
  return matrix / matrix.sum(axis=1, keepdims=True)


def nominal_rate(matrix, labels):
  """Returns the share of labels that a matrix is expected to make wrong.

  Args:
    matrix: float array [C, C].
    labels: integer array [num_examples], the true ones.
  """
  return float(np.mean(1 - np.diag(matrix)[labels]))


def _parse_npy(name, content):
  try:
    return np.load(io.BytesIO(content), allow_pickle=False)
  except (OSError, ValueError, EOFError) as error:
    raise errors.InvalidInputError(
      f"{name} cannot be read: {str(error).splitlines()[0]}"
    ) from error


def _parse_text(name, content):
  try:
    text = content.decode("utf-8-sig")
  except UnicodeDecodeError as error:
    raise errors.InvalidInputError(
      f"{name} must be a .npy file, or numbers as CSV. Received: neither"
    ) from error
  lines = [line.strip() for line in text.splitlines() if line.strip()]
  rows = []
  for number, line in enumerate(lines, start=1):
    row = re.split(r"\s*[,;]\s*|\s+", line)
    try:
      rows.append([float(value) for value in row])
    except ValueError as error:
      raise errors.InvalidInputError(
        f"{name}, row {number}, must hold numbers alone, without a header. "
        f"Received: {line[:60]!r}"
      ) from error
    if len(row) != len(rows[0]):
      raise errors.InvalidInputError(
        f"{name}, row {number}, must have as many numbers as the first, "
        f"{len(rows[0])}. Received: {len(row)}"
      )
  return np.array(rows, np.float64)
