"""Trains candidates, and compares them on held-out noisy labels."""

import dataclasses
import logging
import math
import pathlib

from nct_tf import errors
from nct_tf.evaluation import prediction
from nct_tf.experiments import (
  candidates as candidates_lib,
  children,
  choice as choice_lib,
)
from nct_tf.input_pipeline import run_data
from nct_tf.options import fields
from nct_tf.reporting import text_tables
from nct_tf.system import quiet
from nct_tf.training import automatic
from nct_tf.workdir import history, layout, restoring

_logger = logging.getLogger(__name__)

# Held out where the config holds nothing out.
_VALIDATION_FRACTION = 0.2


def resolve(config, methods=(), sweeps=()):
  """Lists the candidates, with the same value for what is `auto`.

  Args:
    config: a `TrainConfig` with a `workdir`, the folder of all runs. If its
      runs have begun, their values are taken. If nothing is held out, a fifth
      is.
    methods: see `candidates.create`.
    sweeps: see there.

  Returns:
    list of `candidates.Candidate`.

  Raises:
    InvalidInputError: if folds are held out, or if several machines train; see
      also `candidates.create`.
  """
  if config.strategy == "multi_worker":
    raise errors.InvalidInputError(
      "Argument `strategy` must be one of a single machine to choose among "
      "trainings, each of which is a process of its own. "
      "Received: strategy=multi_worker"
    )
  if config.num_folds is not None:
    raise errors.InvalidInputError(
      "Argument `num_folds` must not be given to choose among trainings, which "
      "are compared on the examples that `validation_fraction` holds out. "
      f"Received: num_folds={config.num_folds}"
    )
  is_default = not config.validation_fraction
  if is_default:
    config = config.replace(validation_fraction=_VALIDATION_FRACTION)
  found = candidates_lib.create(config, methods, sweeps)
  if is_default:
    _logger.info(
      "--validation_fraction=%g, not 0: candidates are compared on examples "
      "that none has trained on",
      _VALIDATION_FRACTION,
    )
  for value in candidates_lib.untried_values(config, found):
    _logger.info("--sweep: the usual value, %s, is not among them", value)
  resolved = _with_enough_epochs(_resolve_one(found), config, found)
  common = {
    name: getattr(resolved, name)
    for name in fields.options_of(resolved)
    if name not in ("method", "workdir")
  }
  return [
    _with_own_options(each, resolved.values())
    for each in candidates_lib.create(config.replace(**common), methods, sweeps)
  ]


def _resolve_one(candidates):
  """Returns a `TrainConfig` whose values for what is `auto` are for all.

  That is of a run that has begun; or else of the candidate with the most
  options that are `auto`, so that a method's own are among them.
  """

  def priority(candidate):
    has_begun = layout.Workdir(candidate.config.workdir).flags_file.exists()
    is_kept = has_begun and not candidate.config.overwrite
    return is_kept, len(candidate.config.automatic_options)

  config = max(candidates, key=priority).config
  return automatic.resolve(config, layout.Workdir(config.workdir))


def _with_enough_epochs(resolved, config, candidates):
  """Returns a `TrainConfig` with as many epochs as all candidates need.

  Args:
    resolved: the `TrainConfig` of `_resolve_one`.
    config: the `TrainConfig` of which it is; a number that it has is kept.
    candidates: list of `Candidate`.
  """
  if config.num_epochs is not None:
    return resolved
  # Each builds a model of its own, which takes a while.
  fewest = max(automatic.fewest_epochs(each.config) for each in candidates)
  if resolved.num_epochs >= fewest:
    return resolved
  _logger.info("--num_epochs=%d, the fewest that all can do", fewest)
  return resolved.replace(num_epochs=fewest)


def _with_own_options(candidate, values):
  """Returns a `Candidate` without an option that is `auto`.

  Args:
    candidate: a `Candidate`.
    values: dict, which has what was chosen for another candidate.
  """
  config = candidate.config
  chosen = {
    name: values[name]
    for name in config.automatic_options
    if values.get(name) is not None
  }
  config = config.replace(**chosen)
  config = automatic.resolve(config, layout.Workdir(config.workdir))
  return dataclasses.replace(candidate, config=config)


def tune(candidates, is_halved=False, num_jobs=1):
  """Trains the candidates, and compares them on held-out examples.

  Each is scored by its mean accuracy on the held-out examples, against their
  noisy labels, over its last ten epochs: the paper's measure of what stays. The
  test split takes no part. A training that was interrupted goes on, unless the
  configs have `overwrite`: then the runs that are there are deleted first.

  Args:
    candidates: list of `candidates.Candidate`, see `resolve`.
    is_halved: bool, see `choice.stages`.
    num_jobs: int, how many train at a time.

  Returns:
    a `choice.Choice`. Trainings that failed are among it, behind the others.

  Raises:
    InvalidInputError: if a stage has none that did not fail; or if a run that
      is to be deleted is in use, or cannot be deleted.
    TrainingInterrupted: if this process was asked to stop.
  """
  left = [_delete_run(each) for each in candidates]
  num_epochs = left[0].config.num_epochs
  stopped, failed = [], []
  for stage in choice_lib.stages(num_epochs, is_halved):
    failed += _train_all(left, stage, num_jobs)
    trials = {
      each.name: _trial(each, stage) for each in left if each not in failed
    }
    if not trials:
      raise children.failure(failed, len(candidates))
    scores = {name: trial.score for name, trial in trials.items()}
    first, behind = choice_lib.rank(scores, is_last=stage == num_epochs)
    if behind:
      _logger.info(
        "After %d of %d epochs %d of %d go on",
        stage,
        num_epochs,
        len(first),
        len(trials),
      )
    stopped = [trials[name] for name in behind] + stopped
    left = [trials[name].candidate for name in first]
  finished, num_held_out = _compare([trials[name] for name in first])
  return choice_lib.Choice(
    (*finished, *stopped, *map(_failed_trial, failed)), num_held_out
  )


