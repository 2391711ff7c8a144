"""Options as absl flags: their definitions, their values, their help."""

import sys
import textwrap
import typing

from absl import flags

from nct_tf import errors
from nct_tf.options import fields

FLAGS = flags.FLAGS

AUTO = "auto"  # The value of a flag that stands for None.


def define(group, without=()):
  """Defines a flag for each option of a group.

  Args:
    group: a class of `fields.Options`.
    without: names of options that get no flag, and keep their defaults.
  """
  defined = set(without)
  for section in group.sections():
    types = fields.types_of(section.group)
    defaults = fields.defaults_of(section.group)
    for name, option in section.options.items():
      if name not in defined:  # Methods may share a name.
        default = None if section.is_optional else defaults[name]
        flags.DEFINE_flag(_make_flag(name, option, types[name], default))
        defined.add(name)


def read(group, without=()):
  """Returns an instance of a group, with the values of its flags.

  Args:
    group: a class of `fields.Options` whose flags are defined and parsed.
    without: see `define`.

  Raises:
    InvalidInputError: if values do not fit together.
  """
  names = _names(group, without)
  return group.from_flags(**{name: FLAGS[name].value for name in names})


def given(group, without=()):
  """Returns the flags of a group that were given: dict from name to text."""
  return {
    name: FLAGS[name].serialize()
    for name in _names(group, without)
    if FLAGS[name].present and FLAGS[name].value is not None
  }


def describe(group, without=(), required=None):
  """Returns the text of `--help` on a group's flags.

  Args:
    group: a class of `fields.Options`.
    without: see `define`.
    required: dict from the name of a flag that must be given to what says so.
  """
  lines = []
  for section in group.sections():
    types = fields.types_of(section.group)
    defaults = fields.defaults_of(section.group)
    names = [name for name in section.options if name not in without]
    if names:
      lines.append(f"{section.title}:")
    for name in names:
      lines += _describe_flag(
        name,
        section.options[name],
        types[name],
        defaults[name],
        (required or {}).get(name, ""),
      )
    if names:
      lines.append("")
  return "\n".join(lines)


def _names(group, without):
  return dict.fromkeys(
    name
    for section in group.sections()
    for name in section.options
    if name not in without
  )


def _describe_flag(name, option, kind, default, required):
  """Returns the lines that describe a flag."""
  prefix = "[no]" if kind is bool else ""
  choices = f"<{'|'.join(option.possible)}>: " if option.choices else ""
  facts = [required, option.unit]
  if kind is not bool and (not option.choices or kind is not str):
    facts.append(
      "may be given several times"
      if option.repeated
      else _make_parser(option, kind).syntactic_help
    )
  if option.listing:
    facts.append(f"--{name}=help lists what there is")
  if option.auto:
    facts.append(f"default: {AUTO}{_describe_paper(option)}")
  elif default not in (None, ()):
    facts.append(f"default: {fields.format_value(default)}")
  facts = "; ".join(filter(None, facts))
  text = f"--{prefix}{name}: {choices}{option.help}"
  wrapper = textwrap.TextWrapper(
    flags.get_help_width(),
    initial_indent="  ",
    subsequent_indent="    ",
    break_on_hyphens=False,
    break_long_words=False,
  )
  return wrapper.wrap(f"{text} ({facts})" if facts else text)


def _describe_paper(option):
  if option.paper is None:
    return ""
  return f" for your own images, else {fields.format_value(option.paper)}"


def _make_flag(name, option, kind, default):
  """Returns the `flags.Flag` of an option."""
  if kind is bool:
    return flags.BooleanFlag(name, default, option.help)
  if option.choices and kind is str:
    return _EnumFlag(option, name, default, option.help, option.possible)
  serializer = flags.ArgumentSerializer()
  if option.repeated:
    parser = flags.ArgumentParser()
    return _RepeatedFlag(option, parser, serializer, name, default, option.help)
  if typing.get_origin(kind) is tuple:
    serializer = flags.CsvListSerializer(",")
  parser = _make_parser(option, kind)
  return _Flag(option, parser, serializer, name, default, option.help)


def _make_parser(option, kind):
  """Returns the `flags.ArgumentParser` of an option without bool or choices."""
  if typing.get_origin(kind) is tuple:
    parser = _make_parser(option, typing.get_args(kind)[0])
    if isinstance(parser, _Bounded):
      return _NumbersParser(option, parser)
    return _TupleParser()
  if kind is int:
    return _IntegerParser(option)
  if kind is float:
    return _FloatParser(option)
  return flags.ArgumentParser()


class _OptionFlag:
  """A flag that knows `help`, which lists the possible values, and `auto`."""

  def __init__(self, option, *args):
    self._listing = option.listing
    self._auto = option.auto
    super().__init__(*args)

  def _parse(self, argument):
    return None if self._auto and argument == AUTO else super()._parse(argument)

  def parse(self, argument):
    if self._listing and argument == "help":
      print(self._listing())
      sys.exit(0)
    super().parse(argument)


class _Flag(_OptionFlag, flags.Flag):
  """A flag of a text, a number, or several of them."""


class _EnumFlag(_OptionFlag, flags.EnumFlag):
  """A flag of one text among several."""


class _RepeatedFlag(_OptionFlag, flags.MultiFlag):
  """A flag of texts that is given once for each."""


class _Bounded:
  """A parser of numbers that also checks the open bounds of an option."""

  def __init__(self, option):
    low, high = (
      None if bound is None else self.convert(bound)
      for bound in (option.low, option.high)
    )
    super().__init__(low, high)
    self._option = option
    left = "(" if option.low_open else "["
    right = ")" if option.high_open else "]"
    name = f"{self.number_article} {self.number_name}"
    if high is None and option.low_open:
      self.syntactic_help = f"{name} above {low}"
    elif option.low_open or option.high_open:
      self.syntactic_help = f"{name} in the range {left}{low}, {high}{right}"

  def is_outside_bounds(self, val):
    try:
      self._option.check("value", val)
    except errors.InvalidInputError:
      return True
    return False


class _IntegerParser(_Bounded, flags.IntegerParser):
  """Parses a whole number."""


class _FloatParser(_Bounded, flags.FloatParser):
  """Parses a number."""


class _TupleParser(flags.ListParser):
  """Parses texts with commas between them, as a tuple."""

  def parse(self, argument):
    if isinstance(argument, tuple):
      return argument
    return tuple(super().parse(argument))


class _NumbersParser(_TupleParser):
  """Parses numbers with commas between them, as a tuple."""

  def __init__(self, option, parser):
    super().__init__()
    self._parser = parser
    bounds = ""
    if option.high is not None:
      bounds = f" in [{option.low}, {option.high}]"
    elif option.low is not None:
      bounds = f" of at least {option.low}"
    self.syntactic_help = f"{parser.number_name}s{bounds}, separated by commas"

  def parse(self, argument):
    try:
      parts = super().parse(argument)
      return tuple(self._parser.parse(part) for part in parts if part != "")
    except ValueError as error:
      raise ValueError(f"must be {self.syntactic_help}") from error
