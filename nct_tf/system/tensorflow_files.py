"""Turns TensorFlow's errors about files into Python's own.

This is not in `files`, so that importing `files` does not load TensorFlow.
"""

import contextlib
import errno
import os

import tensorflow as tf


@contextlib.contextmanager
def os_errors():
  """Raises the error of Python's own files if TensorFlow's cannot write.

  Raises:
    OSError: if the disk is full, or if writing is not permitted.
  """
  try:
    yield
  except tf.errors.ResourceExhaustedError as error:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
  except tf.errors.PermissionDeniedError as error:
    raise OSError(errno.EACCES, os.strerror(errno.EACCES)) from error
