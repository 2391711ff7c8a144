import sys

from absl.testing import absltest

from nct_tf import config as config_lib, errors
from nct_tf.benchmarks import end_to_end


class EndToEndBenchmarkTest(absltest.TestCase):
  """Tests of `scripts.benchmark` measure whole trainings."""

  def test_tells_why_a_training_failed(self):
    command = (sys.executable, "-c", "raise SystemExit('train: no images')")
    with self.assertRaisesRegex(
      errors.InvalidInputError, "ended with code 1: train: no images"
    ):
      end_to_end.benchmark(config_lib.TrainConfig(), 1, command)

  def test_format(self):
    text = end_to_end.format_benchmark(
      {
        "network": "mlp",
        "width": 8,
        "batch_size": 128,
        "image_shape": [32, 32, 3],
        "mixed_precision": "none",
        "device": {
          "name": "Some processor",
          "kind": "CPU",
          "num_devices": 1,
          "uses_tf32": False,
          "matmul_flops_per_second": {"float32": 3e11},
          "copied_bytes_per_second": 2e10,
        },
        "dataset": "fake",
        "num_train_examples": 60000,
        "num_epochs": 3,
        "images_per_second": 19000.0,
        "whole_images_per_second": 17000.0,
        "bare_images_per_second": 20000.0,
        "step_seconds": 0.0064,
        "ratio": 0.95,
        "evaluation_share": 0.07,
        "first_step_seconds": 28.0,
        "warm_first_step_seconds": 9.5,
      }
    )
    self.assertIn("Some processor, 1 processor; matrix products: float32", text)
    self.assertRegex(text, r"\ntraining, end to end +19,000 images/s\n")
    self.assertRegex(text, r"the bare step +20,000 images/s, 6\.40 ms\n")
    self.assertRegex(text, r"end to end over the bare step +0\.950\n")
    self.assertRegex(text, r"the same, with a warm cache +9\.5 s$")


if __name__ == "__main__":
  absltest.main()
