"""Finds out whether optional packages are there, without importing them."""

import importlib.util

from nct_tf import errors


def has_addons():
  """Returns whether tensorflow-addons is installed."""
  return importlib.util.find_spec("tensorflow_addons") is not None


def require_addons(wanted):
  """Raises `InvalidInputError` if `wanted` needs addons that are not there."""
  if not has_addons():
    from importlib import metadata  # It takes a while, and is rarely needed.

    raise errors.InvalidInputError(
      f"{wanted} needs tensorflow-addons, which exists for Python 3.10 and 3.11"
      f" (TensorFlow 2.15) only; this is Keras {metadata.version('keras')}"
    )
