import pathlib
import tempfile
from unittest import mock

from absl.testing import absltest
import numpy as np

from nct_tf import config as config_lib, errors
from nct_tf.experiments import tuning
from nct_tf.training import cost
from nct_tf.workdir import history
from tests.support import long_tests, tiny_run

_OPTION = "target_variability_max"


class TuningTest(absltest.TestCase):
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

  def test_scores_are_of_held_out_noisy_labels(self):
    first = tuning.tune(self.config(), _OPTION, [0.3])
    result = self.folder / "runs" / f"{_OPTION}_0.3" / "result.json"
    before = result.stat().st_mtime_ns
    scores = tuning.tune(self.config(), _OPTION, [0.3, 1.0])
    # It goes on where it was interrupted: what has ended is not trained again.
    self.assertEqual(scores[0.3], first[0.3])
    self.assertEqual(result.stat().st_mtime_ns, before)
    for value, score in scores.items():
      columns = history.History(
        self.folder / "runs" / f"{_OPTION}_{value}" / "history.csv"
      ).columns()
      # There is a test split beside, which is not looked at.
      self.assertIn("test_ensemble_accuracy", columns)
      np.testing.assert_allclose(
        score, columns["val_ensemble_accuracy"][2:].mean()
      )
    # Where all labels are random in the end, nothing is learned.
    self.assertEqual(max(scores, key=scores.get), 0.3)
    self.assertIn(
      "--target_variability_max=0.3", tuning.format_tuning(_OPTION, scores)
    )

  def test_what_cannot_be_tuned_is_refused(self):
    with self.assertRaisesRegex(
      errors.InvalidInputError, "`validation_fraction` must be above 0"
    ):
      tuning.tune(tiny_run.tiny_config(workdir="unused"), _OPTION, [0.3])
    with self.assertRaisesRegex(errors.InvalidInputError, f"{_OPTION}.*nct"):
      tuning.tune(self.config(method="standard"), _OPTION, [0.3])
    # A bad value is refused before the good one before it is tried.
    with self.assertRaisesRegex(errors.InvalidInputError, _OPTION):
      tuning.tune(self.config(), _OPTION, [0.3, 1.5])
    self.assertFalse((self.folder / "runs").exists())

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
      resolved = tuning.resolve(config, _OPTION, [0.3, 0.5])
    self.assertEmpty(resolved.automatic_options)
    self.assertEqual(resolved.workdir, config.workdir)
    self.assertIn("--network=simple_cnn", resolved.to_flags())
    # Runs that have begun tell what was chosen for them.
    begun = self.folder / "runs" / f"{_OPTION}_0.5"
    begun.mkdir(parents=True)
    run = resolved.replace(width=5, target_variability_max=0.5)
    (begun / "flags.txt").write_text(run.to_flagfile())
    again = tuning.resolve(config, _OPTION, [0.3, 0.5])
    self.assertEqual(again.width, 5)
    best = tuning.with_best(again, _OPTION, {0.3: 0.9, 0.5: 0.8})
    self.assertContainsSubset(
      ["--width=5", "--target_variability_max=0.3"], best.to_flags()
    )

  @long_tests.only
  def test_an_option_of_training_of_any_method(self):
    config = self.config(num_epochs=4, method="standard")
    scores = tuning.tune(config, "learning_rate", [0.1, 1e-9])
    self.assertEqual(max(scores, key=scores.get), 0.1)


if __name__ == "__main__":
  absltest.main()
