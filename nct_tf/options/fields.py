"""Options: fields of frozen dataclasses that know what they may be."""

import dataclasses

from nct_tf import errors

_METADATA_KEY = "option"
_INFINITY = float("inf")


@dataclasses.dataclass(frozen=True)
class Option:
  """What an option may be, and what it means.

  Attributes:
    help: str, its meaning, in whole sentences or a phrase.
    low: the lowest value of a number; None for none.
    high: the highest value of a number; None for none.
    low_open: bool, whether `low` itself is refused.
    high_open: bool, whether `high` itself is refused.
    choices: tuple of str, the values of a text; empty where all are possible.
  """

  help: str
  low: float | None = None
  high: float | None = None
  low_open: bool = False
  high_open: bool = False
  choices: tuple[str, ...] = ()

  def check(self, name, value):
    """Raises `InvalidInputError` unless the option may have this value."""
    if self.choices:
      errors.check_choice(name, value, self.choices)
    if self.low is not None or self.high is not None:
      errors.check_range(
        name,
        value,
        -_INFINITY if self.low is None else self.low,
        _INFINITY if self.high is None else self.high,
        low_open=self.low_open,
        high_open=self.high_open,
      )


def option(default, help, **limits):  # noqa: A002 What flags call it.
  """Returns a dataclass field that is an option.

  Args:
    default: its default; None where it is derived, or where nothing is meant.
    help: str, see `Option`.
    **limits: the other attributes of `Option`.
  """
  return dataclasses.field(
    default=default, metadata={_METADATA_KEY: Option(help, **limits)}
  )


@dataclasses.dataclass(frozen=True)
class Options:
  """A group of options, checked when it is made.

  Raises:
    InvalidInputError: at construction, if a value is not possible.
  """

  def __post_init__(self):
    for name, option_ in options_of(type(self)).items():
      value = getattr(self, name)
      if value is not None:
        option_.check(name, value)


def options_of(group):
  """Returns the options of a class, or of an instance: dict to `Option`."""
  return {
    field.name: field.metadata[_METADATA_KEY]
    for field in dataclasses.fields(group)
  }
