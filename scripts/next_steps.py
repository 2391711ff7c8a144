"""The command that a person would run after a script, told in its last line."""

import os
import pathlib
import re

from nct_tf.system import command_line

_MOST_COMPARED = 8


def say(script, *flags):
  """Prints a script's command, ready to be pasted into a shell.

  Args:
    script: str, such as `audit`.
    *flags: str, as `--name=value`.
  """
  say_command(command_line.module(f"scripts.{script}", *flags))


def say_command(command):
  """Prints a command that is quoted already."""
  print(f"Next: {command}")


def after_training(config):
  """Says what comes after a run of a `TrainConfig`.

  A run that had finished before is not exported by `--export_dir`.
  """
  if config.export_dir and not os.path.isdir(config.export_dir):
    say(
      "export",
      f"--workdir={config.workdir}",
      f"--export_dir={config.export_dir}",
    )
  elif config.export_dir:
    after_export(config.export_dir, config.dataset)
  else:
    script = "audit" if config.has_own_images else "evaluate"
    say(script, f"--workdir={config.workdir}")


def after_reproduction(found):
  """Says how to compare runs of cells: of a large table, of the first ones.

  Args:
    found: dict from cell's name to the folders of its finished runs.
  """
  firsts = dict.fromkeys(str(runs[0]) for runs in found.values() if runs)
  workdirs = list(firsts)[:_MOST_COMPARED]
  say("compare", f"--workdirs={','.join(workdirs)}")


def after_check(config):
  """Says how to train on data that were checked."""
  workdir = config.workdir or _new_workdir(config.dataset)
  say("train", *config.replace(workdir=workdir).to_flags())


def after_export(export_dir, dataset):
  """Says how to classify by an export of a model, by a dataset's name."""
  kind, _, path = dataset.partition(":")
  if kind == "csv":
    path = pathlib.Path(path).parent
  elif kind == "folder":
    test = pathlib.Path(path, "test")
    path = test if test.is_dir() else path
  else:
    path = "*.png"  # There are no files of it: whatever lies here.
  say("predict", f"--export_dir={export_dir}", f"--images={path}")


def exports_of(workdir):
  """Returns the folder that a run's exports may go to: `pathlib.Path`."""
  return pathlib.Path("exports", pathlib.Path(workdir).resolve().name)


def weights_flags(options):
  """Returns the flags that choose the same weights: list of str.

  Args:
    options: a `script_flags.Weights`.
  """
  flags = [] if options.checkpoint == "last" else ["--checkpoint=best"]
  if options.use_ema is not None:
    flags.append(f"--use_ema={options.use_ema}")
  return flags


def _new_workdir(dataset):
  """Returns a folder for a run on a dataset that is not there yet: str."""
  name = re.sub(r"[^\w.-]+", "_", pathlib.Path(dataset).stem.split(":")[-1])
  path, number = pathlib.Path("runs", name), 1
  while path.exists():
    number += 1
    path = path.with_name(f"{name}_{number}")
  return str(path)
