"""What is amiss with a dataset, said to the person whose data they are."""

import dataclasses
import logging

from nct_tf import errors

_logger = logging.getLogger(__name__)

_NUM_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class Finding:
  """Something amiss.

  Attributes:
    text: str, what it is, how often, and what is done about it; no full stop.
    items: tuple of str, the files, classes or rows that it is about.
    is_refused: bool, whether the dataset is not trained on for it.
  """

  text: str
  items: tuple = ()
  is_refused: bool = False

  def describe(self, num_shown=None):
    """Returns it as lines of text.

    Args:
      num_shown: int, how many of the items are named; None for all.
    """
    shown = self.items[:num_shown]
    lines = [f"{self.text}:" if shown else self.text]
    lines += [f"  {item}" for item in shown]
    if len(shown) < len(self.items):
      lines.append(
        f"  and {len(self.items) - len(shown)} more, which --check_data names"
      )
    return "\n".join(lines)


def report(name, findings):
  """Logs findings, and raises where the dataset is refused.

  Args:
    name: str, of the dataset.
    findings: sequence of `Finding`.

  Raises:
    InvalidInputError: of the first finding that refuses the dataset.
  """
  for finding in findings:
    if finding.is_refused:
      items = ", ".join(finding.items[:_NUM_SHOWN])
      more = len(finding.items) - _NUM_SHOWN
      raise errors.InvalidInputError(
        f"Dataset {name}: {finding.text}"
        + (f": {items}" if items else "")
        + (f" and {more} more (--check_data names them)" if more > 0 else "")
      )
  for finding in findings:
    _logger.warning("%s", finding.describe(_NUM_SHOWN))
