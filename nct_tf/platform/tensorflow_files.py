"""What TensorFlow raises where it cannot write files, as Python's own errors.

Apart from `files`, whose importers need not wait for TensorFlow.
"""

import contextlib
import errno
import os

import tensorflow as tf


@contextlib.contextmanager
def os_errors():
  """Raises what Python's own files would where TensorFlow's cannot write.

  Raises:
    OSError: if the disk is full, or if writing is not permitted.
  """
  try:
    yield
  except tf.errors.ResourceExhaustedError as error:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
  except tf.errors.PermissionDeniedError as error:
    raise OSError(errno.EACCES, os.strerror(errno.EACCES)) from error
