"""SIGTERM and Ctrl-C: what clusters send before they take a machine."""

import contextlib
import signal
import threading

from nct_tf import errors

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interruption:
  """Whether this process has been asked to stop.

  Attributes:
    requested: bool.
    deferred: bool, whether the training loop looks at `requested` and stops by
      itself. A request raises `TrainingInterrupted` at once while it is not,
      and so does a second one in any case.
  """

  def __init__(self):
    self.requested = False
    self.deferred = False

  def handle(self, number, frame):
    """The handler of the signals."""
    del frame
    name = signal.Signals(number).name
    if not self.deferred or self.requested:
      raise errors.TrainingInterrupted(f"stopped by {name}")
    self.requested = True


@contextlib.contextmanager
def catch():
  """Catches the signals within, where Python lets one: in the main thread.

  Yields:
    an `Interruption`.
  """
  interruption = Interruption()
  if threading.current_thread() is not threading.main_thread():
    yield interruption
    return
  before = {
    number: signal.signal(number, interruption.handle) for number in _SIGNALS
  }
  try:
    yield interruption
  finally:
    for number, handler in before.items():
      signal.signal(number, handler)
