from absl.testing import absltest, parameterized

from nct_tf import config as config_lib, errors
from nct_tf.benchmarks import training_steps

_OPTIONS = {
  "network": "mlp",
  "width": 8,
  "batch_size": 16,
  "fake_image_size": 8,
}


class TrainingStepsBenchmarkTest(parameterized.TestCase):
  @parameterized.parameters(
    ("nct", 2, "step of nct, two networks", "first over twice the second"),
    ("standard", 1, "step of standard, one network", "first over the second"),
  )
  def test_times_a_method_beside_one_network(self, method, number, step, ratio):
    config = config_lib.TrainConfig(method=method, **_OPTIONS)
    measured = training_steps.benchmark(config, num_steps=1)
    self.assertEqual(measured["method"], method)
    self.assertEqual(measured["num_networks"], number)
    self.assertGreater(measured["single_step_seconds"], 0)
    # Of one step, medians are what was measured.
    self.assertAlmostEqual(
      measured["ratio"],
      measured["step_seconds"] / (number * measured["single_step_seconds"]),
    )
    text = training_steps.format_benchmark(measured)
    self.assertIn(step, text)
    self.assertIn(ratio, text)
    self.assertIn(f"that over what {method} consumes", text)

  def test_random_images_take_the_place_of_own_ones(self):
    own = config_lib.TrainConfig(
      dataset="folder:not_there", image_size=9, width=8
    )
    config = training_steps.of_random_images(own)
    # What was left to the program is the paper's, as for all but own pictures.
    self.assertEqual(
      config, config_lib.TrainConfig(dataset="fake", width=8, batch_size=128)
    )

  def test_refuses_several_devices(self):
    config = config_lib.TrainConfig(
      strategy="mirrored", num_virtual_cpus=2, **_OPTIONS
    )
    with self.assertRaisesRegex(errors.InvalidInputError, "must be default"):
      training_steps.benchmark(config, num_steps=1)


if __name__ == "__main__":
  absltest.main()
