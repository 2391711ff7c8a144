"""Tests that take long: `make test` skips them, `make test-long` runs them."""

import os
import unittest

IS_ON = bool(os.environ.get("NCT_TF_LONG_TESTS"))

# Decorates a test, or a class of tests, that only `make test-long` runs.
only = unittest.skipUnless(IS_ON, "make test-long runs it")


def also(*parameters):
  """Returns the parameters of tests that only `make test-long` runs.

  `make test` runs those that stand beside them:
  `@parameterized.parameters("nct", *long_tests.also("standard"))`.
  """
  return parameters if IS_ON else ()