def _delete_run(candidate):
  """Deletes the run that is there if `overwrite` says so.

  Returns:
    a `Candidate` without `overwrite`, so that what it trains from now on stays.
  """
  config = candidate.config
  if config.overwrite:
    directory = layout.Workdir(config.workdir)
    with directory.lock():
      directory.delete_run()
  return dataclasses.replace(candidate, config=config.replace(overwrite=False))


def _train_all(candidates, num_epochs, num_jobs):
  """Trains candidates up to an epoch, or to their end.

  Returns:
    list of those that failed.
  """

  def describe(candidate):
    trial = _trial(candidate, num_epochs)
    score = text_tables.percent(trial.score)
    return f"{score} after {trial.num_epochs} epochs"

  return children.train_all(
    candidates,
    num_jobs,
    lambda jobs, candidate: _train(jobs, candidate, num_epochs),
    describe,
  )


def _train(jobs, candidate, num_epochs):
  """Trains a candidate up to an epoch, unless it has come so far.

  Returns:
    int, the exit code; 0 if it has come so far, however it ended.
  """
  config = candidate.config
  if layout.Workdir(config.workdir).find_run(config) == "finished":
    return 0
  if num_epochs == config.num_epochs:
    _tell_of_start(candidate)
    return jobs.train(config)

  def is_enough():
    return _num_epochs(candidate) >= num_epochs

  if is_enough():
    return 0
  _tell_of_start(candidate)
  code = jobs.train(config, is_enough)
  return 0 if is_enough() else code


def _tell_of_start(candidate):
  path = children.log_file(candidate.config)
  _logger.info("%s: trains, see %s", candidate.name, path)


def _num_epochs(candidate):
  """Returns how many epochs a candidate's history has."""
  path = layout.Workdir(candidate.config.workdir).history_file
  if not path.exists():
    return 0
  # It may be in the middle of writing, and have no whole row yet.
  return len(history.History(path).rows)


def _trial(candidate, num_epochs):
  columns = layout.Workdir(candidate.config.workdir).read_history()
  return choice_lib.Trial(
    candidate,
    # One that stopped early has fewer.
    min(num_epochs, len(columns["epoch"])),
    choice_lib.score(columns["val_ensemble_accuracy"], num_epochs),
    float(columns["seconds"][:num_epochs].sum()),
  )


def _failed_trial(candidate):
  num_epochs, seconds = _num_epochs(candidate), 0.0
  if num_epochs:
    columns = layout.Workdir(candidate.config.workdir).read_history()
    seconds = float(columns["seconds"].sum())
  return choice_lib.Trial(
    candidate,
    num_epochs,
    math.nan,
    seconds,
    failure=children.last_line(candidate.config),
  )


def _compare(trials):
  """Returns finished trials with `behind`, and how many examples tell it.

  Args:
    trials: list of `Trial`, the best first.
  """
  # The images' size is the one option of data in which candidates may differ.
  sizes = {each.candidate.config.image_size: each.candidate for each in trials}
  with quiet.no_messages():  # Each training has told of its data.
    held_out = {
      size: run_data.load(candidate.config).noisy.validation
      for size, candidate in sizes.items()
    }
  expected, *is_right = (
    _is_right(each.candidate, held_out[each.candidate.config.image_size])
    for each in trials
  )
  best, *others = trials
  compared = [
    dataclasses.replace(
      each,
      behind=choice_lib.interval_of_difference(
        best.score - each.score, expected, own
      ),
    )
    for each, own in zip(others, is_right, strict=True)
  ]
  return [best, *compared], len(expected)


def _is_right(candidate, held_out):
  """Returns which held-out labels a finished candidate predicts: bool array."""
  directory = layout.Workdir(candidate.config.workdir)
  model, config, result = restoring.restore(directory)
  logits = prediction.predict(model, config, result, held_out)
  predicted = prediction.probabilities(logits).argmax(axis=1)
  return predicted == held_out.given_labels


def with_best(config, choice):
  """Returns the `TrainConfig` of a run of the best candidate.

  It trains on what was held out, too.

  Args:
    config: the `TrainConfig` with the folder of all runs.
    choice: a `choice.Choice`. Nothing is held out that could stop that run
      early.
  """
  folder = pathlib.Path(choice.best.config.workdir).name
  return choice.best.config.replace(
    validation_fraction=0.0,
    early_stopping=None,
    overwrite=config.overwrite,
    workdir=str(pathlib.Path(config.workdir, f"best_{folder}")),
  )
