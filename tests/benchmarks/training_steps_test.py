from absl.testing import absltest, parameterized
import numpy as np

from nct_tf import config as config_lib, errors
from nct_tf.benchmarks import bare_step, training_steps
from tests.support import long_tests

_OPTIONS = {
  "network": "mlp",
  "width": 8,
  "batch_size": 16,
  "fake_image_size": 8,
}
_DEVICE = {
  "name": "Card",
  "kind": "GPU",
  "num_devices": 2,
  "uses_tf32": True,
  "matmul_flops_per_second": {"float32": 4e14, "bfloat16": 8e14},
  "copied_bytes_per_second": 4.3e12,
}


def _row(name, number, seconds, ratio):
  return {
    "name": name,
    "framework": "TensorFlow 2",
    "num_networks": number,
    "uses_xla": True,
    "step_seconds": seconds,
    "images_per_second": 128 / seconds,
    "flops_per_second": 2e14,
    "peak_fraction": 0.25,
    "first_step_seconds": 12.0,
    "memory_bytes": 3_000_000_000,
    "ratio": ratio,
  }


class BareStepTest(parameterized.TestCase):
  @parameterized.parameters(("nct", 2), ("standard", 1))
  def test_steps_are_made_and_described(self, method, number):
    step = bare_step.BareStep(config_lib.TrainConfig(method=method, **_OPTIONS))
    described = step.describe()
    self.assertEqual(described["num_networks"], number)
    # 192 -> 8 -> 8 -> 10, and three passes over 16 images.
    flops = 2 * (192 * 8 + 8 * 8 + 8 * 10)
    self.assertEqual(described["step_flops"], 3 * 16 * number * flops)
    self.assertGreater(described["first_step_seconds"], 0)
    self.assertGreater(step.seconds(2), 0)

  def test_random_images_take_the_place_of_own_ones(self):
    own = config_lib.TrainConfig(
      dataset="folder:not_there", image_size=9, width=8
    )
    config = bare_step.of_random_images(own)
    # What was left to the program is the paper's, as for all but own pictures.
    self.assertEqual(
      config, config_lib.TrainConfig(dataset="fake", width=8, batch_size=128)
    )


class TrainingStepsBenchmarkTest(parameterized.TestCase):
  @long_tests.only
  def test_times_a_method_beside_one_network(self):
    for method, number in (("nct", 2), ("standard", 1)):
      config = config_lib.TrainConfig(method=method, **_OPTIONS)
      measured = training_steps.benchmark(config, num_steps=1)
      self.assertEqual(measured["num_networks"], number)
      # Of one step, medians are what was measured.
      self.assertAlmostEqual(
        measured["ratio"],
        measured["step_seconds"] / (number * measured["single_step_seconds"]),
      )
      own, single = measured["rows"]
      self.assertAlmostEqual(
        single["ratio"], own["step_seconds"] / single["step_seconds"]
      )

  def test_functions_take_turns(self):
    calls = []

    def timer(name, seconds):
      def call():
        calls.append(name)
        return seconds

      return call

    times = training_steps.time_in_turn([timer("a", 1), timer("b", 2)], 2)
    np.testing.assert_array_equal(times, [[1, 2], [1, 2]])
    self.assertEqual(calls, ["a", "b"] * 5)  # Three are for warming up.

  def test_format(self):
    text = training_steps.format_benchmark(
      {
        "method": "nct",
        "network": "preact_resnet18",
        "width": 64,
        "batch_size": 128,
        "image_shape": [32, 32, 3],
        "mixed_precision": "bfloat16",
        "device": _DEVICE,
        "num_networks": 2,
        "ratio": 0.951,
        "pipeline_images_per_second": 80000.0,
        "pipeline_ratio": 4.0,
        "rows": [
          _row("nct", 2, 0.00584, 1.0),
          _row("standard", 1, 1.25, 1.9),
        ],
      }
    )
    self.assertIn(
      "Card, 2 GPUs; matrix products: TF32 400 TFLOP/s, bfloat16 800 TFLOP/s; "
      "memory 4.3 TB/s",
      text,
    )
    self.assertRegex(
      text,
      r"\nnct +5\.84 ms +21,918 +200 TFLOP/s +25\.0 % +12 s +3\.0 GB +1\.00\n",
    )
    self.assertRegex(text, r"\nstandard +1\.250 s ")
    self.assertIn("\nnct over twice one network alone: 0.951\n", text)
    self.assertIn("80,000 images/s, 4.0 times what nct consumes", text)

  def test_refuses_several_devices(self):
    config = config_lib.TrainConfig(
      strategy="mirrored", num_virtual_cpus=2, **_OPTIONS
    )
    with self.assertRaisesRegex(errors.InvalidInputError, "must be default"):
      training_steps.benchmark(config, num_steps=1)

  @parameterized.parameters(
    ({"method": "standard"}, "is of the method nct"),
    ({"network": "mlp"}, "`network` must be one of preact_resnet18"),
    ({"mixed_precision": "float16"}, "`mixed_precision` must be one of none"),
    ({"clip_norm": 1.0}, "`clip_norm` must be None with compare=torch"),
  )
  def test_refuses_what_torch_does_not_do(self, options, message):
    config = config_lib.TrainConfig(**options)
    with self.assertRaisesRegex(errors.InvalidInputError, message):
      training_steps.benchmark(config, num_steps=1, compare="torch")


if __name__ == "__main__":
  absltest.main()
