"""A SavedModel in a TensorFlow session, as TF Serving holds it."""

import contextlib
import logging

import tensorflow as tf


class SavedModelSession:
  """Loads a SavedModel by the loader of sessions and runs its signatures.

  TF Serving's C++ loader does the same: what Python objects a SavedModel could
  be turned back into does not matter here.

  Args:
    path: str, the folder of one version.
  """

  def __init__(self, path):
    self._session = tf.compat.v1.Session(graph=tf.Graph())
    with self._session.graph.as_default(), _no_deprecation():
      definitions = tf.compat.v1.saved_model.load(
        self._session, [tf.saved_model.SERVING], str(path)
      ).signature_def
    # One without inputs is the loader's own, to initialise.
    self.signatures = {
      name: definition
      for name, definition in definitions.items()
      if definition.inputs
    }

  def run(self, signature, value):
    """Asks once.

    Args:
      signature: str, one of `signatures`.
      value: array or sequence, for its only input.

    Returns:
      dict from output to array.

    Raises:
      tf.errors.OpError: if the graph refuses it.
    """
    definition = self.signatures[signature]
    (tensor,) = definition.inputs.values()
    return self._session.run(
      {name: output.name for name, output in definition.outputs.items()},
      {tensor.name: value},
    )

  def close(self):
    """Frees the model's memory."""
    self._session.close()

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self.close()


@contextlib.contextmanager
def _no_deprecation():
  # What is said to be deprecated in Python is how the server does it.
  logger = tf.get_logger()
  level = logger.level
  logger.setLevel(logging.ERROR)
  try:
    yield
  finally:
    logger.setLevel(level)
