from absl.testing import absltest

from nct_tf import config as config_lib, errors
from nct_tf.benchmarks import scaling
from tests.support import long_tests, virtual_devices

_CONFIG = config_lib.TrainConfig(
  strategy="mirrored",
  num_virtual_cpus=2,
  network="mlp",
  width=8,
  batch_size=16,
  fake_num_train_examples=32,
  fake_num_test_examples=10,
  fake_image_size=4,
)


class ScalingBenchmarkTest(absltest.TestCase):
  @long_tests.only
  def test_times_steps_and_counts_bytes(self):
    self.assertGreaterEqual(virtual_devices.NUM_DEVICES, 2)
    measured = scaling.benchmark(_CONFIG, num_steps=3)
    one, two = measured["replicas"]
    self.assertEqual((one["num_replicas"], two["num_replicas"]), (1, 2))
    self.assertEqual(one["ratio"], 1.0)
    self.assertGreater(two["step_seconds"], 0.0)
    # Two networks of 48 -> 8 -> 8 -> 10.
    parameters = 2 * (48 * 8 + 8 + 8 * 8 + 8 + 8 * 10 + 10)
    num_bytes = measured["all_reduced_bytes"]
    self.assertEqual(num_bytes["gradients"], 4 * parameters)
    # The size of the batch twice, and a number a metric.
    self.assertBetween(num_bytes["others"], 8, 100)
    text = scaling.format_benchmark(measured)
    self.assertIn(f"{4 * parameters:,} of gradients", text)

  def test_refuses_one_device(self):
    config = config_lib.TrainConfig(network="mlp")
    with self.assertRaisesRegex(errors.InvalidInputError, "must be mirrored"):
      scaling.benchmark(config, num_steps=3)


if __name__ == "__main__":
  absltest.main()
