"""What a run goes on from, and what it makes of damaged files."""

import pathlib
import shutil
import tempfile
from unittest import mock

from absl.testing import absltest, parameterized
import numpy as np

from nct_tf import errors
from nct_tf.evaluation import evaluation
from nct_tf.training import run
from nct_tf.workdir import checkpoints, history, restoring
from tests.support import interrupted_runs, long_tests, tiny_run

_OPTIONS = {
  "method": "standard",
  "num_epochs": 7,
  "keep_checkpoints": 9,
  "validation_fraction": 0.3,
  "ema_decay": 0.9,
  "learning_rate": 0.5,
  "seed": 1,
}


def truncate(path):
  path.write_bytes(path.read_bytes()[:-9])


def flip(path):
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 1
  path.write_bytes(content)


class ResumeTestCase(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.finished = tiny_run.shared(**_OPTIONS).path

  def setUp(self):
    super().setUp()
    folder = self.enter_context(tempfile.TemporaryDirectory())
    self.workdir = tiny_run.copy(pathlib.Path(folder) / "run", **_OPTIONS)

  def train(self, **changes):
    tiny_run.train(self.workdir.path, **{**_OPTIONS, **changes})

  def checkpoint_file(self, epoch, suffix):
    (path,) = self.workdir.checkpoints_dir.glob(f"ckpt-{epoch}/*{suffix}")
    return path

  def assert_ends_as_undisturbed(self):
    self.assertEmpty(
      interrupted_runs.differences(self.finished, self.workdir.path)
    )


class ResumeTest(ResumeTestCase):
  """From what a run has left when it was killed in its last epoch."""

  def setUp(self):
    super().setUp()
    self.workdir.result_file.unlink()
    shutil.rmtree(self.workdir.checkpoints_dir / "ckpt-7")

  def test_damaged_checkpoints_are_named_and_passed_over(self):
    damages = {
      6: (".data-00000-of-00001", truncate),
      5: (".data-00000-of-00001", flip),
      4: (".data-00000-of-00001", pathlib.Path.unlink),
      3: (".index", truncate),
      2: (".index", pathlib.Path.unlink),
    }
    for epoch, (suffix, damage) in damages.items():
      damage(self.checkpoint_file(epoch, suffix))
    with self.assertLogs("nct_tf", "INFO") as logs:
      self.train()
    for epoch in damages:
      self.assertRegex(
        "\n".join(logs.output),
        f"Checkpoint .*ckpt-{epoch} is damaged and passed over: (.|\n)*"
        "Goes on from .*ckpt-1$",
      )
    self.assert_ends_as_undisturbed()

  def test_where_all_are_damaged_it_begins_anew(self):
    for epoch in range(1, 7):
      truncate(self.checkpoint_file(epoch, ".index"))
    self.train()
    self.assert_ends_as_undisturbed()

  @parameterized.named_parameters(
    ("half_a_line", truncate),
    *long_tests.also(
      ("empty", lambda path: path.write_text("")),
      ("foreign", lambda path: path.write_text("a,b\n1,2\n")),
    ),
  )
  def test_a_history_that_is(self, damage):
    damage(self.workdir.history_file)
    self.train()
    self.assert_ends_as_undisturbed()

  def test_a_history_that_is_away_and_leftovers_that_go(self):
    self.workdir.history_file.unlink()
    leftover = self.workdir.checkpoints_dir / ".tmp-ckpt-7"
    leftover.mkdir()
    (leftover / "state.index").write_bytes(b"half")
    self.train()
    self.assertFalse(leftover.exists())
    self.assert_ends_as_undisturbed()

  def test_circumstances_may_change(self):
    self.train(keep_checkpoints=1, checkpoint_every_epochs=2)
    self.assertLen(
      interrupted_runs.read_history(self.workdir.path), _OPTIONS["num_epochs"]
    )
    self.assert_ends_as_undisturbed()

  def test_another_run_is_refused(self):
    with self.assertRaisesRegex(errors.InvalidInputError, "seed is 1 there"):
      self.train(seed=2)

  def test_other_data_are_refused(self):
    with np.load(self.workdir.noise_file) as noise:
      arrays = dict(noise)
    arrays["true_label"] = arrays["true_label"] + 1
    np.savez(self.workdir.noise_file, **arrays)
    with self.assertRaisesRegex(
      errors.InvalidInputError, "other data or labels .noise.npz differs"
    ):
      self.train()


class _KilledError(Exception):
  """Stands for the death of a process."""


class WithinAnEpochTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("drops_what_it_would_have_dropped", {"dropout": 0.5}, (1, 3)),
    (
      "averages_from_its_restart",
      {"method": "forward_correction", "ema_decay": 0.99, "num_epochs": 4},
      (3, 3),
    ),
  )
  @long_tests.only
  def test_a_run_killed_there(self, changes, killed_at):
    options = {
      "method": "standard",
      "num_epochs": 2,
      "batch_size": 20,
      "steps_per_execution": 3,
      **changes,
    }
    folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    undisturbed = tiny_run.shared(**options).path
    write = checkpoints.Checkpoints.write

    def write_and_die(directory, position, *arguments):
      write(directory, position, *arguments)
      if position == killed_at:
        raise _KilledError

    with (
      mock.patch.object(checkpoints.Checkpoints, "write", write_and_die),
      self.assertRaises(_KilledError),
    ):
      tiny_run.train(folder, checkpoint_every_minutes=1e-9, **options)
    with self.assertLogs("nct_tf", "INFO") as logs:
      tiny_run.train(folder, **options)
    self.assertRegex(
      "\n".join(logs.output),
      f"Goes on from .*{checkpoints.Position(*killed_at)}",
    )
    self.assertEmpty(interrupted_runs.differences(undisturbed, folder))


