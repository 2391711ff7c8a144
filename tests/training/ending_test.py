"""Runs that end before their last epoch, by their held-out labels."""

import pathlib
import shutil
import tempfile

from absl.testing import absltest, parameterized
import numpy as np

from nct_tf import errors
from nct_tf.audit import run_audit
from nct_tf.evaluation import evaluation
from nct_tf.models import classifier
from nct_tf.training import ending
from nct_tf.workdir import checkpoints, result as result_lib
from tests.support import interrupted_runs, long_tests, tiny_run

_PATIENCE = 2
_OPTIONS = {
  "method": "standard",
  "num_epochs": 30,
  "early_stopping": _PATIENCE,
  "validation_fraction": 0.3,
  "learning_rate": 0.5,
  "checkpoint_every_epochs": 4,
  "monitor_every_epochs": 7,
}


def first_end(accuracies, patience):
  """Returns after how many epochs to stop, counted one by one; or None."""
  best, waited = -1.0, 0
  for number, accuracy in enumerate(accuracies, 1):
    best, waited = (accuracy, 0) if accuracy > best else (best, waited + 1)
    if waited == patience:
      return number
  return None


class EndingTest(parameterized.TestCase):
  @parameterized.product(patience=(1, 2, 3, 5), seed=tuple(range(5)))
  def test_ends_where_counting_does(self, patience, seed):
    accuracies = np.random.default_rng(seed).integers(0, 8, 20) / 8
    wanted = first_end(accuracies, patience) or len(accuracies)
    one = ending.Ending(len(accuracies), patience)
    epoch = 0
    while True:
      self.assertFalse(one.is_early)
      one.on_epoch_end(epoch, {ending.MONITORED: accuracies[epoch]})
      if one.is_last(epoch):
        break
      epoch += 1
    self.assertEqual(epoch + 1, wanted)
    rows = [{ending.MONITORED: value} for value in accuracies[:wanted]]
    again = ending.Ending(len(accuracies), patience, rows)
    self.assertEqual(again.is_early, one.is_early)
    best = int(np.argmax(accuracies[:wanted])) + 1
    self.assertIn(f"after {wanted} of 20 epochs", again.describe())
    self.assertIn(f"after epoch {best}, and not", again.describe())

  def test_without_patience_only_the_last_epoch_is_the_last(self):
    one = ending.Ending(3)
    for epoch in range(3):
      one.on_epoch_end(epoch, {ending.MONITORED: 0.5})
      self.assertEqual(one.is_last(epoch), epoch == 2)
    self.assertFalse(one.is_early)


class RunTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.finished = tiny_run.shared(**_OPTIONS)

  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(
      self.enter_context(tempfile.TemporaryDirectory())
    )

  def test_ends_by_its_history_and_says_so(self):
    history = self.finished.read_history()
    accuracies = history["val_ensemble_accuracy"].tolist()
    self.assertLess(len(accuracies), _OPTIONS["num_epochs"])
    self.assertEqual(first_end(accuracies, _PATIENCE), len(accuracies))
    result = self.finished.read_result()
    self.assertTrue(result["stopped_early"])
    self.assertEqual(result["num_epochs_trained"], len(accuracies))
    # Whatever is not measured each epoch is measured in the last one.
    self.assertBetween(result["train_accuracy_noisy"], 0, 1)
    self.assertRegex(
      result_lib.format_results([result], ["x"]),
      rf"x +standard +{len(accuracies)} of 30 ",
    )
    last = checkpoints.Checkpoints(self.finished.checkpoints_dir).last()
    self.assertEqual(last.name, f"ckpt-{len(accuracies)}")

  # Killed before the last checkpoint, and between that and the result.
  @parameterized.parameters((False,), *long_tests.also((True,)))
  def test_a_run_that_was_killed_ends_after_the_same_epoch(self, is_saved):
    workdir = tiny_run.copy(self.folder / "run", **_OPTIONS)
    workdir.result_file.unlink()
    if not is_saved:
      saved = checkpoints.Checkpoints(workdir.checkpoints_dir)
      shutil.rmtree(saved.last())
    tiny_run.train(workdir.path, **_OPTIONS)
    self.assertEmpty(
      interrupted_runs.differences(self.finished.path, workdir.path)
    )

  def test_it_is_a_finished_run_for_others(self):
    workdir = tiny_run.copy(self.folder / "run", **_OPTIONS)
    scores = evaluation.evaluate_run(workdir)
    self.assertAlmostEqual(
      scores["ensemble_accuracy"],
      workdir.read_result()["last_accuracy"],
      places=5,
    )
    run_audit.audit_run(workdir, num_folds=0, force=True)
    self.assertTrue((workdir.audit_dir(0) / "index.html").exists())

  def test_the_test_split_does_not_end_it(self):
    with self.assertRaisesRegex(
      errors.InvalidInputError, "`early_stopping` needs held-out .*=0$"
    ):
      tiny_run.train(
        self.folder / "run", **{**_OPTIONS, "validation_fraction": 0.0}
      )
    self.assertFalse((self.folder / "run").exists())

  def test_no_phase_is_left_out(self):
    phases = [classifier.Phase("one", 2), classifier.Phase("two", 3)]
    with self.assertRaisesRegex(
      errors.InvalidInputError, r"in phases \(one, two\)"
    ):
      ending.check_early_stopping(1, 9, phases)


if __name__ == "__main__":
  absltest.main()
