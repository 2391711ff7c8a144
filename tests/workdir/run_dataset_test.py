import contextlib
import hashlib
import os
import pathlib
import shutil
import tempfile
from unittest import mock

from absl.testing import absltest
import numpy as np
from PIL import Image
from sklearn import datasets as sklearn_datasets

from nct_tf import errors
from nct_tf.audit import run_audit
from nct_tf.evaluation import evaluation, information_compression
from nct_tf.training import run
from nct_tf.workdir import (
  data_record,
  layout,
  result as result_lib,
  run_dataset,
)
from tests.support import long_tests, tiny_run

_OPTIONS = {
  "dataset": "folder:pics",
  "num_train_examples": None,
  "noise_type": "none",
  "noise_rate": 0.0,
  "method": "standard",
  "learning_rate": 0.1,
  "num_epochs": 2,
  "batch_size": 16,
}
_NUM_CLASSES = 3
_NUM_EACH = 40
_DIGITS = sklearn_datasets.load_digits()
_PIXELS = (_DIGITS.images * 255 / 16).round().astype(np.uint8)


def save(folder, digits=range(_NUM_CLASSES), start=0, names=None):
  """Writes digits as pictures, a folder a class."""
  for digit, name in zip(digits, names or map(str, digits), strict=True):
    (folder / name).mkdir(parents=True)
    images = _PIXELS[_DIGITS.target == digit][start : start + _NUM_EACH]
    for number, pixels in enumerate(images):
      Image.fromarray(pixels).save(folder / name / f"{number}.png")


@contextlib.contextmanager
def working_directory(folder):
  before = os.getcwd()
  os.chdir(folder)
  try:
    yield
  finally:
    os.chdir(before)


def setUpModule():  # noqa: N802
  """Trains once, by a relative path, in a folder that each test copies."""
  global _trained
  _trained = pathlib.Path(tempfile.mkdtemp())
  save(_trained / "project" / "pics")
  save(_trained / "other" / "pics", start=_NUM_EACH)
  with working_directory(_trained / "project"):
    tiny_run.train("runs/own", cache_dir=str(_trained / "cache"), **_OPTIONS)


def tearDownModule():  # noqa: N802
  shutil.rmtree(_trained)


