"""Each method, trained on digits with 40 % wrong labels."""

import functools
import pathlib
import tempfile

from absl.testing import absltest, parameterized

from nct_tf import methods
from tests.support import long_tests, tiny_run

_SETTINGS = {
  "num_train_examples": None,
  "noise_type": "symmetric_exclusive",
  "noise_rate": 0.4,
  "network": "simple_cnn",
  "width": 32,
  "num_epochs": 40,
  "batch_size": 128,
}
# What is left of the difference to standard training in docs/methods.md when
# another machine rounds otherwise.
_MARGIN = 0.03


@functools.cache
def last_accuracy(method):
  """Returns the mean accuracy of the last ten epochs."""
  with tempfile.TemporaryDirectory() as folder:
    directory = tiny_run.train(
      pathlib.Path(folder) / "run", method=method, **_SETTINGS
    )
    return directory.read_result()["last10_accuracy"]


@long_tests.only
class DigitsTest(parameterized.TestCase):
  # Bootstrapping with 95 % of the label is too close to standard training.
  @parameterized.parameters(
    *sorted(set(methods.names()) - {"standard", "bootstrap"})
  )
  def test_ends_above_standard_training(self, method):
    self.assertGreater(
      last_accuracy(method), last_accuracy("standard") + _MARGIN
    )


if __name__ == "__main__":
  absltest.main()
