import importlib.util
import sys
import unittest

from absl.testing import absltest, parameterized

from nct_tf import config as config_lib, errors
from nct_tf.benchmarks import training_steps

_HAS_TORCH = importlib.util.find_spec("torch") is not None
_CONFIG = config_lib.TrainConfig(
  network="preact_resnet10",
  width=4,
  batch_size=8,
  fake_image_size=8,
  dataset="fake",
)


class TorchStepsTest(parameterized.TestCase):
  @unittest.skipIf(_HAS_TORCH, "PyTorch is installed")
  def test_says_how_to_install_torch(self):
    with self.assertRaisesRegex(
      errors.InvalidInputError,
      "needs PyTorch: install it, as with `pip install .*--torch_python",
    ):
      training_steps.benchmark(_CONFIG, 1, "torch")

  @parameterized.parameters(
    ("/not/there", "must be a program that runs. Received: /not/there"),
    ("/bin/false", "torch_steps ended with code 1: it said nothing"),
  )
  def test_refuses_what_is_no_python(self, python, message):
    with self.assertRaisesRegex(errors.InvalidInputError, message):
      training_steps.benchmark(_CONFIG, 1, "torch", python)

  @unittest.skipUnless(_HAS_TORCH, "PyTorch is not installed")
  def test_is_timed_beside(self):
    measured = training_steps.benchmark(_CONFIG, 1, "torch", sys.executable)
    names = [row["name"] for row in measured["rows"]]
    self.assertEqual(names[2:4], ["torch, contiguous", "torch, channels last"])
    for row in measured["rows"][2:]:
      self.assertStartsWith(row["framework"], "PyTorch ")
      self.assertGreater(row["step_seconds"], 0)


if __name__ == "__main__":
  absltest.main()
