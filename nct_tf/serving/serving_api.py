"""TF Serving's messages, from the package tensorflow-serving-api."""

import importlib.util

from nct_tf import errors


def available():
  """Returns whether tensorflow-serving-api is installed."""
  return importlib.util.find_spec("tensorflow_serving") is not None


def require(wanted):
  """Raises `InvalidInputError` naming `wanted` where it is not installed."""
  if not available():
    raise errors.InvalidInputError(
      f"{wanted} needs tensorflow-serving-api: pip install -e '.[serving]'"
    )
