"""Files that are whole or not there."""

import os


def write_atomically(path, text):
  """Writes a text file; whoever reads it sees the old or the new one whole.

  Args:
    path: `pathlib.Path`.
    text: str.
  """
  temporary = path.with_name(f".{path.name}.tmp")
  temporary.write_text(text, encoding="utf-8")
  os.replace(temporary, path)
