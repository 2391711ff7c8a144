"""Choosing the largest target variability rate on held-out noisy labels."""

import pathlib

from nct_tf import errors, methods
from nct_tf.training import run as run_lib
from nct_tf.workdir import layout

NUM_EPOCHS_AVERAGED = 10

_OPTION = "target_variability_max"


def tune(config, values):
  """Trains once for each value, and compares them on held-out examples.

  A value's score is the mean accuracy of the ensemble on the held-out examples
  against their noisy labels, over the last ten epochs: the paper's measure of
  what stays. The test split takes no part.

  Args:
    config: a `TrainConfig` with a `workdir`, the folder of all runs, each of
      which goes on where it was interrupted, and a `validation_fraction`.
    values: sequence of float, of `target_variability_max`.

  Returns:
    dict from value to score, in the order of `values`; the best value is the
    first of the highest.

  Raises:
    InvalidInputError: if nothing is held out, or the method has no target
      variability.
  """
  if not config.validation_fraction:
    raise errors.InvalidInputError(
      "Argument `validation_fraction` must be above 0, so that values are "
      "compared without the test split. Received: validation_fraction=0"
    )
  takers = methods.having(_OPTION)
  if config.method not in takers:
    raise errors.InvalidInputError(
      f"Argument `method` must be {' or '.join(takers)}, as no other has "
      f"target variability. Received: method={config.method}"
    )
  return {value: _score(config, value) for value in values}


def _score(config, value):
  workdir = pathlib.Path(config.workdir, f"target_variability_{value}")
  run = config.replace(**{_OPTION: value}, workdir=str(workdir))
  run_lib.train_and_evaluate(run)
  history = layout.Workdir(workdir).read_history()
  return float(history["val_ensemble_accuracy"][-NUM_EPOCHS_AVERAGED:].mean())
