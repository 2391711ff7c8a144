"""A method that the project does not know goes everywhere that others go."""

import csv
import pathlib
import subprocess
import sys
import tempfile

from absl.testing import absltest, parameterized
import numpy as np
import tensorflow as tf

from nct_tf.training import run
from nct_tf.workdir import layout
from tests.support import interrupted_runs, tiny_run, toy_method


def setUpModule():
  toy_method.register()


def train(workdir):
  """Trains as the program does, but writes fewer checkpoints."""
  settings = {
    **toy_method.SETTINGS,
    "checkpoint_every_minutes": None,
    "workdir": str(workdir),
  }
  run.train_and_evaluate(tiny_run.tiny_config(**settings))
  return layout.Workdir(workdir)


class ToyMethodTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = tempfile.TemporaryDirectory()
    cls.addClassCleanup(folder.cleanup)
    cls.folder = pathlib.Path(folder.name)
    cls.directory = train(cls.folder / "undisturbed")

  def column(self, name):
    with open(self.directory.history_file, newline="") as file:
      return [float(row[name]) for row in csv.DictReader(file)]

  def test_ends_alike_where_it_is_killed_within_each_phase(self):
    workdir = self.folder / "killed"
    for epoch in toy_method.PHASE_BEGINS:
      process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.toy_method", str(workdir)],
        cwd=interrupted_runs.ROOT,
        stderr=subprocess.DEVNULL,
      )
      is_within = interrupted_runs.has_checkpoint(workdir, f"ckpt-{epoch}-2")
      self.assertTrue(interrupted_runs.wait_for(process, is_within))
      process.kill()
      process.wait()
      self.assertFalse((workdir / "result.json").exists())
    train(workdir)
    self.assertEmpty(interrupted_runs.differences(self.directory.path, workdir))

  def test_phases_set_the_learning_rate_and_restart(self):
    self.assertEqual(self.column("phase"), [0, 0, 1, 1, 2, 2])
    np.testing.assert_allclose(
      self.column("learning_rate"), [0.02] * 2 + [0.005] * 2 + [0.05] * 2
    )
    # The third phase begins anew, and so does the accuracy.
    accuracy = self.column("ensemble_accuracy")
    self.assertLess(accuracy[4], accuracy[3])

  def test_what_it_remembers_is_in_the_checkpoint(self):
    path = interrupted_runs.last_checkpoint(self.directory.path)
    reader = tf.train.load_checkpoint(path)
    names = reader.get_variable_to_shape_map()
    (hardness,) = (name for name in names if "method_hardness" in name)
    (confidence,) = (name for name in names if "method_confidence" in name)
    self.assertEqual(names[hardness], [320, 2])
    self.assertTrue((reader.get_tensor(hardness) > 0).all())
    self.assertBetween(reader.get_tensor(confidence), 0.1, 1.0)

  def test_weights_and_schedule_are_logged(self):
    np.testing.assert_allclose(
      self.column("strength"), np.arange(6) / 6, rtol=1e-6
    )
    self.assertEqual(self.column("weight_1")[0] <= 1, True)
    self.assertLess(self.column("weight_2")[-1], 1)


if __name__ == "__main__":
  absltest.main()
