"""Audits of real runs, and what becomes of them."""

import csv
import dataclasses
import html
import json
import pathlib
import re
import resource
import shlex
import shutil
import tempfile
from unittest import mock

from absl.testing import absltest, parameterized
from cleanlab import filter as cleanlab_filter, rank
import numpy as np
from PIL import Image
from sklearn import metrics

from nct_tf import errors, methods
from nct_tf.audit import label_audit, report, run_audit
from nct_tf.datasets import digits
from nct_tf.input_pipeline import run_data
from nct_tf.workdir import layout, result as result_lib
from tests.support import long_tests, processes, tiny_run

_OPTIONS = {
  "num_train_examples": 600,
  "network": "mlp",
  "noise_type": "symmetric_exclusive",
  "noise_rate": 0.25,
  "num_epochs": 15,
  "width": 64,
  "batch_size": 32,
  "learning_rate": 0.05,
}
_SHORT = {**_OPTIONS, "num_epochs": 2, "label_scores": False}


def read_rows(folder):
  with open(folder / "labels.csv", encoding="utf-8") as file:
    return list(csv.DictReader(file))


def read_summary(folder):
  return json.loads((folder / "audit.json").read_text())


class AuditingTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = tempfile.TemporaryDirectory()
    cls.addClassCleanup(folder.cleanup)
    cls.folder = pathlib.Path(folder.name)
    cls.directory = tiny_run.train(cls.folder / "it's a run", **_OPTIONS)
    cls.result = run_audit.audit_run(cls.directory)
    cls.audit_dir = cls.directory.audit_dir()

  def test_rows_are_of_the_run_and_in_order(self):
    rows = read_rows(self.audit_dir)
    noise = np.load(self.directory.noise_file)
    self.assertLen(rows, 600)
    index = np.array([int(row["index"]) for row in rows])
    np.testing.assert_array_equal(np.sort(index), np.arange(600))
    for column, name in (("given", "given_label"), ("true", "true_label")):
      np.testing.assert_array_equal(
        [int(row[column]) for row in rows], noise[name][index]
      )
    np.testing.assert_array_equal(
      [int(row["id"]) for row in rows], noise["index"][index]
    )
    scores = np.array([float(row["score"]) for row in rows])
    self.assertTrue(np.all(np.diff(scores) <= 0))
    self.assertEqual([int(row["rank"]) for row in rows], list(range(1, 601)))
    flagged = [row["flagged"] for row in rows]
    num_flagged = read_summary(self.audit_dir)["num_flagged"]
    self.assertEqual(
      flagged, ["True"] * num_flagged + ["False"] * (600 - num_flagged)
    )
    self.assertGreater(min(float(row["disagreement"]) for row in rows), -1e-9)

  def test_without_folds_the_runs_own_scores_rank(self):
    result = run_audit.audit_run(self.directory, num_folds=0)
    scores = self.directory.read_label_scores()
    np.testing.assert_array_equal(result.audit.score, scores)
    self.assertGreater(result.truth["average_precision"], 0.9)
    # How many are wrong is not known then.
    noise_rate = result.audit.noise_rate
    self.assertEqual((noise_rate.low, noise_rate.high), (0, 1))
    (warning,) = result.warnings
    self.assertRegex(warning, "the networks learned these very labels")
    # What was asked for does not replace the usual audit.
    self.assertEqual(read_summary(self.audit_dir)["num_folds"], 3)
    rows = read_rows(self.directory.path / "audit_0_folds")
    index = np.array([int(row["index"]) for row in rows])
    np.testing.assert_allclose(
      [float(row["score"]) for row in rows], scores[index], atol=1e-5
    )

  def test_it_finds_wrong_labels(self):
    truth = read_summary(self.audit_dir)["truth"]
    self.assertGreater(truth["average_precision"], 0.9)
    self.assertGreater(truth["suggestion_accuracy"], 0.7)
    self.assertLess(abs(truth["noise_rate_error"]), 0.1)

  def test_cleanlab_takes_its_arrays(self):
    labels = np.load(self.audit_dir / "labels.npy")
    pred_probs = np.load(self.audit_dir / "pred_probs.npy")
    issues = cleanlab_filter.find_label_issues(labels, pred_probs, n_jobs=1)
    self.assertEqual(issues.shape, (600,))
    quality = rank.get_label_quality_scores(labels, pred_probs)
    precision = metrics.average_precision_score(
      self.result.true_labels != labels, -quality
    )
    self.assertGreater(precision, 0.9)

  def test_the_page_shows_the_first_ones(self):
    page = self.audit_dir / "page" / "data.js"
    text = page.read_text(encoding="utf-8")
    data = json.loads(re.search(r"= (\{.*\});", text).group(1))
    first = read_rows(self.audit_dir)[0]
    self.assertEqual(data["suspects"]["id"][0], first["id"])
    with Image.open(self.audit_dir / data["suspects"]["thumbnail"][0]) as image:
      number = int(self.result.index[int(first["index"])])
      np.testing.assert_array_equal(
        np.asarray(image), self.result.dataset.train_images[number, ..., 0]
      )

  def test_the_pages_command_can_be_pasted(self):
    text = (self.audit_dir / "index.html").read_text(encoding="utf-8")
    command = re.search(r'<pre id="command".*?>(.*?)</pre>', text, re.DOTALL)
    plain = html.unescape(re.sub(r"</?span>", "", command[1]))
    python, *arguments = shlex.split(plain)
    self.assertRegex(python, r"python[\d.]*$")
    path = self.directory.path
    self.assertEqual(
      arguments,
      [
        "-m",
        "scripts.train",
        f"--flagfile={path}/flags.txt",
        f"--label_decisions={path}/decisions.csv",
        f"--workdir={path}_relabelled",
      ],
    )

  def test_decisions_close_the_loop(self):
    rows = [
      row for row in read_rows(self.audit_dir) if row["flagged"] == "True"
    ]
    file = self.folder / "decisions.csv"
    with open(file, "w", newline="") as lines:
      writer = csv.writer(lines)
      writer.writerow(("id", "decision", "label"))
      for row in rows[1:]:
        writer.writerow((row["id"], "relabel", row["suggested"]))
      writer.writerow((rows[0]["id"], "drop", ""))
    config = dataclasses.replace(
      self.directory.read_config(), label_decisions=str(file)
    )
    noisy = run_data.load_noisy_dataset(config, run_data.load_dataset(config))
    self.assertLen(noisy.train, 599)
    before = read_summary(self.audit_dir)["truth"]["noise_rate"]
    self.assertLess(noisy.actual_noise_rate, before / 2)
    # Those of a later audit come on top: to keep a label keeps the new one.
    later = self.folder / "later.csv"
    later.write_text(
      f"id,decision,label\n{rows[1]['id']},keep,\n{rows[2]['id']},drop,\n"
    )
    config = config.replace(label_decisions=f"{file},{later}")
    noisy = run_data.load_noisy_dataset(config, run_data.load_dataset(config))
    self.assertLen(noisy.train, 598)
    labels = dict(zip(noisy.train.index, noisy.train.given_labels, strict=True))
    self.assertEqual(labels[int(rows[1]["id"])], int(rows[1]["suggested"]))

  def test_what_was_decided_before_stays_in_the_command(self):
    directory = layout.Workdir(self.folder / "later")
    directory.path.mkdir()
    config = self.directory.read_config().replace(label_decisions="a.csv,b.csv")
    directory.flags_file.write_text(config.to_flagfile())
    self.assertIn(
      f" --label_decisions=a.csv,b.csv,{directory.path}/decisions.csv ",
      report.retraining_command(directory).replace("'", ""),
    )
    # Its own file is no other one's place.
    own = str(report.decisions_file(directory))
    config = config.replace(label_decisions=own)
    directory.flags_file.write_text(config.to_flagfile())
    self.assertEqual(report.decisions_file(directory).name, "decisions_2.csv")

  def test_folds_are_of_models_that_did_not_see_them(self):
    result = self.result
    self.assertEqual(result.num_folds, 3)
    self.assertLen(result.index, 600)
    self.assertEqual(result.num_held_out, 600)
    self.assertEmpty(result.warnings)
    seen = []
    for fold in sorted(self.directory.folds_dir.iterdir()):
      part = layout.Workdir(fold)
      config = part.read_config()
      held_out = run_data.load_noisy_dataset(config, result.dataset).validation
      logits = run_audit.predict(part, held_out, "last", None).mean(axis=0)
      positions = np.searchsorted(result.index, held_out.index)
      np.testing.assert_array_equal(
        logits.argmax(axis=1),
        result.audit.pred_probs[positions].argmax(axis=1),
      )
      seen.append(held_out.index)
    np.testing.assert_array_equal(np.sort(np.concatenate(seen)), result.index)
    # Each score is the mean of two: the run's own has seen the label, too.
    by_folds = label_audit.scores_of(
      result.audit.labels, result.audit.pred_probs
    )
    with np.load(self.directory.noise_file) as noise:
      order = np.argsort(noise["index"])
    own = self.directory.read_label_scores()[order]
    np.testing.assert_allclose(
      result.audit.score, (by_folds + own) / 2, atol=1e-5
    )
    # The second time, nothing is trained again.
    times = {path: path.stat().st_mtime_ns for path in fold.rglob("*.json")}
    again = run_audit.audit_run(self.directory, num_folds=3)
    self.assertEqual(
      times, {path: path.stat().st_mtime_ns for path in fold.rglob("*.json")}
    )
    np.testing.assert_array_equal(again.audit.rank, result.audit.rank)
    self.assertTrue((self.directory.path / "audit_3_folds").exists())

  @long_tests.only
  def test_it_warns_of_what_was_memorised_and_of_few_epochs(self):
    memorised = tiny_run.train(
      self.folder / "memorised",
      **{**_OPTIONS, "method": "standard", "num_epochs": 40, "width": 256},
    )
    warnings = run_audit.audit_run(memorised, num_folds=0).warnings
    self.assertRegex(
      warnings[0], "it has memorised the wrong ones|begun to memor"
    )
    self.assertRegex(warnings[1], "the networks learned these very labels")
    self.assertLen(warnings, 2)
    short = tiny_run.copy(self.folder / "short", **_SHORT)
    warnings = run_audit.audit_run(short, num_folds=0).warnings
    self.assertRegex(warnings[0], "kept no label scores")
    self.assertRegex(warnings[1], "The run had 2 epochs")

  def test_a_run_that_has_not_finished(self):
    with self.assertRaisesRegex(errors.InvalidInputError, "no flags.txt"):
      run_audit.audit_run(layout.Workdir(self.folder / "none"))

  @long_tests.only
  def test_what_cannot_be_written_leaves_the_former_audit(self):
    def limit():
      resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))

    before = (self.audit_dir / "labels.csv").read_bytes()
    process = processes.run_python(
      "-m",
      "scripts.audit",
      f"--workdir={self.directory.path}",
      "--folds=0",
      preexec_fn=limit,
    )
    self.assertEqual(process.returncode, 2, process.stderr)
    self.assertRegex(
      process.stderr.splitlines()[-1],
      "^audit: .*audit_0_folds cannot be written: ",
    )
    self.assertEqual((self.audit_dir / "labels.csv").read_bytes(), before)
    self.assertFalse((self.directory.path / ".audit.tmp").exists())


