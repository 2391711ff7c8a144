"""TrainConfig: all that defines a run, and its form as a flag file.

It joins the groups of `options`, `networks.options` and `methods.options`.
Importing it does not import TensorFlow.
"""

import dataclasses
import logging

from nct_tf import errors, methods
from nct_tf.methods import options as methods_options
from nct_tf.networks import options as network_options
from nct_tf.options import data, fields, noise, run, training

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Method(fields.Options):
  """The training method and its own options."""

  TITLE = "method"

  method: str = fields.option(
    "nct",
    "How to train. Each method has options of its own, see below; an option of "
    "another method is refused.",
    choices=methods.names,
    listing=methods.describe_all,
  )
  # An instance of `methods.get_options(method)`. The constructor also takes a
  # dict of its values, or None for its defaults.
  method_options: methods_options.MethodOptions = None

  def __post_init__(self):
    super().__post_init__()
    # The dataclass is frozen, but the config is still being made here.
    object.__setattr__(self, "method_options", self._made_options())

  def _made_options(self):
    wanted = methods.get_options(self.method)
    given = self.method_options
    paper = {} if self.has_own_images else fields.papers_of(wanted)
    if given is None or isinstance(given, dict):
      given = given or {}
      for name in given:
        _check_has_option(self.method, name)
      return wanted(**{**paper, **given})
    if type(given) is not wanted:
      raise errors.InvalidInputError(
        f"Argument `method_options` must be of the class {wanted.__name__} "
        f"where `method` is {self.method}. Received: {type(given).__name__}"
      )
    missing = {
      name: value
      for name, value in paper.items()
      if getattr(given, name) is None
    }
    return dataclasses.replace(given, **missing)


