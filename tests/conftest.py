"""A folder for the runs that the tests of one call of pytest share."""

import os
import shutil
import tempfile

from tests.support import tiny_run


def pytest_configure(config):
  """Makes the folder before workers start, which inherit the environment."""
  if not hasattr(config, "workerinput"):
    os.environ[tiny_run.SHARED_FOLDER] = tempfile.mkdtemp()


def pytest_unconfigure(config):
  if not hasattr(config, "workerinput"):
    shutil.rmtree(os.environ.pop(tiny_run.SHARED_FOLDER), ignore_errors=True)