class FinishedTest(ResumeTestCase):
  def test_is_not_trained_again(self):
    def content():
      return {
        path: path.stat().st_mtime_ns for path in self.workdir.path.rglob("*")
      }

    before = content()
    result = run.train_and_evaluate(
      tiny_run.tiny_config(workdir=str(self.workdir.path), **_OPTIONS)
    )
    self.assertEqual(result, self.workdir.read_result())
    self.assertEqual(content(), before)

  def test_says_that_it_is_not_exported(self):
    export_dir = self.workdir.path.parent / "exports"
    with self.assertLogs("nct_tf") as logs:
      run.train_and_evaluate(
        tiny_run.tiny_config(
          workdir=str(self.workdir.path), export_dir=str(export_dir), **_OPTIONS
        )
      )
    self.assertIn("It is not exported", "\n".join(logs.output))
    self.assertFalse(export_dir.exists())

  def test_a_history_of_an_earlier_version_goes_on(self):
    rows = history.History(self.workdir.path.parent / "history.csv")
    rows.add({"epoch": 0, "loss": 1.0})
    rows.add({"epoch": 1, "loss": 0.5, "cpu_seconds": 3.0})
    self.assertEqual(list(rows.columns()), ["epoch", "loss"])
    again = history.History(rows.path)
    self.assertEqual(again.columns()["loss"].tolist(), [1.0, 0.5])

  def test_the_best_epoch_can_be_evaluated(self):
    result = self.workdir.read_result()
    self.assertLess(result["best_epoch"], _OPTIONS["num_epochs"] - 1)
    scores = evaluation.evaluate_run(self.workdir, checkpoint="best")
    self.assertAlmostEqual(
      scores["ensemble_accuracy"], result["best_accuracy"], places=5
    )
    scores = evaluation.evaluate_run(self.workdir)
    self.assertAlmostEqual(
      scores["ensemble_accuracy"], result["last_accuracy"], places=5
    )

  def test_the_average_is_taken_where_there_is_one(self):
    average, default, plain = (
      restoring.restore(self.workdir, use_ema=use_ema)[0].get_weights()
      for use_ema in (True, None, False)
    )
    for one, two in zip(average, default, strict=True):
      np.testing.assert_array_equal(one, two)
    distances = [np.ptp(a - b) for a, b in zip(average, plain, strict=True)]
    self.assertGreater(max(distances), 0.0)

  def test_an_average_that_is_not_there(self):
    with self.assertRaisesRegex(
      errors.InvalidInputError, "without --ema_decay"
    ):
      restoring.restore(tiny_run.shared(), use_ema=True)

  def test_a_checkpoint_that_is_gone(self):
    number = self.workdir.read_result()["best_epoch"] + 1
    shutil.rmtree(self.workdir.checkpoints_dir / f"ckpt-{number}")
    with self.assertRaisesRegex(
      errors.InvalidInputError, f"no checkpoint ckpt-{number} "
    ):
      restoring.restore(self.workdir, "best")


class MomentumTest(absltest.TestCase):
  """A run whose beta_1 changes after its first epoch, and then its rate."""

  _OPTIONS = {
    "method": "standard",
    "optimizer": "adam",
    "learning_rate": 0.01,
    "final_momentum": 0.1,
    "lr_schedule": "linear",
    "lr_decay_epochs": (1,),
    "num_epochs": 3,
    "steps_per_execution": 1,
    "checkpoint_every_minutes": 1e-6,
    "keep_checkpoints": 99,
  }

  def test_a_resume_before_the_change_ends_alike(self):
    finished = tiny_run.shared(**self._OPTIONS)
    folder = self.enter_context(tempfile.TemporaryDirectory())
    again = tiny_run.copy(pathlib.Path(folder) / "run", **self._OPTIONS)
    saved = checkpoints.Checkpoints(again.checkpoints_dir)
    saved.keep([checkpoints.Position(0, 1)])
    again.result_file.unlink()
    tiny_run.train(again.path, **self._OPTIONS)
    self.assertEmpty(interrupted_runs.differences(finished.path, again.path))
    rows = interrupted_runs.read_history(again.path)
    for name, expected in (
      ("beta_1", [0.9, 0.1, 0.1]),
      ("learning_rate", [0.01, 0.01, 0.005]),
    ):
      actual = [float(row[name]) for row in rows]
      np.testing.assert_allclose(actual, expected, rtol=1e-6)


class PositionTest(absltest.TestCase):
  def test_order_is_that_of_training(self):
    folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    names = ["ckpt-2", "ckpt-9", "ckpt-9-12", "ckpt-9-101", "ckpt-10"]
    for name in [*reversed(names), "ckpt-11.old", "ckpt-", "mine"]:
      (folder / name).mkdir()
    found = checkpoints.Checkpoints(folder)
    self.assertEqual([path.name for path in found.find().values()], names)
    self.assertEqual([str(position) for position in found.find()], names)
    found.keep([checkpoints.Position(9, 12)])
    self.assertEqual(found.last().name, "ckpt-9-12")
    self.assertTrue((folder / "mine").exists())


if __name__ == "__main__":
  absltest.main()
