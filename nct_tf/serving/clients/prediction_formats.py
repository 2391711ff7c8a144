"""Predictions as text: a table, CSV, or JSON lines."""

import csv
import json
import sys

import tqdm

from nct_tf import errors

FORMATS = ("table", "csv", "jsonl")

_FIELDS = ("path", "class_id", "class_name", "score", "disagreement", "error")
_MIN_NAME_WIDTH = 16


def write(rows, form, file):
  """Writes each row as it comes, and shows how many did.

  Args:
    rows: iterable of the dicts of `image_files.classify`.
    form: str, one of `FORMATS`.
    file: a text file.

  Raises:
    InvalidInputError: at the end, if there were rows with an error.
  """
  num_rows = num_errors = 0
  write_row = {"table": _table, "csv": _csv, "jsonl": _jsonl}[form](file)
  # A bar would run into rows that are printed on the same terminal.
  for row in tqdm.tqdm(
    rows, unit=" images", disable=file.isatty() or not sys.stderr.isatty()
  ):
    write_row(row)
    num_rows += 1
    num_errors += "error" in row
  file.flush()
  if num_errors:
    raise errors.InvalidInputError(
      f"{num_errors} of {num_rows} images could not be classified; the reason "
      "stands with each of them"
    )


def _csv(file):
  writer = csv.DictWriter(file, _FIELDS, lineterminator="\n")
  writer.writeheader()
  return writer.writerow


def _jsonl(file):
  return lambda row: file.write(json.dumps(row) + "\n")


def _table(file):
  # The width of what is yet to come is unknown, so the path stands last.
  def write_line(score, disagreement, name, path):
    file.write(
      f"{score:>7}  {disagreement:>12}  {name:<{_MIN_NAME_WIDTH}}  {path}\n"
    )

  def write_row(row):
    if "error" in row:
      write_line("-", "-", "-", f"{_one_line(row['path'])}: {row['error']}")
      return
    write_line(
      f"{row['score']:.1%}",
      "-" if row["disagreement"] is None else f"{row['disagreement']:.4f}",
      row["class_name"],
      _one_line(row["path"]),
    )

  write_line("score", "disagreement", "class", "image")
  write_line("-" * 7, "-" * 12, "-" * _MIN_NAME_WIDTH, "-" * 5)
  return write_row


def _one_line(path):
  return path.replace("\n", "\\n")
