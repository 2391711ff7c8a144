"""CSV files that people and other programs write."""

import csv
import typing

from nct_tf import errors

_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}


class Form(typing.NamedTuple):
  """How a file is written.

  Attributes:
    delimiter: str, a comma, a semicolon or a tab.
    is_spaced: bool, whether a space follows each of them.
  """

  delimiter: str
  is_spaced: bool

  @property
  def options(self):
    """The arguments of `csv.reader` and `csv.writer`: a dict."""
    return {"delimiter": self.delimiter, "skipinitialspace": self.is_spaced}


def find_form(path, required):
  """Returns the `Form` in which a file's first line has some columns.

  Args:
    path: str or path.
    required: sequence of str, columns. If no form has them, the one that makes
      the most columns is taken.

  Raises:
    OSError, UnicodeDecodeError: if the file cannot be read.
  """
  with open(path, encoding="utf-8-sig", newline="") as file:
    line = file.readline()

  def fit(form):
    columns = next(csv.reader([line], **form.options), [])
    return set(required) <= set(columns), len(columns), not form.is_spaced

  forms = [
    Form(delimiter, is_spaced)
    for delimiter in _DELIMITERS
    for is_spaced in (False, True)
  ]
  return max(forms, key=fit)


def read(path, name, required, optional=()):
  """Reads a file of columns with a header.

  Commas, semicolons or tabs are between the columns.

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
    form = find_form(path, required)
    with open(path, encoding="utf-8-sig", newline="") as file:
      reader = csv.DictReader(file, strict=True, **form.options)
      columns = reader.fieldnames or []
      rows = list(reader)
  except (OSError, UnicodeDecodeError, csv.Error) as error:
    raise errors.InvalidInputError(f"{name} cannot be read: {error}") from error
  missing = [column for column in required if column not in columns]
  if missing:
    raise errors.InvalidInputError(
      f"{name} must have columns {', '.join(required)} in its first line. "
      f"Received: {_describe(columns, form)}"
    )
  repeated = sorted({column for column in columns if columns.count(column) > 1})
  if repeated:
    raise errors.InvalidInputError(
      f"{name} must have each column once. Received: {_describe(columns, form)}"
    )
  wanted = [column for column in (*required, *optional) if column in columns]
  for number, row in enumerate(rows, start=2):
    if None in row or any(row[column] is None for column in wanted):
      raise errors.InvalidInputError(
        f"{name}, row {number}, must have {len(columns)} values"
      )
  return [{column: row[column] for column in wanted} for row in rows]


def _describe(columns, form):
  """Returns which columns were read, and how."""
  if not columns:
    return "nothing"
  names = ", ".join(map(repr, columns))
  return f"{names} (with a {_DELIMITERS[form.delimiter]} between columns)"
