"""Long names on several lines."""

import re

# A name may be broken behind these.
_PIECE = re.compile(r"[^\s_/,.:-]*[\s_/,.:-]*")


def wrap(text, width):
  """Breaks lines that are too long, where a name has a joint if it has one.

  Args:
    text: str, of one or more lines.
    width: int, the most characters of a line.

  Returns:
    str; nothing but white space at the ends of lines is left out.
  """
  return "\n".join(
    line for long in text.split("\n") for line in _wrap_line(long, width)
  )


def _wrap_line(text, width):
  """Returns the lines of a line: list of str."""
  lines = [""]
  for piece in _PIECE.findall(text):
    if lines[-1] and len(lines[-1]) + len(piece.rstrip()) > width:
      lines.append("")
    lines[-1] += piece
    while len(lines[-1].rstrip()) > width:
      lines[-1:] = [lines[-1][:width], lines[-1][width:]]
  return [line.rstrip() for line in lines]
