"""Options: fields of frozen dataclasses that know what they may be."""

import dataclasses
import os
import types
import typing
from typing import ClassVar

from nct_tf import errors

# What an option is to a run; see `Option.scope`.
RESULT = "result"
CIRCUMSTANCE = "circumstance"
PLACE = "place"

_METADATA_KEY = "option"
_INFINITY = float("inf")


@dataclasses.dataclass(frozen=True)
class Option:
  """What an option may be, and what it means.

  Attributes:
    help: str, its meaning, in whole sentences or a phrase, without its unit,
      range and default, which stand beside it in `--help`.
    unit: str, what a number counts, such as `epochs`.
    low: the lowest value of a number, or of each of several; None for none.
    high: the highest value; None for none.
    low_open: bool, whether `low` itself is refused.
    high_open: bool, whether `high` itself is refused.
    choices: tuple of str, the values of a text, or of each of several; empty
      where all are possible.
      A function that returns it where more may be registered.
    listing: function that returns what there is to choose from, as text of a
      line each, for `--name=help`; None where `choices` say it all.
    repeated: bool, whether the flag of a tuple of texts is given once for each,
      not once with commas between them.
    auto: bool, whether it may be left to the program: None stands for that, a
      flag's `auto`.
    paper: the value that takes the place of `auto` for other data than one's
      own pictures; None where that is still derived.
    scope: str: `RESULT`, what the results of a run depend on; `CIRCUMSTANCE`,
      what may differ when a run goes on: its results are the same, up to
      rounding; `PLACE`, where a run's files and images are and who takes
      part, which is no part of the run.
    absolute: function that returns a value that names the same file wherever a
      program is started; None where a value names no file.
  """

  help: str
  unit: str = ""
  low: float | None = None
  high: float | None = None
  low_open: bool = False
  high_open: bool = False
  choices: tuple[str, ...] | typing.Callable = ()
  listing: typing.Callable | None = None
  repeated: bool = False
  auto: bool = False
  paper: typing.Any = None
  scope: str = RESULT
  absolute: typing.Callable | None = None

  @property
  def possible(self):
    """The texts that are possible: tuple of str; empty for all."""
    return self.choices() if callable(self.choices) else self.choices

  def check(self, name, value):
    """Raises `InvalidInputError` unless the option may have this value."""
    values = value if isinstance(value, tuple) else (value,)
    if self.choices:
      for text in values:
        errors.check_choice(name, text, self.possible)
    if self.low is None and self.high is None:
      return
    for number in values:
      errors.check_range(
        name,
        number,
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


class Section(typing.NamedTuple):
  """Options that stand under one heading.

  Attributes:
    title: str, the heading.
    group: the class of `Options` that has them.
    options: dict from name to `Option`.
    is_optional: bool, whether they belong to one choice among several: then
      None stands for "not given".
  """

  title: str
  group: type
  options: dict
  is_optional: bool = False


@dataclasses.dataclass(frozen=True)
class Options:
  """A group of options, checked when it is made.

  A group may be composed of others by inheritance. Its own checks stand in
  `__post_init__`, which calls `super().__post_init__()` first.

  Attributes:
    TITLE: str, its heading in `--help`.

  Raises:
    InvalidInputError: at construction, if a value is not possible.
  """

  TITLE: ClassVar[str] = ""

  def __post_init__(self):
    for name, option_ in options_of(self).items():
      value = getattr(self, name)
      if value is not None:
        option_.check(name, value)

  @classmethod
  def from_flags(cls, **values):
    """Makes an instance of the values of its flags, by their names."""
    return cls(**values)

  @classmethod
  def sections(cls):
    """Returns its options by heading: list of `Section`."""
    result, seen = [], set()
    for group in reversed(cls.__mro__):
      if issubclass(group, Options):
        own = {
          name: option_
          for name, option_ in options_of(group).items()
          if name not in seen
        }
        seen.update(own)
        if own:
          result.append(Section(group.TITLE, group, own))
    return result


def options_of(group):
  """Returns the options of a class, or of an instance: dict to `Option`."""
  return {
    field.name: field.metadata[_METADATA_KEY]
    for field in dataclasses.fields(group)
    if _METADATA_KEY in field.metadata
  }


def papers_of(group):
  """Returns the paper's values of what may be `auto`: dict by name."""
  return {
    name: option_.paper
    for name, option_ in options_of(group).items()
    if option_.paper is not None
  }


def defaults_of(group):
  """Returns the defaults of a class, or of an instance: dict by name."""
  return {
    field.name: field.default
    for field in dataclasses.fields(group)
    if _METADATA_KEY in field.metadata
  }


def types_of(group):
  """Returns the types of a class's options.

  Args:
    group: a class of `Options`.

  Returns:
    dict from name to bool, int, float, str, or a tuple of one of those, such
    as `tuple[int, ...]`. That an option may be None is left out.
  """
  hints = typing.get_type_hints(group)
  return {name: _without_none(hints[name]) for name in options_of(group)}


def _without_none(annotation):
  if typing.get_origin(annotation) is types.UnionType:
    return typing.get_args(annotation)[0]
  return annotation


def some_of(group, *names):
  """Makes a group of some of another one's options.

  Args:
    group: a class of `Options`.
    *names: str, names of its options.

  Returns:
    a class of `Options`, with the same title.
  """
  hints = typing.get_type_hints(group)
  chosen = [
    (field.name, hints[field.name], _option_field(field))
    for field in dataclasses.fields(group)
    if field.name in names
  ]
  return dataclasses.make_dataclass(
    f"{group.__name__}Of{''.join(name.title() for name in names)}",
    chosen,
    bases=(Options,),
    namespace={"TITLE": group.TITLE},
    frozen=True,
  )


def _option_field(field):
  """Returns a new field like another one, which belongs to its class."""
  return dataclasses.field(default=field.default, metadata=field.metadata)


def absolute_path(path):
  """Returns a path that does not depend on the working directory: str.

  Args:
    path: str; one that is empty stays so. `~` is the home folder.
  """
  return os.path.abspath(os.path.expanduser(path)) if path else path


def split_paths(text):
  """Returns paths that stand with commas between them: list of str.

  Commas separate where no file has such a name.

  Args:
    text: str.
  """
  return [text] if os.path.exists(text) else text.split(",")


def absolute_paths(text):
  """As `absolute_path`, of each of `split_paths`: str."""
  return ",".join(map(absolute_path, split_paths(text)))


def format_value(value):
  """Returns an option's value as the text of a flag."""
  return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def parse_value(kind, text):
  """Returns the value that `format_value` made a text of.

  Args:
    kind: one of the types of `types_of`.
    text: str.

  Raises:
    ValueError: if it is no such value.
  """
  if typing.get_origin(kind) is tuple:
    element, _ = typing.get_args(kind)
    return tuple(element(part) for part in text.split(",") if part)
  if kind is bool:
    if text not in ("True", "False"):
      raise ValueError(f"must be True or False. Received: {text}")
    return text == "True"
  return kind(text)
