"""A method that the project does not know goes everywhere that others go."""

import csv
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

from absl.testing import absltest, parameterized
import numpy as np
import tensorflow as tf

from nct_tf import errors
from nct_tf.audit import run_audit
from nct_tf.benchmarks import bare_step
from nct_tf.reporting import plotting
from nct_tf.serving import exporting
from nct_tf.serving.clients import local_client
from nct_tf.training import run
from nct_tf.workdir import layout, result as result_lib
from tests.support import interrupted_runs, long_tests, tiny_run, toy_method


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

  @long_tests.only
  def test_ends_alike_where_it_is_killed_within_each_phase(self):
    workdir = self.folder / "killed"
    for epoch in toy_method.PHASE_BEGINS:
      process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.toy_method", str(workdir)],
        cwd=interrupted_runs.ROOT,
        stderr=subprocess.DEVNULL,
      )
      is_within = interrupted_runs.has_come_to(workdir, epoch, 2)
      self.assertTrue(interrupted_runs.wait_for(process, is_within))
      process.kill()
      process.wait()
      self.assertFalse((workdir / "result.json").exists())
    train(workdir)
    self.assertEmpty(interrupted_runs.differences(self.directory.path, workdir))

  # After the second epoch the learning rate changes, after the fourth the
  # networks begin anew.
  @parameterized.parameters(
    ("SIGTERM", 1, errors.RESTART_CODE),
    ("SIGTERM", 3, errors.RESTART_CODE),
    ("SIGKILL", 3, -signal.SIGKILL),
  )
  @long_tests.only
  def test_ends_alike_where_it_is_stopped_between_epochs(
    self, name, epoch, code
  ):
    workdir = self.folder / f"{name}{epoch}"
    command = [sys.executable, "-m", "tests.support.toy_method", str(workdir)]
    process = subprocess.run(
      [*command, name, str(epoch)],
      cwd=interrupted_runs.ROOT,
      stderr=subprocess.DEVNULL,
      check=False,
    )
    self.assertEqual(process.returncode, code)
    self.assertLen(layout.Workdir(workdir).read_history()["epoch"], epoch)
    train(workdir)
    self.assertEmpty(interrupted_runs.differences(self.directory.path, workdir))

  def test_phases_set_the_learning_rate_and_restart(self):
    self.assertEqual(self.column("phase"), [0, 0, 1, 1, 2, 2])
    # The schedule begins anew, too: 90 % of two epochs is one.
    np.testing.assert_allclose(
      self.column("learning_rate"), [0.1, 0.1, 0.005, 0.005, 0.1, 0.05]
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

  def test_its_labels_are_audited(self):
    directory = layout.Workdir(self.folder / "audited")
    shutil.copytree(self.directory.path, directory.path)
    result = run_audit.audit_run(directory, num_folds=0)
    # Held-out ones, too.
    self.assertLen(result.index, 400)
    self.assertEqual(result.num_held_out, 80)
    self.assertGreater(result.truth["average_precision"], 0.3)
    self.assertNotEqual(result.disagreement.max(), 0)
    page = (directory.audit_dir(0) / "index.html").read_text()
    self.assertIn("wrong", page)

  def test_it_is_exported_and_predicts(self):
    folder = self.folder / "exports"
    version = exporting.export_run(self.directory, str(folder), members=True)
    card = (version / "MODEL_CARD.md").read_text()
    self.assertIn(
      "Two networks turn away from examples", " ".join(card.split())
    )
    self.assertIn("Nobody, 2026", card)
    client = local_client.LocalClient(str(folder))
    pixels = np.zeros([8, 8, 1], np.uint8)
    png = tf.io.encode_png(pixels).numpy()
    answer = client.predict([png, png])
    self.assertLen(answer["class_name"], 2)
    self.assertIn("disagreement", answer)

  def test_it_is_compared_and_drawn(self):
    result = self.directory.read_result()
    self.assertEqual(result["method"], "toy")
    self.assertIn("toy", result_lib.format_results([result], ["run"]))
    figure = self.folder / "figure.png"
    plotting.plot_memorisation(
      [("run", result, self.directory.read_history())], figure
    )
    self.assertGreater(figure.stat().st_size, 10_000)

  @long_tests.only
  def test_it_is_measured(self):
    config = self.directory.read_config().replace(
      batch_size=8, fake_image_size=8, fake_num_train_examples=16
    )
    step = bare_step.BareStep(config)
    self.assertEqual(step.describe()["num_networks"], 2)
    self.assertGreater(step.seconds(1), 0)


if __name__ == "__main__":
  absltest.main()