class WritingTest(absltest.TestCase):
  def test_a_process_that_dies_leaves_a_whole_audit(self):
    path = self.enter_context(tempfile.TemporaryDirectory())
    directory = tiny_run.copy(pathlib.Path(path) / "run")
    delete = shutil.rmtree

    def delete_half_and_die(folder, **kwargs):
      if not (folder / "audit.json").exists():
        return delete(folder, **kwargs)
      (folder / "labels.csv").unlink()
      raise KeyboardInterrupt

    run_audit.audit_run(directory, num_folds=0, force=True)
    folder = directory.audit_dir(0)
    names = {path.name for path in folder.iterdir()}
    with (
      mock.patch.object(shutil, "rmtree", delete_half_and_die),
      self.assertRaises(KeyboardInterrupt),
    ):
      run_audit.audit_run(directory, num_folds=0, force=True)
    self.assertEqual({path.name for path in folder.iterdir()}, names)
    # The next one deletes what is left of the former.
    self.assertNotEmpty(list(directory.path.glob(".audit*")))
    run_audit.audit_run(directory, num_folds=0, force=True)
    self.assertEmpty(list(directory.path.glob(".audit*")))


@long_tests.only
class GivenTestLabelsTest(absltest.TestCase):
  """Pictures whose test labels are nobody's."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = tempfile.TemporaryDirectory()
    cls.addClassCleanup(folder.cleanup)
    cls.folder = pathlib.Path(folder.name)
    dataset = digits.load()
    images, true_labels = dataset.train_images[:800], dataset.train_labels[:800]
    rng = np.random.default_rng(0)
    cls.is_wrong = rng.random(800) < 0.2
    labels = (true_labels + cls.is_wrong * rng.integers(1, 10, 800)) % 10
    cls.images = images
    file = cls.folder / "digits.npz"
    split = np.where(np.arange(800) < 600, "train", "test")
    np.savez(file, images=images, labels=labels, split=split)
    options = {**_OPTIONS, "noise_type": "none", "noise_rate": 0.0}
    options |= {"num_train_examples": None, "num_epochs": 10}
    cls.directory = tiny_run.train(
      cls.folder / "run", dataset=f"npz:{file}", **options
    )
    cls.result = run_audit.audit_run(cls.directory, num_folds=0)
    cls.audit_dir = cls.directory.audit_dir(0)
    cls.rows = read_rows(cls.audit_dir)

  def test_they_are_audited_with_the_others(self):
    self.assertLen(self.rows, 800)
    numbers = {"train": [], "test": []}
    for row in self.rows:
      numbers[row["split"]].append(int(row["id"].removeprefix("test/")))
      self.assertEqual(row["split"] == "test", row["id"].startswith("test/"))
    self.assertCountEqual(numbers["train"], range(600))
    self.assertCountEqual(numbers["test"], range(600, 800))
    summary = read_summary(self.audit_dir)
    self.assertEqual(summary["num_test_examples"], 200)
    # Only of these did the networks not learn the labels.
    self.assertEqual(summary["num_held_out"], 200)
    self.assertIn(
      "800, 200 of them in the test split", report.format_audit(summary)
    )

  def test_wrong_ones_of_both_splits_come_first(self):
    for split in ("train", "test"):
      rows = [row for row in self.rows if row["split"] == split]
      wrong = [
        self.is_wrong[int(row["id"].removeprefix("test/"))] for row in rows
      ]
      scores = [float(row["score"]) for row in rows]
      self.assertGreater(metrics.average_precision_score(wrong, scores), 0.9)
    # They are ranked as one.
    first = self.rows[: int(self.is_wrong.sum())]
    num_test = sum(row["split"] == "test" for row in first)
    self.assertAlmostEqual(num_test / len(first), 0.25, delta=0.1)

  def test_their_thumbnails_are_theirs(self):
    text = (self.audit_dir / "page" / "data.js").read_text(encoding="utf-8")
    suspects = json.loads(re.search(r"= (\{.*\});", text).group(1))["suspects"]
    splits = set()
    for name, path in zip(
      suspects["id"][:40], suspects["thumbnail"][:40], strict=True
    ):
      splits.add(name.startswith("test/"))
      with Image.open(self.audit_dir / path) as image:
        np.testing.assert_array_equal(
          np.asarray(image),
          self.images[int(name.removeprefix("test/")), ..., 0],
        )
    self.assertEqual(splits, {True, False})

  def test_decisions_about_them_are_taken(self):
    rows = [row for row in self.rows if row["split"] == "test"][:3]
    relabelled, dropped, kept = rows
    file = self.folder / "decisions.csv"
    file.write_text(
      "id,decision,label\n"
      f"{relabelled['id']},relabel,{relabelled['suggested']}\n"
      f"{dropped['id']},drop,\n{kept['id']},keep,\n"
    )
    config = self.directory.read_config().replace(label_decisions=str(file))
    dataset = run_data.load_dataset(config)
    test = run_data.load_noisy_dataset(config, dataset).test
    self.assertLen(test, 199)
    labels = dict(zip(test.index, test.given_labels, strict=True))
    number = int(relabelled["id"].removeprefix("test/")) - 600
    self.assertEqual(labels[number], int(relabelled["suggested"]))
    self.assertNotIn(int(dropped["id"].removeprefix("test/")) - 600, labels)


class OwnValidationTest(absltest.TestCase):
  def test_pictures_of_a_validation_folder_are_audited_and_decided_about(self):
    top = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    images = digits.load().train_images[:150, ..., 0]
    for number, image in enumerate(images):
      split = ("Training", "val", "Testing")[number % 3]
      path = top / "pics" / split / "ab"[number % 2] / f"{number}.png"
      path.parent.mkdir(parents=True, exist_ok=True)
      Image.fromarray(image).save(path)
    options = {
      "dataset": f"folder:{top / 'pics'}",
      "cache_dir": str(top / "cache"),
      "method": "standard",
      "noise_type": "none",
      "noise_rate": 0.0,
      "num_train_examples": None,
    }
    directory = tiny_run.train(top / "run", **options)
    result = run_audit.audit_run(directory, num_folds=0, force=True)
    for split in ("train", "validation", "test"):
      self.assertEqual(np.sum(result.splits == split), 50)
    decisions = top / "decisions.csv"
    decisions.write_text("id,decision,label\nval/b/1.png,drop,\n")
    changed = tiny_run.tiny_config(**options, label_decisions=str(decisions))
    noisy = run_data.load(changed).noisy
    self.assertLen(noisy.validation, 49)
    self.assertLen(noisy.train, 50)


class FoldsTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(
      self.enter_context(tempfile.TemporaryDirectory())
    )

  def test_those_of_many_machines_train_on_this_one(self):
    directory = tiny_run.copy(self.folder / "run")
    text = directory.flags_file.read_text()
    self.assertIn("--strategy=default\n", text)
    directory.flags_file.write_text(
      text.replace("--strategy=default\n", "--strategy=multi_worker\n")
    )
    with self.assertLogs("nct_tf", "INFO") as logs:
      result = run_audit.audit_run(directory, num_folds=2, force=True)
    self.assertEqual(result.num_held_out, 100)
    self.assertIn("The folds train on this machine alone", str(logs.output))
    for fold in directory.folds_dir.iterdir():
      self.assertEqual(layout.Workdir(fold).read_config().strategy, "default")

  @parameterized.parameters(
    ("co_teaching",), *long_tests.also(("forward_correction",))
  )
  def test_there_are_none_where_they_could_not_hold_out_enough(self, method):
    # A tenth of 120 is one for each class, but a tenth of two thirds is not.
    directory = tiny_run.train(
      self.folder / "run", method=method, num_train_examples=120, num_epochs=4
    )
    with self.assertLogs("nct_tf", "INFO") as logs:
      result = run_audit.audit_run(directory, force=True)
    self.assertEqual(result.num_folds, 0)
    self.assertIn(
      f"No folds: {method} holds examples out, and a tenth of the 80 that a "
      "fold trains on are fewer than the 10 classes",
      str(logs.output),
    )


@long_tests.only
class ContradictedTest(absltest.TestCase):
  def test_very_many_contradictions_are_warned_of(self):
    with tempfile.TemporaryDirectory() as path:
      directory = tiny_run.train(
        pathlib.Path(path, "run"),
        noise_type="symmetric_exclusive",
        noise_rate=0.6,
        num_train_examples=800,
        num_epochs=15,
        validation_fraction=0.2,
        learning_rate=0.1,
      )
      warnings = run_audit.audit_run(directory, num_folds=0).warnings
    self.assertRegex(
      "\n".join(warnings),
      r"contradict \d+% of the labels that they did not learn.*Look at some",
    )


@long_tests.only
class NothingLearnedTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = tempfile.TemporaryDirectory()
    cls.addClassCleanup(folder.cleanup)
    cls.directory = tiny_run.train(
      pathlib.Path(folder.name) / "run",
      method="standard",
      learning_rate=1e-9,
      batch_size=90,
    )

  def test_the_run_says_so(self):
    result = self.directory.read_result()
    (warning,) = result["warnings"]
    self.assertRegex(warning, "^The networks have learned nothing: .*--network")
    table = result_lib.format_results([result], ["mine"])
    self.assertIn(
      "Warning: mine: The networks have learned nothing:",
      " ".join(table.split()),
    )

  def test_its_audit_is_refused(self):
    for num_folds in (None, 2):
      with self.assertRaisesRegex(
        errors.InvalidInputError,
        "^The networks have learned nothing: .*; --force writes it all the "
        "same$",
      ):
        run_audit.audit_run(self.directory, num_folds)
      self.assertFalse(self.directory.audit_dir(num_folds).exists())
    # Before anything is trained for it.
    self.assertFalse(self.directory.folds_dir.exists())

  def test_it_is_written_all_the_same_but_tells_no_share(self):
    path = self.enter_context(tempfile.TemporaryDirectory())
    directory = layout.Workdir(f"{path}/run")
    shutil.copytree(self.directory.path, directory.path)
    result = run_audit.audit_run(directory, num_folds=2, force=True)
    # Of the run, and of those of the folds.
    self.assertLen(result.warnings, 2)
    for warning in result.warnings:
      self.assertRegex(warning, "^The networks have learned nothing")
    folder = directory.audit_dir(2)
    summary = read_summary(folder)
    self.assertEqual(summary["noise_rate_interval"], [0, 1])
    self.assertIn("(0.0 to 100.0)", report.format_audit(summary))
    page = (folder / "index.html").read_text(encoding="utf-8")
    self.assertIn("The networks have learned nothing", page)
    self.assertIn("0.0 to 100.0 %", " ".join(page.split()))
    # A fold has fewer examples than the run's batch.
    for fold in directory.folds_dir.iterdir():
      self.assertEqual(layout.Workdir(fold).read_config().batch_size, 50)


class EachMethodTest(parameterized.TestCase):
  @long_tests.only
  @parameterized.parameters(*methods.names())
  def test_a_run_of_it_is_audited(self, method):
    folder = self.enter_context(tempfile.TemporaryDirectory())
    directory = tiny_run.train(
      pathlib.Path(folder, "run"), **_OPTIONS, method=method
    )
    for num_folds in (0, 2):
      result = run_audit.audit_run(directory, num_folds=num_folds)
      self.assertLen(result.audit.score, 600)
      # At random it would be the share of wrong labels, a quarter.
      self.assertGreater(result.truth["average_precision"], 0.35)
    expected = directory.read_result()["wrong_label_average_precision"]
    rows = read_rows(directory.path / "audit_0_folds")
    found = metrics.average_precision_score(
      [row["given"] != row["true"] for row in rows],
      [float(row["score"]) for row in rows],
    )
    self.assertAlmostEqual(found, expected, places=2)


if __name__ == "__main__":
  absltest.main()