# The fields of the last base come first; flag files have them in this order.
@dataclasses.dataclass(frozen=True)
class TrainConfig(
  run.Run,
  training.Training,
  Method,
  network_options.Network,
  data.Fake,
  training.Sampling,
  noise.Noise,
  data.Data,
):
  """All that defines a run: two runs of equal configs give equal results.

  Each option is the flag of that name, whose help tells its meaning. The
  defaults are the paper's for CIFAR-10 with 50 % noise; but for one's own
  pictures, those that may be `auto` stay None, and
  `nct_tf.training.automatic.resolve` chooses them. Elsewhere None means
  "derived" or "none", as the help says.

  Raises:
    InvalidInputError: at construction, if a value or a combination of values
      is not possible.
  """

  def __post_init__(self):
    if not self.has_own_images:
      # The dataclass is frozen, but the config is still being made here.
      for name, value in fields.papers_of(TrainConfig).items():
        if getattr(self, name) is None:
          object.__setattr__(self, name, value)
    super().__post_init__()
    if self.num_folds is not None and self.validation_fraction:
      raise errors.InvalidInputError(
        "Argument `validation_fraction` must be 0 with `num_folds`, which "
        "holds a fold out. Received: "
        f"validation_fraction={self.validation_fraction}"
      )

  @classmethod
  def from_flags(cls, **values):
    """Makes a config from options by name, also those of its method.

    Args:
      **values: dict from the name of a flag to its value. None stands for the
        default of a method's option.

    Returns:
      a `TrainConfig`.

    Raises:
      InvalidInputError: if a value is not possible, or if the method does not
        have an option.
    """
    own = {
      name: value
      for name, value in values.items()
      if name not in methods.option_names()
    }
    options = {
      name: value
      for name, value in values.items()
      if name not in own and value is not None
    }
    return cls(**own, method_options=options)

  def replace(self, **changes):
    """Returns a config with other values, as `from_flags` takes them.

    If the method changes, its options get their defaults, unless `changes` has
    them.
    """
    values = self.values()
    if changes.get("method", self.method) != self.method:
      values = {name: values[name] for name in fields.options_of(self)}
    return self.from_flags(**{**values, **changes})

  def values(self):
    """Returns all options, those of the method too: dict from name to value."""
    own = {name: getattr(self, name) for name in fields.options_of(self)}
    return own | vars(self.method_options)

  @classmethod
  def sections(cls):
    """Returns all options by heading, those of all methods included."""
    result = []
    for section in super().sections():
      result.append(section)
      if section.group is Method:
        result += [
          fields.Section(f"method: {name}", group, options, is_optional=True)
          for name, group in methods.all_options().items()
          if (options := fields.options_of(group))
        ]
    return result

  @property
  def automatic_options(self):
    """The names of the options that are still `auto`: tuple of str.

    `image_size` is one only beside others: by itself, None means "as they are".
    """
    names = [
      name
      for option, name, value, _ in self._described()
      if option.auto and value is None
    ]
    return () if names == ["image_size"] else tuple(names)

  def check_alike_for_all(self):
    """Raises `InvalidInputError` if several machines had to choose the same."""
    if self.automatic_options:
      raise errors.InvalidInputError(
        f"Arguments {', '.join(self.automatic_options)} must be given with "
        "--strategy=multi_worker, so that all workers take the same; "
        "--check_data on one machine tells which fit. Received: auto"
      )

  def _described(self):
    """Yields `Option`, name, value and default, in the order of flag files."""
    for name, option in fields.options_of(self).items():
      yield option, name, getattr(self, name), self._default_of(self, name)
      if name == "method":
        own = self.method_options
        for own_name, own_option in fields.options_of(own).items():
          value = getattr(own, own_name)
          yield own_option, own_name, value, self._default_of(own, own_name)

  def _default_of(self, group, name):
    """Returns an option's default for the config's data."""
    paper = None if self.has_own_images else fields.papers_of(group).get(name)
    return fields.defaults_of(group)[name] if paper is None else paper

  def to_flagfile(self):
    """Returns this config, without its folders, as the text of a flag file."""
    return "".join(
      f"--{name}={fields.format_value(value)}\n"
      for option, name, value, _ in self._described()
      if value is not None and option.scope != fields.PLACE
    )

  def to_flags(self):
    """Returns all values that are not defaults: list of --name=value."""
    return [
      f"--{name}={fields.format_value(value)}"
      for _, name, value, default in self._described()
      if value != default
    ]

  def without_circumstances(self):
    """Returns a config that is equal for runs that give equal results."""
    defaults = fields.defaults_of(self)
    return dataclasses.replace(
      self,
      **{
        name: defaults[name]
        for name, option in fields.options_of(self).items()
        if option.scope != fields.RESULT
      },
    )

  def with_absolute_places(self):
    """Returns a config that reads the same files in any working directory."""
    values = self.values()
    return self.replace(
      **{
        name: absolute(values[name])
        for name, absolute in absolute_functions().items()
        if values.get(name) is not None
      }
    )

  @classmethod
  def from_flagfile(cls, text):
    """Reads what `to_flagfile` wrote, here or in an earlier version.

    Earlier versions wrote the options of one method whatever the method was. An
    option that the run's method does not have is ignored. If its value is no
    method's default, a warning says so.

    Args:
      text: str, with a line `--name=value` for each option.

    Returns:
      a `TrainConfig`.

    Raises:
      InvalidInputError: if a line is not of that form, or names no option.
    """
    types = {}
    for section in cls.sections():
      types |= fields.types_of(section.group)
    values = {}
    for line in text.splitlines():
      name, separator, value = line.removeprefix("--").partition("=")
      if not separator or name not in types:
        raise errors.InvalidInputError(
          f"A flag file must hold lines of the form --name=value. Received: "
          f"{line!r}"
        )
      try:
        values[name] = fields.parse_value(types[name], value)
      except ValueError as error:
        raise errors.InvalidInputError(
          f"The flag file's {name} cannot be read: {error}"
        ) from error
    return cls.from_flags(**_without_other_methods(values))


def circumstances():
  """Returns the names of options that may change when a run goes on: a set."""
  return {
    name
    for name, option in fields.options_of(TrainConfig).items()
    if option.scope == fields.CIRCUMSTANCE
  }


def absolute_functions():
  """Returns dict from each option that names a file to `Option.absolute`."""
  return {
    name: option.absolute
    for group in (TrainConfig, *methods.all_options().values())
    for name, option in fields.options_of(group).items()
    if option.absolute is not None
  }


def _check_has_option(method, name):
  """Raises `InvalidInputError` unless a method has an option."""
  takers = methods.having(name)
  if method not in takers:
    word = "method" if len(takers) == 1 else "methods"
    owners = f"the {word} {', '.join(takers)}" if takers else "no method"
    raise errors.InvalidInputError(
      f"Argument `{name}` belongs to {owners}. Received: method={method}"
    )


def _without_other_methods(values):
  """Returns the values of a flag file that the run's method has."""
  method = values.get("method", Method.method)
  others = {
    name: value
    for name, value in values.items()
    if (takers := methods.having(name)) and method not in takers
  }
  told = [
    f"--{name}={fields.format_value(value)}"
    for name, value in others.items()
    if all(
      value not in _defaults_of(methods.get_options(taker), name)
      for taker in methods.having(name)
    )
  ]
  if told:
    _logger.warning(
      "Ignored, as the method %s does not have it: %s",
      method,
      " ".join(told),
    )
  return {name: value for name, value in values.items() if name not in others}


def _defaults_of(group, name):
  """Returns an option's default, and the paper's value in place of `auto`."""
  return fields.defaults_of(group)[name], fields.papers_of(group).get(name)
