"""Runs whose label noise is a map, or a file."""

import pathlib
import tempfile

from absl.testing import absltest
import numpy as np

from nct_tf import config, errors, label_noise
from nct_tf.input_pipeline import run_data
from nct_tf.training import run
from nct_tf.workdir import layout
from tests.support import tiny_run

_MATRIX = 0.7 * np.eye(10) + 0.03


class NoiseMatrixTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(
      self.enter_context(tempfile.TemporaryDirectory())
    )
    self.matrix_file = self.folder / "t.csv"
    self.write(_MATRIX)
    self.config = tiny_run.tiny_config(
      noise_type="asymmetric",
      noise_rate=0.0,
      noise_matrix=str(self.matrix_file),
      method="standard",
      workdir=str(self.folder / "run"),
    )
    self.directory = layout.Workdir(self.folder / "run")

  def write(self, matrix):
    np.savetxt(self.matrix_file, matrix, "%.17g", ",")

  def train(self):
    return run.train_and_evaluate(self.config)

  def assert_refuses(self):
    with self.assertRaisesRegex(
      errors.InvalidInputError, "began with another noise matrix.*noise.npz"
    ):
      self.train()

  def test_what_cannot_be_is_told_before_the_data_are_read(self):
    for options, message in (
      ({"noise_rate": 0.4}, "--noise_matrix=FILE.*Received: dataset=folder:"),
      ({"noise_matrix": "none.npy"}, "none.npy cannot be read"),
    ):
      configured = tiny_run.tiny_config(
        **{
          "dataset": "folder:none",
          "noise_type": "asymmetric",
          "noise_rate": 0.0,
          **options,
        }
      )
      with self.assertRaisesRegex(errors.InvalidInputError, message):
        run_data.load(configured)

  def test_a_run_keeps_its_matrix(self):
    result = self.train()
    self.assertAlmostEqual(result["noise_rate"], 0.27)
    with np.load(self.directory.noise_file) as noise:
      arrays = dict(noise)
    np.testing.assert_allclose(arrays["noise_matrix"], _MATRIX)
    given, is_clean = label_noise.corrupt_by_matrix(
      arrays["true_label"], _MATRIX, 0
    )
    np.testing.assert_array_equal(arrays["given_label"], given)
    self.assertEqual(result["actual_noise_rate"], np.mean(~is_clean))

    with self.subTest("its flags repeat it"):
      flags = self.directory.flags_file.read_text()
      self.assertIn(f"--noise_matrix={self.matrix_file}\n", flags)
      self.assertEqual(
        config.TrainConfig.from_flagfile(flags),
        self.config.replace(workdir=None).with_absolute_places(),
      )
    with self.subTest("another matrix is refused"):
      self.write(np.eye(10))
      self.assert_refuses()
      self.directory.result_file.rename(self.folder / "result.json")
      self.assert_refuses()
      (self.folder / "result.json").rename(self.directory.result_file)
    with self.subTest("a finished run's file may be gone"):
      self.matrix_file.unlink()
      self.assertEqual(self.train(), result)
    with self.subTest("noise.npz gives it back"):
      self.write(arrays["noise_matrix"])
      self.assertEqual(self.train(), result)


if __name__ == "__main__":
  absltest.main()
