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
    anew = [
      begin
      for begin, phase in zip(self._begins, self._phases, strict=True)
      if begin and (phase.restart or phase.anew)
    ]
    self._schedules = list(itertools.pairwise([0, *anew, num_epochs]))

  def __len__(self):
    return len(self._phases)

  def number(self, epoch):
    """Returns the number, from 0, of an epoch's phase; at most the last."""
    return bisect.bisect_right(self._begins, epoch) - 1

  def learning_rate(self, epoch):
    """Returns the learning rate of an epoch's phase; None for the run's."""
    return self._phases[self.number(epoch)].learning_rate

  def in_schedule(self, epoch):
    """Returns where an epoch is in the run's schedule of the learning rate.

    Returns:
      int, its number from 0 since the schedule last began; int, how many epochs
      there are from there to where it begins anew, or to the end.
    """
    begin, end = [span for span in self._schedules if epoch >= span[0]][-1]
    return epoch - begin, end - begin

  @property
  def longest_schedule(self):
    """The most epochs of the run's schedule, before it begins anew or ends."""
    return max(end - begin for begin, end in self._schedules)

  def begins(self, epoch):
    """Returns whether a phase begins with an epoch."""
    return epoch in self._begins

  def restarts(self, epoch):
    """Returns whether an epoch begins with a restart."""
    return self.begins(epoch) and self._phases[self.number(epoch)].restart

  def last_restart(self, epoch):
    """Returns the epoch in which the networks of an epoch began: int."""
    begins = [begin for begin in self._begins if begin <= epoch]
    return max(filter(self.restarts, begins), default=0)

  @property
  def any_restart(self):
    """Whether any of them begins with a restart."""
    return any(phase.restart for phase in self._phases)


class PhaseBegin(keras.callbacks.Callback):
  """Begins phases: restarts networks and optimizer, asks the method; logs them.

  A run that goes on from the checkpoint before a restart does the restart
  again, with the same weights.

  Args:
    model: a `Classifier`, whose `begin_phase` and `begin_epoch` are called.
    phases: `Phases`.
    state: `state.TrainingState`, whose start was kept.
    num_steps: int, of an epoch.
  """

  def __init__(self, model, phases, state, num_steps):
    super().__init__()
    self.classifier = model
    self.phases = phases
    self.state = state
    self.num_steps = num_steps

  def on_epoch_begin(self, epoch, logs=None):
    begin = self.phases.last_restart(epoch)
    self.state.count_average_from(begin * self.num_steps)
    if self.state.position.step:
      return
    restarts = self.phases.restarts(epoch)
    if restarts:
      self.state.restart()
    if self.phases.begins(epoch):
      self.classifier.begin_phase(self.phases.number(epoch))
    if restarts or not epoch:  # The method may have changed the weights, too.
      self.state.restart_average()
    self.classifier.begin_epoch(epoch)

  def on_epoch_end(self, epoch, logs=None):
    if len(self.phases) > 1:
      logs["phase"] = self.phases.number(epoch)
