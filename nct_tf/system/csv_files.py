"""CSV files that people and other programs write."""

import csv

from nct_tf import errors


def read(path, name, required, optional=()):
  """Reads a CSV file with a header.

  Args:
    path: str.
    name: str, what to call the file in messages.
    required: sequence of str, columns that must be there.
    optional: sequence of str, columns that may be there. All other columns are
      left out.

  Returns:
    list of dict from column to str.

  Raises:
    InvalidInputError: if the file cannot be read, or lacks a column or a value.
  """
  try:
    with open(path, encoding="utf-8-sig", newline="") as file:
      reader = csv.DictReader(file, strict=True)
      columns = reader.fieldnames or []
      rows = list(reader)
  except (OSError, UnicodeDecodeError, csv.Error) as error:
    raise errors.InvalidInputError(f"{name} cannot be read: {error}") from error
  missing = [column for column in required if column not in columns]
  if missing:
    raise errors.InvalidInputError(
      f"{name} must have columns {', '.join(required)} in its first line. "
      f"Received: {', '.join(columns) or 'nothing'}"
    )
  wanted = [column for column in (*required, *optional) if column in columns]
  for number, row in enumerate(rows, start=2):
    if None in row or any(row[column] is None for column in wanted):
      raise errors.InvalidInputError(
        f"{name}, row {number}, must have {len(columns)} values"
      )
  return [{column: row[column] for column in wanted} for row in rows]
