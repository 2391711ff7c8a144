"""Tests of the choice among trainings."""

import logging
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from unittest import mock

from absl.testing import absltest, parameterized
import numpy as np

from nct_tf import config as config_lib, errors
from nct_tf.experiments import tuning
from nct_tf.training import cost
from nct_tf.workdir import layout
from tests.support import interrupted_runs, long_tests, tiny_run

_SWEEP = "target_variability_max=0.3,1.0"


class TuningTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    folder = self.enter_context(tempfile.TemporaryDirectory())
    self.folder = pathlib.Path(folder)

  def config(self, num_epochs=12, **changes):
    return tiny_run.tiny_config(
      workdir=str(self.folder / "runs"),
      num_train_examples=400,
      validation_fraction=0.25,
      num_epochs=num_epochs,
      **changes,
    )

  @long_tests.only
  def test_scores_are_of_held_out_noisy_labels(self):
    config = self.config()
    choice = tuning.tune(tuning.resolve(config, sweeps=[_SWEEP]))
    best, worst = choice.trials
    for trial in choice.trials:
      workdir = layout.Workdir(trial.candidate.config.workdir)
      columns = workdir.read_history()
      # There is a test split beside, which is not looked at.
      self.assertIn("test_ensemble_accuracy", columns)
      np.testing.assert_allclose(
        trial.score, columns["val_ensemble_accuracy"][2:].mean()
      )
    # Where all labels are random in the end, nothing is learned.
    self.assertEqual(best.candidate.name, "nct target_variability_max=0.3")
    self.assertEqual(choice.num_held_out, 100)
    low, high = worst.behind
    np.testing.assert_allclose((low + high) / 2, best.score - worst.score)
    self.assertEqual(choice.rivals, [worst] * (low <= 0))
    self.assertContainsSubset(
      [
        "--target_variability_max=0.3",
        f"--workdir={self.folder}/runs/best_nct_target_variability_max=0.3",
      ],
      tuning.with_best(config, choice).to_flags(),
    )
    # What has ended is not trained again.
    result = pathlib.Path(best.candidate.config.workdir, "result.json")
    before = result.stat().st_mtime_ns
    again = tuning.tune(tuning.resolve(config, sweeps=[_SWEEP]))
    self.assertEqual(again, choice)
    self.assertEqual(result.stat().st_mtime_ns, before)

  def test_a_usual_value_that_is_not_tried_is_named(self):
    config = self.config(method="co_teaching")
    for values, is_named in (("0.1,0.2", True), ("0.1,estimated", False)):
      with self.assertLogs("nct_tf", "INFO") as logs:
        tuning.resolve(config, sweeps=[f"forget_rate={values}"])
        logging.getLogger("nct_tf").info("the end")
      text = "".join(logs.output)
      self.assertEqual("forget_rate=estimated of co_teaching" in text, is_named)

  def test_a_fifth_is_held_out_if_nothing_else_is_said(self):
    config = tiny_run.tiny_config(workdir=str(self.folder))
    with self.assertLogs("nct_tf", "INFO") as logs:
      for candidate in tuning.resolve(config, sweeps=[_SWEEP]):
        self.assertEqual(candidate.config.validation_fraction, 0.2)
    self.assertIn("--validation_fraction=0.2", "".join(logs.output))
    with self.assertRaisesRegex(errors.InvalidInputError, "`num_folds` must"):
      tuning.resolve(config.replace(num_folds=5, fold=0), sweeps=[_SWEEP])
    with self.assertRaisesRegex(errors.InvalidInputError, "single machine"):
      tuning.resolve(config.replace(strategy="multi_worker"), sweeps=[_SWEEP])

  def test_what_is_auto_is_chosen_once_for_all_runs(self):
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=[40, 8, 8, 1], dtype=np.uint8)
    np.savez(self.folder / "x.npz", images=images, labels=np.arange(40) % 2)
    config = config_lib.TrainConfig(
      dataset=f"npz:{self.folder / 'x.npz'}",
      validation_fraction=0.25,
      workdir=str(self.folder / "runs"),
    )
    estimate = mock.patch.object(
      cost, "estimate", return_value={"epoch_seconds": 0.1}
    )
    with estimate as estimated:
      first, _ = tuning.resolve(config, sweeps=[_SWEEP])
      estimated.reset_mock()
      _, *others = tuning.resolve(
        config.replace(workdir=str(self.folder / "others")),
        ["standard", "nct"],
        ["learning_rate=0.1,0.2"],
      )
      estimated.assert_called_once()
    for each in others:
      self.assertEmpty(each.config.automatic_options)

    # All have as many epochs as the one that needs the most.
    slow = mock.patch.object(
      cost, "estimate", return_value={"epoch_seconds": 200.0}
    )
    with slow:
      found = tuning.resolve(
        config.replace(workdir=str(self.folder / "slow")), ["standard", "incv"]
      )
    self.assertEqual([each.config.num_epochs for each in found], [8, 8])
    self.assertEmpty(first.config.automatic_options)
    self.assertIn("--network=simple_cnn", first.config.to_flags())
    # Runs that have begun tell what was chosen for them.
    begun = first.config.replace(width=5)
    pathlib.Path(begun.workdir).mkdir(parents=True)
    pathlib.Path(begun.workdir, "flags.txt").write_text(begun.to_flagfile())
    again = tuning.resolve(config, sweeps=[_SWEEP])
    self.assertEqual([each.config.width for each in again], [5, 5])

  @long_tests.only
  def test_a_training_that_stops_early_is_no_failure(self):
    config = self.config(method="standard", early_stopping=2)
    sweeps = ["learning_rate=0.05,1e-9"]
    choice = tuning.tune(tuning.resolve(config, sweeps=sweeps), num_jobs=2)
    self.assertLess(choice.trials[-1].num_epochs, 12)
    self.assertIn("1e-09", choice.trials[-1].candidate.name)

  @long_tests.only
  def test_the_worse_half_is_stopped(self):
    # So many that one which is asked to stop has not ended before.
    config = self.config(num_epochs=400, method="standard")
    sweeps = ["learning_rate=0.1,0.05,1e-9,1e-8"]
    choice = tuning.tune(
      tuning.resolve(config, sweeps=sweeps), is_halved=True, num_jobs=2
    )
    self.assertEqual(
      [t.num_epochs for t in choice.trials], [400, 200, 100, 100]
    )
    for trial in choice.trials[2:]:
      self.assertIn("e-0", trial.candidate.name)
      directory = layout.Workdir(trial.candidate.config.workdir)
      self.assertFalse(directory.result_file.exists())
    # What is there of other runs is no sign of how far these have come.
    config = config.replace(learning_rate=0.01, overwrite=True)
    again = tuning.resolve(config, sweeps=["momentum=0.9,0.5"])
    for each in again:
      shutil.rmtree(each.config.workdir, ignore_errors=True)
      shutil.copytree(choice.best.config.workdir, each.config.workdir)
    choice = tuning.tune(again, is_halved=True, num_jobs=2)
    self.assertEqual([t.num_epochs for t in choice.trials], [400, 100])
    directory = layout.Workdir(choice.best.config.workdir)
    self.assertEqual(directory.read_config().learning_rate, 0.01)
    self.assertTrue(tuning.with_best(config, choice).overwrite)

  def test_only_overwrite_deletes_what_is_there(self):
    config = self.config(method="standard", overwrite=True)
    first, second = tuning.resolve(config, sweeps=["momentum=0.9,0.5"])
    folders = []
    for each in (first, second):
      tiny_run.copy(each.config.workdir, method="standard")
      folders.append(layout.Workdir(each.config.workdir))
    is_refused = self.assertRaisesRegex(errors.InvalidInputError, "is in use")
    with folders[1].lock(), is_refused:
      tuning.tune([first, second])
    self.assertFalse(folders[0].flags_file.exists())
    self.assertTrue(folders[1].result_file.exists())

  @long_tests.only
  def test_one_that_diverges_does_not_hide_the_others(self):
    config = self.config(num_epochs=4, method="standard")
    sweeps = ["learning_rate=0.05,1e30,0.1"]
    choice = tuning.tune(tuning.resolve(config, sweeps=sweeps), num_jobs=2)
    (failed,) = choice.failed
    self.assertEqual(choice.trials[-1], failed)
    self.assertEqual(failed.candidate.name, "standard learning_rate=1e+30")
    self.assertIn("a lower --learning_rate", failed.failure)
    self.assertLen(choice.trials, 3)
    only = [failed.candidate]
    with self.assertRaisesRegex(errors.InvalidInputError, "1 of 1 trainings"):
      tuning.tune(only)

  @parameterized.parameters(1, 2)
  @long_tests.only
  def test_ctrl_c_in_a_terminal(self, num_times):
    workdir = self.folder / "runs"
    process = subprocess.Popen(
      [sys.executable, "-m", "scripts.tune", *interrupted_runs.TINY]
      + ["--num_epochs=500", "--network=mlp", "--methods=standard,gce"]
      + [f"--workdir={workdir}"],
      cwd=interrupted_runs.ROOT,
      stderr=subprocess.PIPE,
      text=True,
      start_new_session=True,
    )
    begun = interrupted_runs.has_checkpoint(workdir / "standard", "ckpt-1")
    self.assertTrue(interrupted_runs.wait_for(process, begun))
    for _ in range(num_times):
      # As a terminal does it: to all processes of the group.
      os.killpg(process.pid, signal.SIGINT)
      time.sleep(0.05)
    code, text = interrupted_runs.finish(process)
    self.assertEqual(code, errors.RESTART_CODE, text)
    with layout.Workdir(workdir / "standard").lock():  # Nobody trains there.
      log = (workdir / "standard.log").read_text()
    if num_times == 1:
      self.assertRegex(log, r"stopped after the step; ckpt-\S+ is saved")


if __name__ == "__main__":
  absltest.main()
