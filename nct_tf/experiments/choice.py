"""A choice among trainings: the rule, what was found, and what to say of it."""

import dataclasses
import math
import textwrap

import numpy as np

from nct_tf import units
from nct_tf.experiments import candidates as candidates_lib
from nct_tf.reporting import text_tables

NUM_EPOCHS_AVERAGED = 10
# After these shares of the epochs, the worse half is stopped.
_HALVINGS = (0.25, 0.5)
_NORMAL_95 = 1.96  # So many standard errors make a 95 % interval.
# How far choices among methods were behind the best one on clean labels, the
# mean over the kinds of noise in RESULTS.md.
MEASURED_REGRET = 0.027
MEASURED_REGRET_OF_HALVING = 0.039
# Times are measured beside whatever else the machine does.
_MUCH_CHEAPER = 0.75


def stages(num_epochs, is_halved=False):
  """Returns after how many epochs candidates are compared: list of int.

  Args:
    num_epochs: int, of a whole training.
    is_halved: bool, whether the worse half is stopped after a quarter of the
      epochs, and again after half of them.
  """
  shares = _HALVINGS if is_halved else ()
  halvings = [max(1, round(share * num_epochs)) for share in shares]
  return list(dict.fromkeys([*halvings, num_epochs]))


def score(accuracies, num_epochs):
  """Returns how good a training is after some epochs: float.

  Args:
    accuracies: float array [num_epochs], on the held-out examples, against
      their noisy labels.
    num_epochs: int, the later ones do not count.
  """
  return float(accuracies[:num_epochs][-NUM_EPOCHS_AVERAGED:].mean())


def rank(scores, is_last):
  """Ranks candidates after a stage.

  Args:
    scores: dict from a candidate's name to float.
    is_last: bool, whether they have trained to their end.

  Returns:
    a pair of lists of names, each with the best first: those that go on, or
    are compared in the end, and those that are stopped.
  """
  ranked = sorted(scores, key=scores.get, reverse=True)
  num_left = len(ranked) if is_last else math.ceil(len(ranked) / 2)
  return ranked[:num_left], ranked[num_left:]


def choose(accuracies, is_halved=False):
  """Returns which of finished trainings `tuning.tune` would have chosen.

  Args:
    accuracies: dict from name to float array [num_epochs], on the held-out
      examples; all of the same length.
    is_halved: bool, see `stages`.
  """
  num_epochs = len(next(iter(accuracies.values())))
  left = list(accuracies)
  for stage in stages(num_epochs, is_halved):
    scores = {name: score(accuracies[name], stage) for name in left}
    left, _ = rank(scores, stage == num_epochs)
  return left[0]


@dataclasses.dataclass(frozen=True)
class Trial:
  """How good a candidate is.

  Attributes:
    candidate: a `candidates.Candidate`.
    num_epochs: int, how many it was trained.
    score: float, its accuracy on the held-out examples against their noisy
      labels, the mean of the last ten of these epochs; NaN if it failed.
    seconds: float, how long it took.
    behind: a pair of floats, the 95 % interval of how much better the best
      candidate is on the held-out examples; None for the best itself, and for
      one that was stopped or failed.
    failure: str, the last line that it printed if it failed; otherwise None.
  """

  candidate: candidates_lib.Candidate
  num_epochs: int
  score: float
  seconds: float
  behind: tuple[float, float] | None = None
  failure: str | None = None


@dataclasses.dataclass(frozen=True)
class Choice:
  """What was found.

  Attributes:
    trials: tuple of `Trial`, the best first, then those that were stopped, and
      last those that failed.
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
    """The `Trial`s that were stopped before their end."""
    return [
      each
      for each in self.trials[1:]
      if each.behind is None and each.failure is None
    ]

  @property
  def failed(self):
    """The `Trial`s that ended with an error."""
    return [each for each in self.trials if each.failure is not None]


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


def format_choice(choice):
  """Returns a table of what was found, and what it means, as text.

  Args:
    choice: a `Choice`.
  """
  rows = [
    (
      each.candidate.name,
      each.num_epochs,
      "" if each.failure else text_tables.percent(each.score),
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
    *(
      f"{each.candidate.name} failed: {each.failure}" for each in choice.failed
    ),
  )
  table = text_tables.format_table(rows, (*header, "time"))
  return "\n".join([table, *(textwrap.fill(note, 80) for note in notes)])


def _averaged(choice):
  """Returns the epochs that scores are of, as text."""
  numbers = [each.num_epochs for each in choice.trials if not each.failure]
  if max(numbers) == 1:
    return "after one epoch"
  count = min(max(numbers), NUM_EPOCHS_AVERAGED)
  text = f"the mean of the last {count} epochs"
  return text if min(numbers) >= count else f"{text}, or of all if fewer"


def _format_behind(trial, choice):
  if trial.candidate == choice.best:
    return ""
  if trial.behind is None:
    return "failed" if trial.failure else "stopped"
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
    if cheapest.seconds < _MUCH_CHEAPER * choice.trials[0].seconds:
      text += f" If cost counts, take {cheapest.candidate.name}."
  elif len(choice.trials) == len(stopped) + len(choice.failed) + 1:
    text = f"Chosen: {name}, the only one that trained to its end."
  else:
    text = f"Chosen: {name}, ahead of the others by more than chance explains."
  if stopped:
    text += (
      " Those that were stopped were behind by then; they might have caught up."
    )
  return text
