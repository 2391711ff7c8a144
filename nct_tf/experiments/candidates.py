"""What is chosen among: methods, and values of their options."""

import dataclasses
import difflib
import itertools
import pathlib

from nct_tf import config as config_lib, errors, methods as methods_lib
from nct_tf.options import data, fields, noise

# What all candidates must share, as they are compared on the same examples,
# with the same labels, after the same number of epochs.
_SHARED = (
  "dataset",
  "test_fraction",
  "accept_findings",
  "num_train_examples",
  "num_test_examples",
  "validation_fraction",
  *fields.options_of(data.Fake),
  *fields.options_of(noise.Noise),
  "num_epochs",
  "early_stopping",
  "seed",
)


@dataclasses.dataclass(frozen=True)
class Candidate:
  """A training among which is chosen.

  Attributes:
    name: str, its method and what else tells it from the others.
    config: its `TrainConfig`, with a workdir of its own.
    changes: dict from each option that is swept to its value.
  """

  name: str
  config: config_lib.TrainConfig
  changes: dict


def create(config, methods=(), sweeps=()):
  """Lists all combinations of methods and values.

  Args:
    config: the `TrainConfig` that they have in common; its `workdir` is the
      folder of their workdirs.
    methods: sequence of str; empty for the config's own.
    sweeps: sequence of str `OPTION=VALUE,VALUE,...`, options of training, which
      all methods get, or of methods, which those get that have them. If both
      are empty, the method's own `SWEEP`.

  Returns:
    list of `Candidate`, at least two.

  Raises:
    InvalidInputError: if an option does not exist, cannot have a value, is of
      none of the methods, or if there is nothing to choose among.
  """
  if not methods and not sweeps:
    sweeps = config.method_options.SWEEP
  methods = tuple(dict.fromkeys(methods)) or (config.method,)
  values = dict(_parse(sweep, methods) for sweep in sweeps)
  if len(values) < len(sweeps):
    raise errors.InvalidInputError(
      "Argument `sweep` must name each option once. Received: "
      + " ".join(sweeps)
    )
  if "image_size" in values and config.noise_type == "instance_dependent":
    raise errors.InvalidInputError(
      "Argument `sweep` must not name image_size with --noise_type="
      "instance_dependent, as labels would differ. Received: "
      + " ".join(sweeps)
    )
  result = []
  for method in methods:
    of_method = config.replace(method=method)
    own = {
      name: each
      for name, each in values.items()
      if not methods_lib.having(name) or method in methods_lib.having(name)
    }
    for chosen in itertools.product(*own.values()):
      changes = dict(zip(own, chosen, strict=True))
      result.append(_candidate(of_method, changes, config.workdir))
  if len(result) < 2:
    raise errors.InvalidInputError(
      "Arguments `methods` and `sweep` must leave at least two trainings to "
      f"choose among. Received: {result[0].name} alone"
    )
  return result


def _candidate(config, changes, folder):
  texts = [f"{name}={fields.format_value(v)}" for name, v in changes.items()]
  path = pathlib.Path(folder, "_".join([config.method, *texts]))
  return Candidate(
    " ".join([config.method, *texts]),
    config.replace(**changes, workdir=str(path)),
    changes,
  )


def untried_values(config, candidates):
  """Returns the usual values of swept options that no candidate has.

  Args:
    config: the `TrainConfig` that the candidates were created from.
    candidates: list of `Candidate`.

  Returns:
    list of str, such as `forget_rate=estimated of jocor`.
  """
  result = []
  for candidate in candidates:
    method = candidate.config.method
    usual = config.replace(method=method).values()
    for name in candidate.changes:
      tried = [
        each.changes[name]
        for each in candidates
        if each.config.method == method
      ]
      if usual[name] not in tried:
        value = usual[name]
        text = "auto" if value is None else fields.format_value(value)
        owner = f" of {method}" if methods_lib.having(name) else ""
        result.append(f"{name}={text}{owner}")
  return list(dict.fromkeys(result))


def _parse(sweep, methods):
  """Returns an option's name, and the list of its values, of a text."""
  name, _, text = sweep.partition("=")
  kind = _types().get(name)
  takers = methods_lib.having(name)
  if name in _SHARED:
    raise errors.InvalidInputError(
      "Argument `sweep` must name an option in which candidates may differ: "
      "they have data, label noise, seed and number of epochs in common. "
      f"Received: sweep={sweep}"
    )
  if kind is None:
    similar = difflib.get_close_matches(name, _types(), n=1)
    hint = f" (do you mean {similar[0]}?)" if similar else ""
    raise errors.InvalidInputError(
      "Argument `sweep` must be OPTION=VALUE,VALUE, with an option of training "
      f"or of a method. Received: {name}, which is none{hint}"
    )
  if not text:
    raise errors.InvalidInputError(
      "Argument `sweep` must be OPTION=VALUE,VALUE. "
      f"Received: sweep={sweep}, without a value"
    )
  if takers and not set(takers) & set(methods):
    raise errors.InvalidInputError(
      f"Argument `sweep` must name an option of {', '.join(methods)}. "
      f"Received: {name}, which belongs to {', '.join(takers)}"
    )
  try:
    # An option of several values cannot be told from several values of it.
    values = [fields.parse_value(kind, part) for part in text.split(",")]
  except ValueError as error:
    raise errors.InvalidInputError(
      f"Argument `sweep` must have values that `{name}` may have: {error}. "
      f"Received: sweep={sweep}"
    ) from error
  return name, list(dict.fromkeys(values))


def _types():
  """Returns the types of all options that may be swept: dict by name."""
  groups = [config_lib.TrainConfig, *methods_lib.all_options().values()]
  return {
    name: fields.types_of(group)[name]
    for group in groups
    for name, option in fields.options_of(group).items()
    if option.scope == fields.RESULT and name != "method"
  }
