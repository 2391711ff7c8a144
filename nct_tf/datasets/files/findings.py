"""Problems of a dataset, in the words that its user reads."""

import dataclasses

from nct_tf import errors
from nct_tf.options import data as data_options

NUM_SHOWN = 5

# The values of --accept_findings.
(
  ALIKE_NAMES,
  NUMBER_NAMES,
  MISSING_LABELS,
  SPLIT_NAMES,
  UNREADABLE,
  CHANNELS,
) = data_options.ACCEPTABLE_FINDINGS


@dataclasses.dataclass(frozen=True)
class Finding:
  """A problem of a dataset.

  Attributes:
    text: str, what the problem is and what is done about it, without a full
      stop.
    items: tuple of str, the files or classes that it is about.
    is_refused: bool, whether the dataset is refused because of it.
    remedy: str, how that is mended, where it is refused; without a full stop.
  """

  text: str
  items: tuple
  is_refused: bool = False
  remedy: str = ""

  def describe(self, num_shown=None):
    """Returns the finding as lines of text.

    Args:
      num_shown: int, how many of the items are named; None for all.
    """
    shown = self.items[:num_shown]
    count = f" ({len(self.items)}):" if self.items else ""
    lines = [f"{self.text}{count}", *(f"  {item}" for item in shown)]
    if self.remedy:
      lines.append(f"  Refused. {self.remedy}")
    if len(shown) < len(self.items):
      lines.append(
        f"  and {len(self.items) - len(shown)} more, which --check_data names"
      )
    # A file's name may hold bytes that are not valid UTF-8.
    text = "\n".join(lines)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def refusal(text, items, remedy, accept, accepted):
  """Returns a finding that refuses a dataset unless a person insists.

  Args:
    text: str, see `Finding`.
    items: sequence of str.
    remedy: str, how to mend it otherwise.
    accept: str, the value of --accept_findings that insists.
    accepted: names that a person gave there.
  """
  if accept in accepted:
    return Finding(f"{text}, accepted", tuple(items))
  return Finding(
    text,
    tuple(items),
    is_refused=True,
    remedy=f"{remedy}, or insist with --accept_findings={accept}",
  )


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
        + (f". {finding.remedy}" if finding.remedy else "")
      )
