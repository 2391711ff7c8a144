"""Files that are whole or not there."""

import os


def write_atomically(path, text):
  """Writes a text file; whoever reads it sees the old or the new one whole.

  Args:
    path: `pathlib.Path`.
    text: str.
  """
  path = path.resolve()  # A link stays one.
  temporary = path.with_name(f".{path.name}.tmp")
  with open(temporary, "w", encoding="utf-8") as file:
    file.write(text)
    file.flush()
    os.fsync(file.fileno())
  os.replace(temporary, path)
