"""Predictions of a SavedModel in this process."""

import pathlib

import numpy as np
import tensorflow as tf

from nct_tf import errors
from nct_tf.serving import session, version_folders
from nct_tf.serving.clients import refusals


class LocalClient:
  """Asks the signature `serving_bytes` of an exported version.

  Args:
    export_dir: str, the folder of all versions.
    version: int; None for the highest.

  Raises:
    InvalidInputError: if there is no such version, or it cannot be loaded.
  """

  def __init__(self, export_dir, version=None):
    path = _find_version(export_dir, version)
    try:
      self._session = session.SavedModelSession(path)
    except (tf.errors.OpError, OSError) as error:
      raise errors.InvalidInputError(
        f"{path} cannot be loaded: {refusals.reason(error)}"
      ) from error
    if refusals.SIGNATURE not in self._session.signatures:
      raise errors.InvalidInputError(
        refusals.no_signature(path, self._session.signatures)
      )

  def predict(self, image_bytes):
    """Classifies encoded images.

    Args:
      image_bytes: list of bytes, JPEG or PNG each.

    Returns:
      dict from output of the signature to list [num_images].

    Raises:
      RefusedError: if one of the images cannot be read.
    """
    try:
      answer = self._session.run(
        refusals.SIGNATURE, np.array(image_bytes, object)
      )
    except tf.errors.InvalidArgumentError as error:
      raise refusals.RefusedError(refusals.reason(error.message)) from error
    return {name: values.tolist() for name, values in answer.items()}


def _find_version(export_dir, version):
  try:
    versions = version_folders.find(export_dir)
  except OSError as error:
    raise errors.InvalidInputError(
      f"{export_dir} cannot be read: {error.strerror}"
    ) from error
  if version is None and versions:
    return versions[max(versions)]
  if (pathlib.Path(export_dir) / "saved_model.pb").exists():
    raise errors.InvalidInputError(
      f"{export_dir} is itself a version: give the folder that it is in, and "
      "--version"
    )
  if (pathlib.Path(export_dir) / "flags.txt").exists():
    raise errors.InvalidInputError(
      f"{export_dir} is a run, not an export: scripts.export makes one of it"
    )
  if version not in versions:
    raise errors.InvalidInputError(
      f"{export_dir} has no version{f' {version}' if version else ''}, but "
      f"{', '.join(map(str, versions)) or 'none at all'}"
    )
  return versions[version]
