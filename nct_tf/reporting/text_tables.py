"""Tables of text, and figures in them."""

import tabulate

from nct_tf.reporting import wrapping

# Headers are as wide as they are: wide tables shall fit a terminal.
tabulate.MIN_PADDING = 0

# Longer names are broken: those of rows, and those of columns.
_MAX_NAME_WIDTH = 40
_MAX_HEADER_WIDTH = 20


def percent(fraction):
  """Returns a fraction as text in percent; "-" for None."""
  return "-" if fraction is None else f"{100 * fraction:.1f} %"


def format_table(rows, header):
  """Lays out text in columns: the first to the left, the others to the right.

  Long names of rows and of columns stand on several lines.

  Args:
    rows: sequence of equally long sequences of str or int.
    header: sequence of str.

  Returns:
    str of several lines.
  """
  rows = [
    (wrapping.wrap(str(name), _MAX_NAME_WIDTH), *others)
    for name, *others in rows
  ]
  name, *others = header
  header = [
    wrapping.wrap(name, _MAX_NAME_WIDTH),
    *(wrapping.wrap(other, _MAX_HEADER_WIDTH) for other in others),
  ]
  return _tabulate(rows, header, "simple", alignments="l")


def format_markdown(rows, header, alignments="l"):
  """As `format_table`, in Markdown.

  Args:
    rows: sequence of equally long sequences of str or int.
    header: sequence of str.
    alignments: str, a letter a column: `l` for left, `r` for right. The
      columns behind the last letter stand to the right.
  """
  return _tabulate(rows, header, "pipe", alignments)


def _tabulate(rows, header, table_format, alignments):
  letters = alignments.ljust(len(header), "r")
  return tabulate.tabulate(
    rows,
    header,
    table_format,
    colalign=[{"l": "left", "r": "right"}[letter] for letter in letters],
    disable_numparse=True,  # Text stays as it is, "1.50" too.
  )
