"""Handles Ctrl-C, a closed terminal, and SIGTERM, by which clusters stop."""

import contextlib
import signal
import threading

from nct_tf import errors

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Interruption:
  """Whether this process has been asked to stop.

  Attributes:
    requested: bool.
    deferred: bool, whether the training loop looks at `requested` and stops by
      itself. If False, a request raises `TrainingInterrupted` at once. A second
      request always does.
    raised: `TrainingInterrupted` or None, the last one raised.
  """

  def __init__(self):
    self.requested = False
    self.deferred = False
    self.raised = None

  def handle(self, number, frame):
    """Handles a signal."""
    del frame
    if number == signal.SIGHUP and self.requested:
      return  # The shell and the system both send it when a terminal closes.
    name = signal.Signals(number).name
    at_once = not self.deferred or self.requested
    self.requested = True
    if at_once:
      self.raised = errors.TrainingInterrupted(f"stopped by {name}")
      raise self.raised

  @contextlib.contextmanager
  def hold(self):
    """Defers a first request until the end of a short piece of work.

    Raises:
      TrainingInterrupted: after the work, if a request came meanwhile.
    """
    self.deferred = True
    yield
    self.deferred = False
    if self.requested:
      raise errors.TrainingInterrupted("stopped before the first step")


@contextlib.contextmanager
def catch():
  """Catches the signals in the main thread; Python allows it in no other.

  Yields:
    an `Interruption`.

  Raises:
    TrainingInterrupted: if a signal raised it, even if the interrupted code has
      turned it into another error.
  """
  interruption = Interruption()
  if threading.current_thread() is not threading.main_thread():
    yield interruption
    return
  before = {
    number: signal.signal(number, interruption.handle)
    for number in _SIGNALS
    if not _is_nohup(number)
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


def _is_nohup(number):
  """Returns whether a signal is the one that nohup has a program ignore."""
  return number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN
