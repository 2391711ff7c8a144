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
    raised: `TrainingInterrupted` or None, the last one raised.
  """

  def __init__(self):
    self.requested = False
    self.deferred = False
    self.raised = None

  def handle(self, number, frame):
    """The handler of the signals."""
    del frame
    name = signal.Signals(number).name
    at_once = not self.deferred or self.requested
    self.requested = True
    if at_once:
      self.raised = errors.TrainingInterrupted(f"stopped by {name}")
      raise self.raised

  @contextlib.contextmanager
  def hold(self):
    """Has a first request wait for the end of a short piece of work.

    Raises:
      TrainingInterrupted: after it, if it was asked to stop meanwhile.
    """
    self.deferred = True
    yield
    self.deferred = False
    if self.requested:
      raise errors.TrainingInterrupted("stopped before the first step")


@contextlib.contextmanager
def catch():
  """Catches the signals within, where Python lets one: in the main thread.

  Yields:
    an `Interruption`.

  Raises:
    TrainingInterrupted: if it was raised, even where whatever it interrupted
      has made another error of it.
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
  except Exception as error:
    if interruption.raised:
      raise interruption.raised from error
    raise
  finally:
    for number, handler in before.items():
      signal.signal(number, handler)
