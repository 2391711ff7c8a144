"""How a run's configuration differs from another, and how to start that one."""

import re

from nct_tf import config as config_lib, methods
from nct_tf.options import data, fields
from nct_tf.system import command_line

# Of the folder of a run that differs in one option, with its value.
_SUFFIXES = {"num_epochs": "{}_epochs", "label_decisions": "relabelled"}


def find_differences(flags, config):
  """Returns in what the results of a run and of a config may differ.

  Args:
    flags: str, the text of the run's `flags.txt`.
    config: a `TrainConfig`.

  Returns:
    dict from an option's name to a pair of str or None: its value there, and
    here; None where it is not set. Two spellings of one place are equal.
  """
  old, new = map(_values, (flags, config.to_flagfile()))
  passed_over = config_lib.circumstances() | methods.option_names()
  if old.get("method") == config.method:
    # The file may have options of other methods, too, because earlier
    # versions wrote some for any method.
    passed_over -= fields.options_of(config.method_options).keys()
  return {
    name: (old.get(name), new.get(name))
    for name in {**old, **new}
    if old.get(name) != new.get(name) and name not in passed_over
  }


def _values(flags):
  values = dict(
    line.removeprefix("--").partition("=")[::2] for line in flags.splitlines()
  )
  # Earlier versions wrote paths as they were given.
  for name, absolute in config_lib.absolute_functions().items():
    if name in values:
      values[name] = absolute(values[name])
  return values


def is_place_alone(differences):
  """Returns whether the data may be the same, somewhere else.

  Args:
    differences: dict of `find_differences`.
  """
  if differences.keys() != {"dataset"}:
    return False
  (old, _), (new, _) = (
    data.split_place(dataset or "") for dataset in differences["dataset"]
  )
  return old is not None and old == new


def describe(differences):
  """Returns what differs, and why that is no run to go on with: str.

  Args:
    differences: dict of `find_differences`.
  """
  told = "; ".join(
    f"{name} is {old or 'not set'} there and {new or 'not set'} here"
    for name, (old, new) in differences.items()
  )
  if "num_epochs" not in differences:
    return f"({told})"
  old, _ = differences["num_epochs"]
  return f"({told}; its schedules were made for {old} epochs)"


def command(flags_file, config, differences):
  """Returns the command that trains a config beside a run that differs.

  It begins with the flags of that run, unless one of them has to be taken back.

  Args:
    flags_file: `pathlib.Path` of the run's `flags.txt`.
    config: a `TrainConfig`, whose workdir the run is in.
    differences: dict of `find_differences`.
  """
  workdir = f"{flags_file.parent}_{_suffix(differences)}"
  # Never deletes what may be there.
  wanted = config.replace(workdir=None, overwrite=False)
  flags = wanted.to_flags()
  is_taken_back = any(new is None for _, new in differences.values())
  if not is_taken_back and "method" not in differences:
    kept = flags_file.read_text(encoding="utf-8").splitlines()
    lines = wanted.to_flagfile().splitlines()
    flags = [
      f"--flagfile={flags_file}",
      *(line for line in lines if line not in kept),
      *(flag for flag in flags if flag not in lines),  # Places.
    ]
  return command_line.module("scripts.train", *flags, f"--workdir={workdir}")


def _suffix(differences):
  """Returns what the folder's name gets at its end."""
  if len(differences) > 1:
    return "changed"
  ((name, (_, new)),) = differences.items()
  if new is None:
    return f"without_{name}"
  suffix = _SUFFIXES.get(name, f"{name}_{{}}").format(new)
  return re.sub(r"[^\w.-]+", "_", suffix)
