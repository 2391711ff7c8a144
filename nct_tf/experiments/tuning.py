"""Choosing an option on held-out noisy labels."""

import pathlib

from nct_tf import errors
from nct_tf.reporting import text_tables
from nct_tf.training import automatic, run as run_lib
from nct_tf.workdir import layout

NUM_EPOCHS_AVERAGED = 10


def resolve(config, name, values):
  """Returns a config with values for what is `auto`, the same for all runs.

  Args:
    config: see `tune`. If its runs have begun, their values are taken.
    name: str, see there.
    values: sequence, see there.

  Raises:
    InvalidInputError: see there.
  """
  runs = list(_runs(config, name, values).values())
  folders = [layout.Workdir(run.workdir) for run in runs]
  begun = [folder.flags_file.exists() for folder in folders]
  one = begun.index(True) if any(begun) else 0
  resolved = automatic.resolve(runs[one], folders[one])
  return resolved.replace(workdir=config.workdir)


def tune(config, name, values):
  """Trains once for each value, and compares them on held-out examples.

  A value's score is the mean accuracy of the ensemble on the held-out examples
  against their noisy labels, over the last ten epochs: the paper's measure of
  what stays. The test split takes no part.

  Args:
    config: a `TrainConfig` with a `workdir`, the folder of all runs, and a
      `validation_fraction`; nothing of it is `auto`, see `resolve`. A run that
      was interrupted goes on.
    name: str, an option of the method or of the training.
    values: sequence of its values.

  Returns:
    dict from value to score, in the order of `values`; the best value is the
    first of the highest.

  Raises:
    InvalidInputError: if nothing is held out, if the method has no such option,
      or if the option cannot have one of the values.
  """
  runs = _runs(config, name, values)
  return {value: _score(run) for value, run in runs.items()}


def _runs(config, name, values):
  """Returns the config of each value's run: dict."""
  if not config.validation_fraction:
    raise errors.InvalidInputError(
      "Argument `validation_fraction` must be above 0, so that values are "
      "compared without the test split. Received: validation_fraction=0"
    )
  return {
    value: config.replace(
      **{name: value},
      workdir=str(pathlib.Path(config.workdir, f"{name}_{value}")),
    )
    for value in values
  }


def _score(run):
  run_lib.train_and_evaluate(run)
  history = layout.Workdir(run.workdir).read_history()
  return float(history["val_ensemble_accuracy"][-NUM_EPOCHS_AVERAGED:].mean())


def with_best(config, name, scores):
  """Returns the `TrainConfig` of a run with the best value, on all examples.

  Args:
    config: the `TrainConfig` that `tune` was given. What it held out is trained
      on, too, so nothing can stop that run early.
    name: str, the option that was tuned.
    scores: dict of `tune`.
  """
  return config.replace(
    **{name: _best(scores)},
    validation_fraction=0.0,
    early_stopping=None,
    workdir=str(pathlib.Path(config.workdir, "best")),
  )


def _best(scores):
  return max(scores, key=scores.get)


def format_tuning(name, scores):
  """Returns a table of what `tune` found, and the best value's flag.

  Args:
    name: str, the option that was tuned.
    scores: dict of `tune`.
  """
  rows = [
    (value, text_tables.percent(score)) for value, score in scores.items()
  ]
  return "\n".join(
    [
      text_tables.format_table(rows, (name, "held-out accuracy")),
      "held-out accuracy: on noisy labels, the mean of the last ten epochs",
      f"--{name}={_best(scores)}",
    ]
  )
