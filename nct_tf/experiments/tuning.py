"""Choosing among trainings on held-out examples with noisy labels."""

import dataclasses
import logging
import math
import pathlib
import textwrap
import time

import numpy as np

from nct_tf import errors, units
from nct_tf.evaluation import prediction
from nct_tf.experiments import candidates as candidates_lib, children
from nct_tf.input_pipeline import run_data
from nct_tf.options import fields
from nct_tf.reporting import text_tables
from nct_tf.system import quiet
from nct_tf.training import automatic
from nct_tf.workdir import history, layout, restoring

_logger = logging.getLogger(__name__)

NUM_EPOCHS_AVERAGED = 10
# After these shares of the epochs, the worse half is stopped.
_HALVINGS = (0.25, 0.5)
_NORMAL_95 = 1.96  # So many standard errors make a 95 % interval.
# How far choices among methods were behind the best one on clean labels, the
# mean over the kinds of noise in RESULTS.md.
MEASURED_REGRET = 0.027
MEASURED_REGRET_OF_HALVING = 0.039
# Held out where the config holds nothing out.
_VALIDATION_FRACTION = 0.2


@dataclasses.dataclass(frozen=True)
class Trial:
  """How good a candidate is.

  Attributes:
    candidate: a `candidates.Candidate`.
    num_epochs: int, how many it was trained.
    score: float, its accuracy on the held-out examples against their noisy
      labels, the mean of the last ten of these epochs.
    seconds: float, how long it took.
    behind: a pair of floats, the 95 % interval of how much better the best
      candidate is on the held-out examples; None for the best itself, and for
      one that was stopped.
  """

  candidate: candidates_lib.Candidate
  num_epochs: int
  score: float
  seconds: float
  behind: tuple[float, float] | None = None


