"""Finds how far a run has come, and lets it go on from there."""

import logging

import tensorflow as tf

from nct_tf import distribution, errors
from nct_tf.workdir import checkpoints, history as history_lib

_logger = logging.getLogger(__name__)


class Records:
  """The history and the checkpoints of a run, which tell how far it has come.

  Args:
    directory: the run's `Workdir`.

  Attributes:
    history: `history.History`.
    saved: `checkpoints.Checkpoints`.
  """

  def __init__(self, directory):
    self.history = history_lib.History(directory.history_file)
    self.saved = checkpoints.Checkpoints(directory.checkpoints_dir)

  def find_position(self):
    """Returns the `Position` that the run would go on from, or None."""
    return self.saved.newest_whole(max_epochs=len(self.history.rows))

  def go_on(self, state, strategy):
    """Brings state and history to the newest checkpoint, or to the beginning.

    Args:
      state: `state.TrainingState`, which is read from the checkpoint.
      strategy: the `tf.distribute.Strategy` of the run.

    Raises:
      InvalidInputError: if the workers of several machines find different
        checkpoints.
    """
    position = self.find_position()
    if position is not None:
      state.read(self.saved, position)
      _logger.info("Goes on from %s", self.saved.folder / str(position))
    if distribution.is_multi_worker(strategy):
      _check_agreement(strategy, state.position)
    if distribution.is_chief(strategy):
      self.saved.remove_leftovers()
      self.history.truncate(state.position.epoch)


def _check_agreement(strategy, position):
  """Raises unless all workers go on from the same checkpoint."""

  @tf.function
  def own_position():
    return strategy.run(lambda: tf.constant([position], tf.int64))

  everyones = strategy.gather(own_position(), axis=0).numpy()
  if (everyones != everyones[0]).any():
    raise errors.InvalidInputError(
      "The workers find different checkpoints: --workdir must be one folder "
      f"that all of them see. Worker {strategy.cluster_resolver.task_id} finds "
      f"{position}"
    )
