from absl.testing import absltest
import numpy as np

from flags import script_flags
from nct_tf import config as config_lib, errors
from nct_tf.benchmarks import bare_step, methods
from tests.support import long_tests

_CONFIG = config_lib.TrainConfig(
  network="mlp",
  width=8,
  batch_size=16,
  fake_image_size=4,
  fake_num_train_examples=5000,
)


class MethodsBenchmarkTest(absltest.TestCase):
  @long_tests.only
  def test_times_methods_beside_plain_training(self):
    # More than are timed at once.
    chosen = ["nct", "standard", "mixup", "gce", "elr", "jocor", "co_teaching"]
    measured = methods.benchmark(_CONFIG, num_steps=1, methods=chosen)
    rows = {row["name"]: row for row in measured["rows"]}
    self.assertCountEqual(rows, chosen)
    self.assertEqual(measured["num_examples"], 5000)
    standard, pair = rows["standard"], rows["co_teaching"]
    self.assertEqual((standard["ratio"], standard["memory_ratio"]), (1.0, 1.0))
    self.assertEqual(pair["num_networks"], 2)
    self.assertAlmostEqual(pair["network_ratio"], pair["ratio"] / 2)
    text = methods.format_benchmark(measured)
    self.assertRegex(text, r"\nstandard +1 .* 1\.000 +1\.000 ")
    self.assertIn("\n5,000 examples of 10 classes\n", text)

  def test_format(self):
    text = methods.format_benchmark(
      {
        "network": "mlp",
        "width": 8,
        "batch_size": 16,
        "image_shape": [4, 4, 3],
        "mixed_precision": "none",
        "num_examples": 1_000_000,
        "num_classes": 100,
        "device": {
          "name": "Chip",
          "kind": "CPU",
          "num_devices": 2,
          "uses_tf32": False,
          "matmul_flops_per_second": {"float32": 2e11, "bfloat16": 4e11},
          "copied_bytes_per_second": 2e10,
        },
        "rows": [
          {
            "name": "jocor",
            "num_networks": 2,
            "step_seconds": 0.25,
            "ratio": 2.03,
            "network_ratio": 1.015,
            "memory_bytes": 1_200_000_000,
            "memory_ratio": 1.5,
          }
        ],
      }
    )
    self.assertIn("\n1,000,000 examples of 100 classes\n", text)
    self.assertRegex(
      text, r"\njocor +2 +250\.00 ms +2\.030 +1\.015 +1\.2 GB +1\.50$"
    )

  def test_steps_have_the_values_of_the_last_epoch(self):
    step = bare_step.BareStep(
      _CONFIG.replace(
        method="decoupling", fake_num_train_examples=16, num_epochs=4
      ),
      num_examples=5000,
    )
    self.assertEqual(float(step.model.uses_disagreement), 1.0)
    self.assertEqual(step.model.remembered["num_examples"], 5000)
    self.assertTrue(np.isfinite(step.seconds(1)))

  def test_refuses_several_devices(self):
    config = _CONFIG.replace(strategy="mirrored", num_virtual_cpus=2)
    with self.assertRaisesRegex(errors.InvalidInputError, "must be default"):
      methods.benchmark(config, num_steps=1)

  def test_refuses_methods_for_another_suite(self):
    with self.assertRaisesRegex(errors.InvalidInputError, "suite=methods"):
      script_flags.Benchmark(methods=("elr",))
    with self.assertRaisesRegex(errors.InvalidInputError, "nct, standard"):
      script_flags.Benchmark(suite="methods", methods=("none",))


if __name__ == "__main__":
  absltest.main()
