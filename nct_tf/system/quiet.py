"""Silence while TensorFlow is imported, in what it logs, and of our own."""

import contextlib
import logging
import os
import sys
import tempfile


@contextlib.contextmanager
def silence():
  """Hides the messages that TensorFlow prints while it is imported.

  Later ones are hidden, too, but for those of fatal errors. The environment
  alone does not do: newer TensorFlows print before they read it. After a
  Python error, the hidden messages are printed.
  """
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
  sys.stderr.flush()
  original = os.dup(2)
  with tempfile.TemporaryFile() as messages:
    os.dup2(messages.fileno(), 2)
    try:
      yield
    except BaseException:
      messages.seek(0)
      os.write(original, messages.read())
      raise
    finally:
      os.dup2(original, 2)
      os.close(original)


@contextlib.contextmanager
def no_messages():
  """Holds back what is logged, in all threads, but for warnings and errors."""
  before = logging.root.manager.disable
  logging.disable(logging.INFO)
  try:
    yield
  finally:
    logging.disable(before)
