"""Tests of the choice among trainings."""

import dataclasses
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
from nct_tf.experiments import candidates, tuning
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
    with estimate:
      first, _ = tuning.resolve(config, sweeps=[_SWEEP])
    self.assertEmpty(first.config.automatic_options)
    self.assertIn("--network=simple_cnn", first.config.to_flags())
    # Runs that have begun tell what was chosen for them.
    begun = first.config.replace(width=5)
    pathlib.Path(begun.workdir).mkdir(parents=True)
    pathlib.Path(begun.workdir, "flags.txt").write_text(begun.to_flagfile())
    again = tuning.resolve(config, sweeps=[_SWEEP])
    self.assertEqual([each.config.width for each in again], [5, 5])

  def test_only_examples_count_that_one_alone_gets_right(self):
    first = np.array([1, 1, 1, 0] * 25, bool)
    low, high = tuning.interval_of_difference(0.25, first, first)
    self.assertEqual((low, high), (0.25, 0.25))
    second = np.array([1, 1, 0, 0] * 25, bool)
    low, high = tuning.interval_of_difference(0.25, first, second)
    error = 1.96 * np.sqrt(0.25 * 0.75 / 100)
    np.testing.assert_allclose([low, high], [0.25 - error, 0.25 + error])

  def test_who_cannot_be_told_from_the_best_is_named(self):
    first, other = candidates.create(self.config(), ["gce", "elr"])
    second = tuning.Trial(other, 12, 0.79, 2.0, behind=(-0.02, 0.04))
    choice = tuning.Choice(
      (
        tuning.Trial(first, 12, 0.8, 3.0),
        second,
      ),
      100,
    )
    text = " ".join(tuning.format_choice(choice).split())
    self.assertRegex(text, r"Chosen: gce, .* No clear winner: .* it from elr")
    # Both cannot be told apart, so what they cost counts.
    self.assertIn("If cost counts, take elr.", text)
    self.assertIn("-2.0 to +4.0", text)
    trials = (
      choice.trials[0],
      dataclasses.replace(second, behind=(0.01, 0.07)),
    )
    text = tuning.format_choice(tuning.Choice(trials, 100))
    self.assertIn("Chosen: gce, ahead of the others by more than", text)

  def test_who_was_stopped_is_not_said_to_be_worse(self):
    first, other, third = candidates.create(
      self.config(), ["gce", "elr", "sce"]
    )
    best, stopped = (
      tuning.Trial(first, 12, 0.8, 3.0),
      tuning.Trial(other, 3, 0.5, 1.0),
    )
    text = tuning.format_choice(tuning.Choice((best, stopped), 100))
    text = " ".join(text.split())
    self.assertIn("choices among all methods were 3.9 points behind", text)
    self.assertIn("Chosen: gce, the only one that trained to its end.", text)
    self.assertIn("stopped were behind by then; they might have", text)
    self.assertIn("the mean of the last 10 epochs, or of all if fewer;", text)
    behind = tuning.Trial(third, 12, 0.7, 3.0, behind=(0.05, 0.15))
    text = tuning.format_choice(tuning.Choice((best, behind, stopped), 100))
    text = " ".join(text.split())
    self.assertIn("ahead of the others by more than chance", text)
    self.assertIn("stopped were behind by then; they might have", text)

  def test_what_was_measured_of_methods_is_not_said_of_options(self):
    sweep = candidates.create(self.config(), ["gce"], ["gce_q=0.5,0.7"])
    trials = [tuning.Trial(each, 12, 0.8, 3.0, (0.01, 0.02)) for each in sweep]
    self.assertNotIn(
      "Measured", tuning.format_choice(tuning.Choice(tuple(trials), 100))
    )

  @parameterized.parameters(
    (1, "after one epoch"),
    (3, "the mean of the last 3 epochs"),
    (12, "the mean of the last 10 epochs"),
  )
  def test_says_which_epochs_a_score_is_of(self, num_epochs, said):
    trials = [
      tuning.Trial(each, num_epochs, 0.8, 3.0, (0.01, 0.02))
      for each in candidates.create(self.config(), ["gce", "elr"])
    ]
    text = tuning.format_choice(tuning.Choice(tuple(trials), 100))
    self.assertIn(f"on 100 noisy labels, {said};", " ".join(text.split()))

  @long_tests.only
  def test_a_training_that_stops_early_is_no_failure(self):
    config = self.config(method="standard", early_stopping=2)
    sweeps = ["learning_rate=0.05,1e-9"]
    choice = tuning.tune(tuning.resolve(config, sweeps=sweeps), num_jobs=2)
    self.assertLess(choice.trials[-1].num_epochs, 12)
    self.assertIn("1e-09", choice.trials[-1].candidate.name)

  @long_tests.only
  def test_the_worse_half_is_stopped(self):
    config = self.config(num_epochs=16, method="standard")
    sweeps = ["learning_rate=0.1,0.05,1e-9,1e-8"]
    choice = tuning.tune(
      tuning.resolve(config, sweeps=sweeps), is_halved=True, num_jobs=2
    )
    self.assertEqual([t.num_epochs for t in choice.trials], [16, 8, 4, 4])
    for trial in choice.trials[2:]:
      self.assertIn("e-0", trial.candidate.name)
      directory = layout.Workdir(trial.candidate.config.workdir)
      self.assertFalse(directory.result_file.exists())
    self.assertIn("stopped", tuning.format_choice(choice))
    # What is there of other runs is no sign of how far these have come.
    config = config.replace(learning_rate=0.01, overwrite=True)
    again = tuning.resolve(config, sweeps=["momentum=0.9,0.5"])
    for each in again:
      shutil.rmtree(each.config.workdir, ignore_errors=True)
      shutil.copytree(choice.best.config.workdir, each.config.workdir)
    choice = tuning.tune(again, is_halved=True, num_jobs=2)
    self.assertEqual([t.num_epochs for t in choice.trials], [16, 4])
    directory = layout.Workdir(choice.best.config.workdir)
    self.assertEqual(directory.read_config().learning_rate, 0.01)
    self.assertTrue(tuning.with_best(config, choice).overwrite)

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