@dataclasses.dataclass(frozen=True)
class Choice:
  """What was found.

  Attributes:
    trials: tuple of `Trial`, the best first, stopped ones last.
    num_held_out: int, the examples that they were compared on.
  """

  trials: tuple[Trial, ...]
  num_held_out: int

  @property
  def best(self):
    """The `candidates.Candidate` of the highest score."""
    return self.trials[0].candidate

  @property
  def rivals(self):
    """The `Trial`s that the held-out examples cannot tell from the best."""
    return [each for each in self.trials if each.behind and each.behind[0] <= 0]

  @property
  def stopped(self):
    """The `Trial`s that did not train to their end."""
    return [each for each in self.trials[1:] if each.behind is None]


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
    InvalidInputError: if folds are held out; see also `candidates.create`.
  """
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
  folders = [layout.Workdir(each.config.workdir) for each in found]
  begun = [folder.flags_file.exists() for folder in folders]
  one = begun.index(True) if any(begun) else 0
  resolved = automatic.resolve(found[one].config, folders[one])
  common = {
    name: getattr(resolved, name)
    for name in fields.options_of(resolved)
    if name not in ("method", "workdir")
  }
  return [
    # A method's own options may be `auto`, too.
    dataclasses.replace(each, config=automatic.resolve(each.config, folder))
    for each, folder in zip(
      candidates_lib.create(config.replace(**common), methods, sweeps),
      folders,
      strict=True,
    )
  ]


def tune(candidates, is_halved=False, num_jobs=1):
  """Trains the candidates, and compares them on held-out examples.

  Each is scored by its mean accuracy on the held-out examples, against their
  noisy labels, over its last ten epochs: the paper's measure of what stays. The
  test split takes no part. A training that was interrupted goes on, unless the
  configs have `overwrite`: then each deletes the run that is there.

  Args:
    candidates: list of `candidates.Candidate`, see `resolve`.
    is_halved: bool, whether the worse half is stopped after a quarter of the
      epochs, and again after half of them.
    num_jobs: int, how many train at a time.

  Returns:
    a `Choice`.

  Raises:
    InvalidInputError: if a training failed.
    TrainingInterrupted: if this process was asked to stop.
  """
  num_epochs = candidates[0].config.num_epochs
  left, stopped = list(candidates), []
  for stage in _stages(num_epochs, is_halved):
    _train_all(left, stage, num_jobs)
    # What a later stage goes on with must not be deleted.
    left = [_without_overwrite(each) for each in left]
    trials = sorted(
      (_trial(each, stage) for each in left), key=lambda each: -each.score
    )
    num_kept = len(left) if stage == num_epochs else math.ceil(len(left) / 2)
    if num_kept < len(left):
      _logger.info(
        "After %d of %d epochs %d of %d go on",
        stage,
        num_epochs,
        num_kept,
        len(left),
      )
    stopped = trials[num_kept:] + stopped
    left = [each.candidate for each in trials[:num_kept]]
  finished, num_held_out = _compare(trials)
  return Choice((*finished, *stopped), num_held_out)


def _without_overwrite(candidate):
  config = candidate.config.replace(overwrite=False)
  return dataclasses.replace(candidate, config=config)


def choose(accuracies, is_halved=False):
  """Returns which of finished trainings `tune` would have chosen.

  Args:
    accuracies: dict from name to float array [num_epochs], on the held-out
      examples; all of the same length.
    is_halved: bool, see `tune`.
  """
  num_epochs = len(next(iter(accuracies.values())))
  left = list(accuracies)
  for stage in _stages(num_epochs, is_halved):
    left.sort(key=lambda name: -_score(accuracies[name], stage))
    if stage < num_epochs:
      left = left[: math.ceil(len(left) / 2)]
  return left[0]


def _stages(num_epochs, is_halved):
  """Returns after how many epochs candidates are compared: list of int."""
  shares = _HALVINGS if is_halved else ()
  return [*(max(1, round(share * num_epochs)) for share in shares), num_epochs]


def _score(accuracies, num_epochs):
  return float(accuracies[:num_epochs][-NUM_EPOCHS_AVERAGED:].mean())


def _train_all(candidates, num_epochs, num_jobs):
  """Trains candidates up to an epoch, or to their end."""

  def describe(candidate):
    trial = _trial(candidate, num_epochs)
    score = text_tables.percent(trial.score)
    return f"{score} after {trial.num_epochs} epochs"

  children.train_all(
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

  # A history that is to be deleted says nothing.
  since = time.time() if config.overwrite else 0.0

  def is_enough():
    return _num_epochs(candidate, since) >= num_epochs

  if is_enough():
    return 0
  _tell_of_start(candidate)
  code = jobs.train(config, is_enough)
  return 0 if is_enough() else code


def _tell_of_start(candidate):
  path = children.log_file(candidate.config)
  _logger.info("%s: trains, see %s", candidate.name, path)


def _num_epochs(candidate, since):
  """Returns how many epochs a candidate's history has.

  Args:
    candidate: a `candidates.Candidate`.
    since: float, seconds since 1970; an older history does not count.
  """
  path = layout.Workdir(candidate.config.workdir).history_file
  if not path.exists() or path.stat().st_mtime < since:
    return 0
  # It may be in the middle of writing, and have no whole row yet.
  return len(history.History(path).rows)


def _trial(candidate, num_epochs):
  columns = layout.Workdir(candidate.config.workdir).read_history()
  return Trial(
    candidate,
    # One that stopped early has fewer.
    min(num_epochs, len(columns["epoch"])),
    _score(columns["val_ensemble_accuracy"], num_epochs),
    float(columns["seconds"][:num_epochs].sum()),
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
      behind=interval_of_difference(best.score - each.score, expected, own),
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


def interval_of_difference(difference, first, second):
  """Returns the 95 % interval of a difference of two accuracies.

  Both are measured on the same examples, so only those count which one gets
  right and the other does not.

  Args:
    difference: float, the first accuracy minus the second.
    first: bool array [num_examples], what one gets right at the end.
    second: bool array, likewise.
  """
  changes = first.astype(np.float64) - second
  error = _NORMAL_95 * math.sqrt(changes.var() / len(changes))
  return difference - error, difference + error


def with_best(config, choice):
  """Returns the `TrainConfig` of a run of the best candidate.

  It trains on what was held out, too.

  Args:
    config: the `TrainConfig` with the folder of all runs.
    choice: a `Choice`. Nothing is held out that could stop that run early.
  """
  folder = pathlib.Path(choice.best.config.workdir).name
  return choice.best.config.replace(
    validation_fraction=0.0,
    early_stopping=None,
    overwrite=config.overwrite,
    workdir=str(pathlib.Path(config.workdir, f"best_{folder}")),
  )


def format_choice(choice):
  """Returns a table of what `tune` found, and what it means, as text.

  Args:
    choice: a `Choice`.
  """
  rows = [
    (
      each.candidate.name,
      each.num_epochs,
      text_tables.percent(each.score),
      _format_behind(each, choice),
      units.seconds(each.seconds),
    )
    for each in choice.trials
  ]
  header = ("candidate", "epochs", "held-out accuracy", "behind the best")
  notes = (
    f"held-out accuracy: on {choice.num_held_out:,} noisy labels, "
    f"{_averaged(choice)};",
    "behind the best: in points, the 95 % interval. The held-out labels are as "
    "noisy as the others, so differences look smaller than they are, and who "
    "has learned what is wrong in the same way looks better than it is.",
    _verdict(choice),
    *_measured(choice),
  )
  table = text_tables.format_table(rows, (*header, "time"))
  return "\n".join([table, *(textwrap.fill(note, 80) for note in notes)])


def _averaged(choice):
  """Returns the epochs that scores are of, as text."""
  numbers = [each.num_epochs for each in choice.trials]
  if max(numbers) == 1:
    return "after one epoch"
  count = min(max(numbers), NUM_EPOCHS_AVERAGED)
  text = f"the mean of the last {count} epochs"
  return text if min(numbers) >= count else f"{text}, or of all if fewer"


def _format_behind(trial, choice):
  if trial.candidate == choice.best:
    return ""
  if trial.behind is None:
    return "stopped"
  low, high = trial.behind
  return f"{100 * low:+.1f} to {100 * high:+.1f}"


def _measured(choice):
  """Returns how good such choices were where it is known: list of a sentence.

  That is known of choices among methods alone.
  """
  if len({each.candidate.config.method for each in choice.trials}) == 1:
    return []
  value = MEASURED_REGRET_OF_HALVING if choice.stopped else MEASURED_REGRET
  return [
    "Measured on Fashion-MNIST, without noise and with five kinds of it, such "
    f"choices among all methods were {100 * value:.1f} points behind the best "
    "on clean labels, on average; see RESULTS.md."
  ]


def _verdict(choice):
  """Returns what is chosen, and how sure that is: a few sentences."""
  name, rivals, stopped = choice.best.name, choice.rivals, choice.stopped
  if rivals:
    names = ", ".join(each.candidate.name for each in rivals)
    text = (
      f"Chosen: {name}, which is ahead. No clear winner: "
      f"{choice.num_held_out:,} held-out examples cannot tell it from {names}."
    )
    cheapest = min(rivals, key=lambda each: each.seconds)
    if cheapest.seconds < choice.trials[0].seconds:
      text += f" If cost counts, take {cheapest.candidate.name}."
  elif len(choice.trials) == len(stopped) + 1:
    text = f"Chosen: {name}, the only one that trained to its end."
  else:
    text = f"Chosen: {name}, ahead of the others by more than chance explains."
  if stopped:
    text += (
      " Those that were stopped were behind by then; they might have caught up."
    )
  return text
