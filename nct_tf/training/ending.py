"""Which epoch is the last one: of all of them, or an earlier one."""

import keras

from nct_tf import errors

MONITORED = "val_ensemble_accuracy"


class Ending(keras.callbacks.Callback):
  """Tells whether an epoch is the last one, by the epochs up to it.

  It goes by what the history holds, so a run that was killed and goes on ends
  after the same epoch. All workers of a run measure the same accuracies, so all
  of them end together.

  Args:
    num_epochs: int, of the whole training.
    patience: int, after how many epochs without a better accuracy on held-out
      examples to end; None for never.
    rows: list of dicts, the epochs done, see `history.History`.
  """

  def __init__(self, num_epochs, patience=None, rows=()):
    super().__init__()
    self.num_epochs = num_epochs
    self.patience = patience
    self._accuracies = [row[MONITORED] for row in rows]

  def on_epoch_end(self, epoch, logs=None):
    del self._accuracies[epoch:]
    self._accuracies.append(float(logs[MONITORED]))

  def is_last(self, epoch):
    """Returns whether the training ends after an epoch, which is done."""
    return epoch == self.num_epochs - 1 or self.is_early

  @property
  def is_early(self):
    """Whether the epochs done leave no patience."""
    return self.patience is not None and not has_patience(
      self._accuracies, self.patience
    )

  def describe(self):
    """Returns why a training ended early: str."""
    best = max(self._accuracies)
    return (
      f"Stopped early, after {len(self._accuracies)} of {self.num_epochs} "
      f"epochs: the accuracy on held-out labels was {best:.1%} after epoch "
      f"{self._accuracies.index(best) + 1}, and not higher since"
    )


def has_patience(accuracies, patience):
  """Returns whether there was a better epoch among the last ones.

  Args:
    accuracies: sequence of float, of the epochs done.
    patience: int, how many epochs may pass without a better one.
  """
  best = max(accuracies, default=None)
  return best is None or len(accuracies) - accuracies.index(best) <= patience


def check_early_stopping(patience, num_held_out, phases):
  """Raises `InvalidInputError` unless a run can be stopped early, if it may be.

  Args:
    patience: int or None, see `Ending`.
    num_held_out: int, the examples that are validated on, the test split apart.
    phases: list of `models.classifier.Phase`.
  """
  if patience is None:
    return
  if not num_held_out:
    raise errors.InvalidInputError(
      "Argument `early_stopping` needs held-out examples, as the test split "
      "must not decide when to stop: give --validation_fraction, such as 0.1. "
      f"Received: early_stopping={patience}, validation_fraction=0"
    )
  if len(phases) > 1:
    names = ", ".join(phase.name for phase in phases)
    raise errors.InvalidInputError(
      "Argument `early_stopping` must not be given to a method that trains in "
      f"phases ({names}), as later ones would be left out. Received: "
      f"early_stopping={patience}"
    )
