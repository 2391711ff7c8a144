"""The ensemble as a SavedModel that TF Serving loads."""

import contextlib
import io
import logging
import os
import pathlib
import shutil
import tempfile

import keras
import tensorflow as tf

from nct_tf import classifier, errors, preprocessing

_logger = logging.getLogger(__name__)


def export(model, result, export_dir, version=None):
  """Writes `export_dir/<version>/`, whole or not at all.

  Its signature `serving_default` takes `images`, uint8 [batch, height, width,
  channels], and gives `probabilities`, float32 [batch, num_classes]: the
  normalisation of the training is inside.

  Args:
    model: a `Classifier`.
    result: dict of the run's `result.json`.
    export_dir: str, the folder of all versions.
    version: int, at least 1; None for the next that is free.

  Returns:
    the path of the new version.

  Raises:
    InvalidInputError: if the version exists, or nothing can be written.
  """
  check_writable(export_dir)
  base = pathlib.Path(export_dir)
  try:
    target = base / str(version or _next_version(base))
    if target.exists():
      raise errors.InvalidInputError(
        f"Version {target.name} exists in {base} already: give another "
        "--version, or none for the next that is free"
      )
    # TF Serving takes whole numbers for versions and passes this name over.
    temporary = base / f".tmp-{target.name}-{os.getpid()}"
    try:
      _write(model, result, temporary)
      os.rename(temporary, target)
    finally:
      shutil.rmtree(temporary, ignore_errors=True)
  except OSError as error:
    raise errors.InvalidInputError(
      f"Nothing can be exported to {base}: {error.strerror}"
    ) from error
  _logger.info("Exported the ensemble to %s", target)
  return target


def check_writable(export_dir):
  """Makes the folder; raises `InvalidInputError` if nothing can go there."""
  try:
    os.makedirs(export_dir, exist_ok=True)
    with tempfile.TemporaryFile(dir=export_dir):
      pass
  except OSError as error:
    raise errors.InvalidInputError(
      f"Nothing can be exported to {export_dir}: {error.strerror}"
    ) from error


def _next_version(base):
  versions = [
    int(child.name) for child in base.iterdir() if child.name.isdigit()
  ]
  return max(versions, default=0) + 1


def _write(model, result, path):
  signature = tf.TensorSpec(
    [None, *result["image_shape"]], tf.uint8, name="images"
  )

  def serve(images):
    normalized = preprocessing.normalize(images, result["mean"], result["std"])
    joint = classifier.ensemble_logits(model.logits(normalized))
    return {"probabilities": tf.nn.softmax(joint)}

  # `tf.saved_model.save` of a Keras 3 model would load in Python alone.
  archive = keras.export.ExportArchive()
  for network in model.networks:
    archive.track(network)
  archive.add_endpoint("serving_default", serve, input_signature=[signature])
  with contextlib.redirect_stdout(io.StringIO()):  # It prints a report.
    archive.write_out(str(path))
