import os
import pathlib
import tempfile

from absl.testing import absltest

from nct_tf import config, errors
from nct_tf.audit import run_audit
from nct_tf.workdir import layout
from tests.support import tiny_run

_RUN_FILES = {
  "audit",
  "checkpoints",
  "compression.json",
  "data.npz",
  "evaluation.json",
  "flags.txt",
  "folds",
  "history.csv",
  "label_scores.npy",
  "memorisation.png",
  "noise.npz",
  "pretrained_weights.sha256",
  "result.json",
  "tensorboard",
  "warmup_images.npy",
}


class RunFilesTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    folder = self.enter_context(tempfile.TemporaryDirectory())
    self.folder = pathlib.Path(folder)

  def test_what_overwrite_deletes_is_decided_file_by_file(self):
    directory = layout.Workdir(self.folder)
    self.assertLen(directory.run_files, len(_RUN_FILES))
    self.assertEqual(
      set(directory.run_files), {self.folder / name for name in _RUN_FILES}
    )

  def test_every_path_is_the_runs_or_known_not_to_be(self):
    directory = layout.Workdir(self.folder)
    paths = {
      path for path in vars(directory).values() if isinstance(path, os.PathLike)
    }
    paths.add(directory.audit_dir())
    others = {directory.path, directory.lock_file}
    self.assertEqual(paths, {*directory.run_files, *others})

  def test_a_run_leaves_nothing_else_behind(self):
    directory = tiny_run.train(
      self.folder / "run", method="standard", monitor_every_epochs=1
    )
    run_audit.audit_run(directory, num_folds=0, force=True)
    left = set(os.listdir(directory.path))
    audit = directory.audit_dir(0)
    self.assertIn(audit, directory.run_files)
    self.assertContainsSubset(left, {*_RUN_FILES, audit.name, ".lock"})
    self.assertContainsSubset({audit.name, "memorisation.png"}, left)

  def test_overwrite_deletes_the_run_and_nothing_else(self):
    directory = tiny_run.copy(self.folder / "run")
    for name in (
      "notes.txt",
      "folds/0-of-2/flags.txt",
      "audit_2_folds/labels.csv",
      "evaluation.json",
    ):
      path = directory.path / name
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_text("before")
    first = directory.read_result()
    tiny_run.train(self.folder / "run", seed=1, overwrite=True)
    self.assertEqual((directory.path / "notes.txt").read_text(), "before")
    self.assertFalse(directory.folds_dir.exists())
    self.assertFalse(directory.audit_dir(2).exists())
    self.assertFalse(directory.evaluation_file.exists())
    self.assertEqual(directory.read_config().seed, 1)
    self.assertNotEqual(directory.read_result(), first)

  def test_files_of_no_run_are_not_taken_for_a_beginning(self):
    directory = layout.Workdir(self.folder)
    directory.history_file.write_text("")
    with self.assertRaisesRegex(
      errors.InvalidInputError, "history.csv, though"
    ):
      directory.find_run(config.TrainConfig())
    self.assertEqual(
      directory.find_run(config.TrainConfig(overwrite=True)), "none"
    )
    directory.history_file.unlink()
    (self.folder / "notes.txt").write_text("")
    self.assertEqual(directory.find_run(config.TrainConfig()), "none")


if __name__ == "__main__":
  absltest.main()