class RunDatasetTestCase(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.top = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    # A copy in place of the original, so that it is where the run says.
    self.project = _trained / "project"
    shutil.copytree(self.project, self.top / "kept")
    self.addCleanup(self.restore)
    self.pics = self.project / "pics"
    self.directory = layout.Workdir(self.project / "runs" / "own")
    self.cache_dir = str(_trained / "cache")
    # For what takes no folder for the cache.
    home = {"XDG_CACHE_HOME": str(self.top / "home")}
    self.enter_context(mock.patch.dict(os.environ, home))

  def restore(self):
    shutil.rmtree(self.project)
    shutil.copytree(self.top / "kept", self.project)

  def evaluate(self, **options):
    return evaluation.evaluate_run(
      self.directory, cache_dir=self.cache_dir, **options
    )

  def audit(self, **options):
    return run_audit.audit_run(
      self.directory, 0, cache_dir=self.cache_dir, force=True, **options
    )

  def train(self, **options):
    return run.train_and_evaluate(
      tiny_run.tiny_config(
        **{
          **_OPTIONS,
          "dataset": f"folder:{self.pics}",
          "workdir": str(self.directory.path),
          "cache_dir": self.cache_dir,
          **options,
        }
      )
    )

  def content(self):
    """Returns dict from each file of the run to a digest of its bytes."""
    return {
      path: hashlib.sha256(path.read_bytes()).hexdigest()
      for path in self.directory.path.rglob("*")
      if path.is_file()
    }

  def assert_refused(self, pattern, function, *args, **options):
    before = self.content()
    with self.assertRaisesRegex(errors.InvalidInputError, pattern) as refused:
      function(*args, **options)
    self.assertLen(str(refused.exception).splitlines(), 1)
    self.assertEqual(self.content(), before)

  def rename(self):
    for number in (7, 8, 9):
      path = self.pics / "1" / f"{number}.png"
      path.rename(path.with_name(f"00{number}.png"))

  def recorded_place(self):
    return self.directory.read_config().dataset


class OtherDataTest(RunDatasetTestCase):
  def test_renamed_files_are_refused(self):
    self.directory.write_evaluation(self.evaluate())
    self.audit()
    self.rename()
    told = (
      "than folder:.*/pics has now: 3 of 120 pictures renamed, the first is "
      "1/007.png .was 1/7.png.. "
    )
    self.assert_refused(f"{told}Give back", self.audit)
    self.assert_refused(f"{told}Give back.*--other_data", self.evaluate)
    self.assert_refused(
      f"{told}Give back", information_compression.measure, self.directory
    )
    self.assert_refused(f"{told}.*--overwrite", self.train)
    # As a run that was stopped.
    self.directory.result_file.unlink()
    self.assert_refused(f"{told}.*--overwrite", self.train)

  def test_a_class_that_was_added_is_refused(self):
    self.directory.write_evaluation(self.evaluate())
    save(self.pics, [7], names=["added"])
    told = "1 class added .added.; 40 pictures added to 120, the first is add"
    self.assert_refused(told, self.evaluate)
    self.assert_refused(told, self.audit)
    self.assert_refused(
      "classes and image shape must be its own: 1 class added .added.$",
      self.evaluate,
      other_data=True,
    )
    # Runs of earlier versions know their classes, too.
    self.directory.data_file.unlink()
    self.assert_refused("has now: 1 class added .added.. ", self.evaluate)

  def test_data_that_are_gone(self):
    self.pics.rename(self.top / "elsewhere")
    told = r"not there: no .*/pics\. If .* --dataset=folder:PATH$"
    self.assert_refused(told, self.evaluate)
    self.assert_refused(told, self.audit)
    # The result of what was trained stands.
    self.assertEqual(self.train(), self.directory.read_result())

  def test_other_pictures_are_evaluated_if_wanted(self):
    other = _trained / "other" / "pics"
    with self.assertLogs("nct_tf", "WARNING") as logs:
      scores = self.evaluate(dataset=f"folder:{other}", other_data=True)
    self.assertIn("trained on none of the test pictures", logs.output[-1])
    self.assertEqual(scores["dataset"], f"folder:{other}")
    self.assertEqual(scores["other_data"]["num_trained_on"], 0)
    self.assertIn(
      "120 of 120 pictures changed", scores["other_data"]["changes"]
    )
    self.assertIn(str(other), evaluation.format_evaluation(scores))
    self.assertEqual(self.recorded_place(), f"folder:{self.pics}")

  def test_nothing_is_claimed_of_data_of_another_kind(self):
    chosen = np.flatnonzero(_DIGITS.target < _NUM_CLASSES)
    archive = self.top / "digits.npz"
    labels = _DIGITS.target[chosen]
    np.savez(archive, images=_PIXELS[chosen], labels=labels)
    with self.assertLogs("nct_tf", "WARNING") as logs:
      scores = self.evaluate(dataset=f"npz:{archive}", other_data=True)
    self.assertIn("may be among its test pictures", logs.output[-1])
    self.assertEqual(
      scores["other_data"], {"changes": None, "num_trained_on": None}
    )
    self.assertEqual(scores["num_examples"], round(0.2 * len(labels)))

  def test_pictures_that_were_trained_on_are_counted(self):
    # What was the test split is gone, so that others take its place.
    before = run_dataset.load(
      self.directory,
      run_dataset.configure(self.directory, cache_dir=self.cache_dir),
    )
    for path in before.test_files:
      path.unlink()
    with self.assertLogs("nct_tf", "WARNING") as logs:
      scores = self.evaluate(other_data=True)
    number = scores["num_examples"]
    self.assertEqual(number, 19)  # A fifth of 96.
    self.assertEqual(scores["other_data"]["num_trained_on"], number)
    self.assertIn(
      "trained on 19 of the test pictures: the accuracy is too high",
      logs.output[-1],
    )

  def test_the_same_data_are_no_other_ones(self):
    scores = self.evaluate(other_data=True)
    self.assertIsNone(scores["other_data"])
    self.assertEqual(scores, self.evaluate())

  def test_a_run_without_a_record_is_accepted_with_a_warning(self):
    self.directory.data_file.unlink()
    self.rename()
    with self.assertLogs("nct_tf", "WARNING") as logs:
      self.evaluate()
    (line,) = logs.records
    self.assertRegex(line.getMessage(), "no data.npz.* cannot be checked$")

  def test_another_kind_of_data_is_refused(self):
    for dataset in ("digits", f"csv:{self.pics}/labels.csv"):
      self.assert_refused(
        f"trained on, folder:.*Received: dataset={dataset}",
        self.evaluate,
        dataset=dataset,
      )


class PlaceTest(RunDatasetTestCase):
  def test_another_working_directory_changes_nothing(self):
    place = f"folder:{self.pics}"
    self.assertEqual(self.recorded_place(), place)
    expected = self.directory.read_result()["last_accuracy"]
    with working_directory(_trained / "other"):
      scores = self.evaluate()
      audited = self.audit()
    self.assertEqual(scores["dataset"], place)
    self.assertAlmostEqual(scores["ensemble_accuracy"], expected, places=6)
    self.assertStartsWith(str(audited.dataset.train_files[0]), str(self.pics))

  def test_two_spellings_of_a_place_are_one(self):
    result = self.directory.read_result()
    with working_directory(self.project):
      for dataset in (
        "folder:pics",
        "folder:./pics/",
        "folder:../project/pics",
      ):
        self.assertEqual(self.train(dataset=dataset), result)
    # As earlier versions wrote it.
    flags = self.directory.flags_file.read_text()
    self.directory.flags_file.write_text(
      flags.replace(f"folder:{self.pics}", "folder:pics")
    )
    with working_directory(self.project):
      self.assertEqual(self.train(), result)

  def test_files_are_named_absolutely(self):
    with working_directory(self.project):
      config = tiny_run.tiny_config(
        dataset="csv:a/b.csv",
        data_dir="data",
        label_decisions="d.csv,e.csv",
        drop_flagged="l.csv",
        force_drop_flagged=True,
        noise_type="asymmetric",
        noise_rate=0.0,
        noise_matrix="t.npy",
        pretrained_weights="w.h5",
      ).with_absolute_places()
    flags = config.to_flagfile().splitlines()
    for flag in (
      f"--dataset=csv:{self.project}/a/b.csv",
      f"--data_dir={self.project}/data",
      f"--label_decisions={self.project}/d.csv,{self.project}/e.csv",
      f"--drop_flagged={self.project}/l.csv",
      f"--noise_matrix={self.project}/t.npy",
      f"--pretrained_weights={self.project}/w.h5",
    ):
      self.assertIn(flag, flags)
    for options in (
      {"data_dir": "gs://bucket/data"},
      {"data_dir": "~/data"},
      {"label_decisions": ""},
      {"network": "inception_resnet_v2", "pretrained_weights": "imagenet"},
    ):
      config = tiny_run.tiny_config(**options)
      self.assertEqual(config.with_absolute_places(), config)

  def test_moved_data_are_followed(self):
    expected = self.evaluate()
    moved = self.top / "moved pics"
    self.pics.rename(moved)
    save(self.pics, start=_NUM_EACH)  # Something else is there now.
    self.assert_refused("120 of 120 pictures changed", self.evaluate)
    with self.assertLogs("nct_tf", "INFO") as logs:
      scores = self.evaluate(dataset=f"folder:{moved}")
    self.assertIn("names their new place", "\n".join(logs.output))
    self.assertEqual(scores, {**expected, "dataset": f"folder:{moved}"})
    self.assertEqual(self.recorded_place(), f"folder:{moved}")
    self.assertEqual(self.evaluate(), scores)

  @long_tests.only
  def test_an_audit_and_its_folds_follow_moved_data(self):
    run_audit.audit_run(self.directory, 2, cache_dir=self.cache_dir, force=True)
    folds = layout.Workdir(self.directory.folds_dir / "0-of-2")
    trained = folds.history_file.stat().st_mtime_ns
    moved = self.top / "moved"
    self.pics.rename(moved)
    place = f"folder:{moved}"
    run_audit.audit_run(
      self.directory, 2, cache_dir=self.cache_dir, force=True, dataset=place
    )
    self.assertEqual(self.recorded_place(), place)
    self.assertEqual(folds.read_config().dataset, place)
    self.assertEqual(folds.history_file.stat().st_mtime_ns, trained)

  def test_training_goes_on_with_moved_data(self):
    result = self.directory.read_result()
    moved = self.top / "moved"
    self.pics.rename(moved)
    place = f"folder:{moved}"
    self.assertEqual(self.train(dataset=place), result)
    self.assertEqual(self.recorded_place(), place)
    moved.rename(self.pics)
    self.directory.result_file.unlink()
    again = self.train()
    self.assertEqual(again["data_sha256"], result["data_sha256"])
    self.assertEqual(again["last_accuracy"], result["last_accuracy"])
    self.assertEqual(self.recorded_place(), f"folder:{self.pics}")

  def test_training_on_data_elsewhere_is_another_run(self):
    other = f"folder:{_trained / 'other' / 'pics'}"
    told = "other data than folder:.*/other/pics has now: 120 of 120 .*changed"
    self.assert_refused(told, self.train, dataset=other)
    self.directory.result_file.unlink()
    self.assert_refused(told, self.train, dataset=other)
    self.assert_refused(
      "dataset is .* seed is 0", self.train, dataset=other, seed=1
    )


class CompareTest(RunDatasetTestCase):
  def test_a_result_knows_what_was_tested_on(self):
    pictures = {str(digit): [] for digit in range(_NUM_CLASSES)}
    record = data_record.read(self.directory.data_file)
    for name in record.splits["test"].ids:
      pixels = np.array(Image.open(self.pics / name)).tobytes()
      # As the index of pictures makes it.
      digest = hashlib.blake2b(b"(8, 8, 1)" + pixels, digest_size=16)
      pictures[name[0]].append(digest.hexdigest().encode())
    expected = hashlib.sha256()
    for name, own in sorted(pictures.items()):
      expected.update(repr((name, sorted(own))).encode())
    self.assertEqual(
      self.directory.read_result()["data_sha256"]["test"], expected.hexdigest()
    )

  def test_runs_that_were_tested_on_other_examples_are_named(self):
    result = self.directory.read_result()
    other, old = dict(result), dict(result)
    other["data_sha256"] = {**result["data_sha256"], "test": "0" * 64}
    del old["data_sha256"]
    results = [result, other, result, old]
    text = result_lib.format_results(results, ["a", "b", "c", "d"])
    self.assertEqual(
      text.splitlines()[6:],
      [
        "Not comparable, as their test pictures or test labels differ: a, c; b."
      ],
    )
    text = result_lib.format_results([result, result, old], "abc")
    self.assertNotIn("comparable", text)


if __name__ == "__main__":
  absltest.main()
