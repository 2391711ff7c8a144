"""Problems of a dataset, in the words that its user reads."""

import dataclasses

from nct_tf import errors

NUM_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class Finding:
  """A problem of a dataset.

  Attributes:
    text: str, what the problem is and what is done about it, without a full
      stop.
    items: tuple of str, the files or classes that it is about.
    is_refused: bool, whether the dataset is refused because of it.
  """

  text: str
  items: tuple
  is_refused: bool = False

  def describe(self, num_shown=None):
    """Returns the finding as lines of text.

    Args:
      num_shown: int, how many of the items are named; None for all.
    """
    shown = self.items[:num_shown]
    lines = [f"{self.text} ({len(self.items)}):"]
    lines += [f"  {item}" for item in shown]
    if len(shown) < len(self.items):
      lines.append(
        f"  and {len(self.items) - len(shown)} more, which --check_data names"
      )
    # A file's name may hold bytes that are not valid UTF-8.
    text = "\n".join(lines)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def raise_refused(name, findings):
  """Raises an error if a finding refuses the dataset.

  Args:
    name: str, of the dataset.
    findings: sequence of `Finding`.

  Raises:
    InvalidInputError: for the first finding that refuses the dataset.
  """
  for finding in findings:
    if finding.is_refused:
      items = ", ".join(finding.items[:NUM_SHOWN])
      more = len(finding.items) - NUM_SHOWN
      raise errors.InvalidInputError(
        f"Dataset {name}: {finding.text}: {items}"
        + (f" and {more} more (--check_data names them)" if more > 0 else "")
      )
