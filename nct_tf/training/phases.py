"""The phases of a training: which epochs they have, and how they begin."""

import bisect
import itertools

import keras

from nct_tf import errors


class Phases:
  """The phases of a training, one after the other.

  Args:
    phases: sequence of `models.classifier.Phase`.
    num_epochs: int, of the whole training.

  Raises:
    InvalidInputError: if a phase has no epoch, or if the phases' epochs do not
      add up to `num_epochs`.
  """

  def __init__(self, phases, num_epochs):
    self._phases = list(phases)
    lengths = [phase.num_epochs for phase in self._phases]
    if min(lengths) < 1 or sum(lengths) != num_epochs:
      named = ", ".join(f"{p.name} {p.num_epochs}" for p in self._phases)
      raise errors.InvalidInputError(
        "Argument `num_epochs` must leave each phase at least one epoch, and "
        f"be that of all phases ({named}). Received: num_epochs={num_epochs}"
      )
    *self._begins, _ = [0, *itertools.accumulate(lengths)]
    restarts = [
      begin
      for begin, phase in zip(self._begins, self._phases, strict=True)
      if begin and phase.restart
    ]
    self._trainings = list(itertools.pairwise([0, *restarts, num_epochs]))

  def __len__(self):
    return len(self._phases)

  def number(self, epoch):
    """Returns the number, from 0, of an epoch's phase; at most the last."""
    return bisect.bisect_right(self._begins, epoch) - 1

  def learning_rate(self, epoch):
    """Returns the learning rate of an epoch's phase; None for the run's."""
    return self._phases[self.number(epoch)].learning_rate

  def training(self, epoch):
    """Returns where an epoch is between two restarts.

    Returns:
      int, its number from 0 since the last restart, or the start; int, how many
      epochs there are from there to the next one, or the end.
    """
    begin, end = [span for span in self._trainings if epoch >= span[0]][-1]
    return epoch - begin, end - begin

  @property
  def longest_training(self):
    """The most epochs between two restarts, the start and the end included."""
    return max(end - begin for begin, end in self._trainings)

  def restarts(self, epoch):
    """Returns whether an epoch begins with a restart."""
    return epoch in self._begins and self._phases[self.number(epoch)].restart

  @property
  def any_restart(self):
    """Whether any of them begins with a restart."""
    return any(phase.restart for phase in self._phases)


class PhaseBegin(keras.callbacks.Callback):
  """Restarts networks and optimizer where a phase says so, and logs `phase`.

  A run that goes on from the checkpoint before a restart does the restart
  again, with the same weights.

  Args:
    phases: `Phases`.
    state: `state.TrainingState`, whose start was kept.
  """

  def __init__(self, phases, state):
    super().__init__()
    self.phases = phases
    self.state = state

  def on_epoch_begin(self, epoch, logs=None):
    if self.phases.restarts(epoch) and not self.state.position.step:
      self.state.restart()

  def on_epoch_end(self, epoch, logs=None):
    if len(self.phases) > 1:
      logs["phase"] = self.phases.number(epoch)
