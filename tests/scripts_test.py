import csv
import html
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from absl.testing import absltest, parameterized
import numpy as np
from PIL import Image

from nct_tf import config
from tests.support import command_lines, interrupted_runs, long_tests, processes

_ROOT = pathlib.Path(__file__).absolute().parents[1]
_TINY = (
  "--dataset=digits",
  "--num_train_examples=200",
  "--augmentation=none",
  "--noise_type=symmetric_exclusive",
  "--noise_rate=0.4",
  "--network=mlp",
  "--width=8",
  "--target_variability_min=0.3",
  "--num_epochs=2",
  "--batch_size=64",
)

# Nothing is `auto` with these.
_CHOSEN = (
  "--image_size=8",
  "--augmentation=none",
  "--network=mlp",
  "--width=8",
  "--target_variability_max=0.1",
  "--num_epochs=2",
  "--batch_size=4",
)

# Stands for TensorFlow, and ends the script that imports it.
_FAKE_TENSORFLOW = """
import os

os.write(1, b"imported")
os.write(2, b"Could not find TensorRT")
os._exit(0)
"""


def start(script, *arguments, stdout=subprocess.PIPE, **environment):
  """Runs a script in a process of its own, from its start to its end."""
  return processes.run_python(
    "-m",
    f"scripts.{script}",
    *arguments,
    env={**os.environ, "COLUMNS": "80", **environment},
    stdout=stdout,
  )


_shared = None


def setUpModule():  # noqa: N802
  global _shared
  _shared = command_lines.CommandLines()


def tearDownModule():  # noqa: N802
  _shared.close()


def run(script, *arguments):
  """Runs a script in the process that all tests share."""
  return _shared.run(script, *arguments)


class ScriptsTestCase(parameterized.TestCase):
  def assert_one_line(self, process, pattern):
    self.assertEqual(process.returncode, 2, process.stderr)
    self.assertEqual(process.stdout, "")
    self.assertLen(process.stderr.splitlines(), 1, process.stderr)
    self.assertRegex(process.stderr, pattern)

  def assert_succeeded(self, process):
    self.assertEqual(process.returncode, 0, process.stderr)


class BadFlagsTest(ScriptsTestCase):
  @parameterized.parameters(
    ("--noise_rate=1.5", r"^train: flag --noise_rate=1.5: .*\[0.0, 1.0\]"),
    ("--num_epochs=0", "--num_epochs=0: .*positive integer"),
    ("--batch_size=-1", "--batch_size=-1"),
    ("--batch_size=many", "--batch_size=many"),
    ("--temperature=0", "--temperature=0"),
    ("--alpha_max=1.1", "--alpha_max=1.1"),
    ("--momentum=1", "--momentum=1"),
    ("--validation_fraction=1", "--validation_fraction=1"),
    ("--lr_decay_epochs=soon", "--lr_decay_epochs=soon"),
    ("--network=resnet", "one of <preact_resnet18|preact_resnet10|resnet50|"),
    ("--method=magic", "one of <nct|standard|"),
    ("--noise_type=uniform", "symmetric_inclusive.symmetric_exclusive"),
    ("--optimizer=adamax", "sgd.adamw.lamb.sgdw.adam.adagrad"),
    ("--colour=red", "There is no flag --colour "),
    ("--lr=0.1", r"no flag --lr .do you mean --learning_rate\?"),
    ("--numepochs=5", r"no flag --numepochs .do you mean --num_epochs\?"),
    ("--noise_type=pair_flip", "`noise_rate` must be above 0"),
    ("--dataset=tests/support", "write --dataset=folder:tests/support"),
    ("--accept_findings=all", "one of alike_names, number_names"),
    ("digits", "takes flags alone, .* Received: digits"),
  )
  def test_train_answers_in_one_line(self, argument, pattern):
    process = run("train", "--workdir=unused", argument)
    self.assert_one_line(process, pattern)
    self.assertFalse((_ROOT / "unused").exists())

  def test_all_unknown_flags_are_named(self):
    process = run("train", "--lr=0.1", "--epochs", "5", "--noverbose")
    self.assert_one_line(
      process, "no flags --lr .*learning_rate.*, --epochs .*num_epochs.*verbose"
    )

  def test_a_process_ends_with_code_2(self):
    process = start("train", "--workdir=unused", "--noise_rate=1.5")
    self.assert_one_line(process, "^train: flag --noise_rate=1.5: ")

  @parameterized.parameters("train", "evaluate", "export", "compare")
  def test_what_must_be_given(self, script):
    self.assert_one_line(run(script), "--workdirs?: it must be given")

  @parameterized.parameters(
    "train",
    "evaluate",
    "export",
    "predict",
    "apply_decisions",
    "compare",
    "benchmark",
    "reproduce",
    "plot",
    "tune",
  )
  def test_help(self, script):
    process = run(script, "--help")
    self.assertEqual(process.returncode, 0)
    self.assertIn(f"python -m scripts.{script}", process.stdout)
    self.assertNotIn("--pdb", process.stdout)

  @parameterized.parameters(
    ((), "Exactly one of .export_dir, rest_url, grpc_address."),
    (("--export_dir=x", "--rest_url=y"), "Exactly one of .export_dir, rest"),
    (("--rest_url=y", "--version=1", "--version_label=z"), "version_label"),
    (("--rest_url=y", "--timeout_seconds=0"), "--timeout_seconds=0"),
    (("--rest_url=y", f"--version={2**63}"), "--version=9223372036854775808"),
    (("--rest_url=y", "--num_retries=5"), "--num_retries=5"),
    (("--rest_url=y", "--format=xml"), "one of <table|csv|jsonl>"),
    (("--rest_url=localhost:1",), "must begin with http://"),
    (("--rest_url=",), "must begin with http://"),
    (("--export_dir=x", "--version_label=y"), "export_dir, version_label"),
    (("--export_dir=x", "--images="), "--images=: it must be given|--images="),
  )
  def test_predict_answers_in_one_line(self, arguments, pattern):
    process = run("predict", f"--images={__file__}", *arguments)
    self.assert_one_line(process, pattern)

  def test_predict_needs_images(self):
    self.assert_one_line(
      run("predict", "--export_dir=x"), "--images: it must be given"
    )

  @parameterized.parameters("--version=0", "--keep=0", "--top_k=0")
  def test_export_answers_in_one_line(self, argument):
    process = run("export", "--workdir=x", "--export_dir=unused", argument)
    self.assert_one_line(process, argument)
    self.assertFalse((_ROOT / "unused").exists())

  @parameterized.parameters(
    ("reproduce", (), r"Exactly one of \(table, figure, published\) must be"),
    ("reproduce", ("--published=x",), "one of <co_teaching"),
    (
      "reproduce",
      ("--published=elr", "--dataset=npz:x.npz"),
      "cells of cifar10, cifar100",
    ),
    ("reproduce", ("--table=7",), "--table=7"),
    ("reproduce", ("--table=1", "--cell=sym99"), "`cell` must be one of cifar"),
    ("reproduce", ("--table=2", "--scale=cpu"), "`table` must be one of 1, 5"),
    ("plot", ("--figure=1", "--results_dir=unused"), "needs a run of cell"),
    ("reproduce", ("--figure=1", "--notrain"), "scripts.plot draws figures"),
    ("plot", ("--figure=1", "--scale=gpu"), "has figures, paper or cpu"),
    ("plot", ("--figure=2", "--output=a.pdf"), "must end in .png"),
    ("tune", ("--workdir=unused", "--num_folds=5", "--fold=0"), "`num_folds`"),
    ("tune", ("--workdir=unused", "--sweep=width"), "OPTION=VALUE"),
    (
      "benchmark",
      ("--suite=serving", "--compare=torch"),
      "`compare` belongs to suite=steps. Received: suite=serving",
    ),
    ("benchmark", ("--torch_python=x",), "`torch_python` belongs to compare"),
    ("benchmark", ("--output=unused/x.json",), "`output` must be a file in a"),
  )
  def test_bad_experiments(self, script, arguments, message):
    self.assert_one_line(run(script, *arguments), message)
    self.assertFalse((_ROOT / "unused").exists())

  @long_tests.only
  def test_what_was_run_so_far_is_shown_without_training(self):
    folder = self.enter_context(tempfile.TemporaryDirectory())
    place = pathlib.Path("cpu", "table1", "sym0")
    shutil.copytree(_ROOT / "results" / place, folder / place)
    process = run(
      "reproduce",
      "--table=1",
      "--scale=cpu",
      "--cell=sym0,sym0_standard",
      f"--results_dir={folder}",
      "--notrain",
    )
    self.assertEqual(process.returncode, 0, process.stderr)
    self.assertRegex(process.stdout, r"\| NCT +\| Last +\| +\[8")
    self.assertNotIn("Standard", process.stdout)
    self.assertNotIn(",", process.stdout.splitlines()[-1])  # One workdir.

  def test_figure_2_needs_no_runs(self):
    for script in ("reproduce", "plot"):
      folder = self.enter_context(tempfile.TemporaryDirectory())
      process = run(script, "--figure=2", f"--results_dir={folder}")
      self.assertEqual(process.returncode, 0, process.stderr)
      self.assertTrue(pathlib.Path(folder, "paper", "figure2.png").exists())

  @parameterized.parameters(
    ("train", "--workdir=x"),
    *long_tests.also(
      ("predict", "--export_dir=x", f"--images={__file__}"),
      ("evaluate", "--workdir=x"),
      ("export", "--workdir=x", "--export_dir=y"),
      ("audit", "--workdir=x"),
      ("benchmark",),
      ("reproduce", "--table=1"),
      ("plot", "--figure=2"),
      ("tune", "--workdir=x"),
    ),
  )
  def test_what_tensorflow_says_when_imported_is_held_back(self, *command):
    folder = self.enter_context(tempfile.TemporaryDirectory())
    pathlib.Path(folder, "tensorflow.py").write_text(_FAKE_TENSORFLOW)
    process = start(*command, PYTHONPATH=folder)
    self.assertEqual((process.stdout, process.stderr), ("imported", ""))

  def test_help_tells_ranges_and_choices(self):
    text = " ".join(run("train", "--help").stdout.split())
    for part in (
      "--noise_rate:",
      "range [0.0, 1.0]",
      "<nct|standard|",
      "(pixels; a positive integer)",
      "a number above 0.0; default: 4.0)",
      "--[no]final_bn:",
    ):
      self.assertIn(part, text)

  def test_nobody_has_to_read_all_of_the_help(self):
    reader, writer = os.pipe()
    os.close(reader)
    process = start("train", "--help", stdout=writer)
    os.close(writer)
    self.assertEqual((process.returncode, process.stderr), (0, ""))

  def test_help_is_grouped(self):
    lines = run("train", "--help").stdout.splitlines()
    headings = [line for line in lines if re.fullmatch(r"\w[\w: ]*:", line)]
    self.assertContainsSubsequence(
      headings,
      [
        "data:",
        "noise:",
        "network:",
        "method:",
        "method: nct:",
        "method: bootstrap:",
        "training:",
        "run:",
      ],
    )
    nct = lines[lines.index("method: nct:") :]
    self.assertStartsWith(nct[1], "  --temperature: ")

  @parameterized.parameters(
    "train", "tune", "benchmark", "launch_local_cluster"
  )
  def test_methods_and_datasets_are_listed(self, script):
    for flag, patterns in (
      (
        "--method=help",
        (
          r"(?m)^nct +Noisy Concurrent Training: Two .*\. \(2 networks\)$",
          r"(?m)^standard +Standard training: One .*\. \(1 network\)$",
        ),
      ),
      (
        "--dataset=help",
        (r"(?m)^digits  .*", r"(?m)^folder:PATH  .*", "list_builders"),
      ),
    ):
      process = run(script, flag)
      self.assertEqual(process.returncode, 0, process.stderr)
      self.assertEqual(process.stderr, "")
      for pattern in patterns:
        self.assertRegex(process.stdout, pattern)

  def test_an_option_of_another_method_is_refused(self):
    self.assert_one_line(
      run("train", "--workdir=x", "--method=standard", "--temperature=2"),
      "^train: Argument `temperature` belongs to the method nct. Received: "
      "method=standard\n$",
    )

  def test_messages_do_not_hide_white_space(self):
    self.assert_one_line(
      run("train", "--workdir=x", "--pretrained_weights=a  b\tc\n\u00a0d"),
      r"Received: a  b\\tc\\n\\xa0d\n$",
    )


class WholeTest(ScriptsTestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = tempfile.TemporaryDirectory()
    cls.addClassCleanup(folder.cleanup)
    cls.workdir = pathlib.Path(folder.name) / "run"
    cls.exports = pathlib.Path(folder.name) / "exports"
    cls.trained = run("train", *_TINY, f"--workdir={cls.workdir}")
    cls.exported = run("export", *cls.export_flags())

  @classmethod
  def export_flags(cls):
    return f"--workdir={cls.workdir}", f"--export_dir={cls.exports}"

  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(
      self.enter_context(tempfile.TemporaryDirectory())
    )
    self.assert_succeeded(self.trained)
    self.assert_succeeded(self.exported)

  def next_of(self, process):
    """Returns the command in a script's last line: its name and flags."""
    self.assert_succeeded(process)
    last = process.stdout.splitlines()[-1]
    self.assertStartsWith(last, "Next: ")
    _, dash_m, module, *arguments = shlex.split(last.removeprefix("Next: "))
    self.assertEqual(dash_m, "-m")
    return module.removeprefix("scripts."), *arguments

  def succeed(self, script, *arguments):
    process = run(script, *arguments)
    self.assert_succeeded(process)
    return process

  def result(self):
    return json.loads((self.workdir / "result.json").read_text())

  def test_train_tells_of_noise_progress_and_result(self):
    self.assertIn("nominal rate 0.4000, actual rate 0.", self.trained.stderr)
    self.assertIn("epoch 2.0/2", self.trained.stderr)
    best = f"{100 * self.result()['best_accuracy']:.1f} %"
    self.assertIn(best, self.trained.stdout)
    self.assertEqual(
      self.next_of(self.trained), ("evaluate", f"--workdir={self.workdir}")
    )

  def test_another_run_is_refused(self):
    self.assert_one_line(
      run("train", *_TINY, "--width=9", f"--workdir={self.workdir}"),
      r"train: Workdir .*width is 8 there and 9 here.*--overwrite.* -m "
      rf"scripts.train --flagfile={self.workdir}/flags.txt --width=9 "
      rf"--workdir={self.workdir}_width_9$",
    )

  def test_evaluate(self):
    evaluated = self.succeed("evaluate", f"--workdir={self.workdir}")
    scores = json.loads((self.workdir / "evaluation.json").read_text())
    self.assertAlmostEqual(
      scores["ensemble_accuracy"], self.result()["last_accuracy"], places=5
    )
    self.assertEqual(np.sum(scores["confusion_matrix"]), 360)
    self.assertIn("cohen kappa", evaluated.stdout)
    self.assertEqual(
      self.next_of(evaluated),
      ("export", f"--workdir={self.workdir}", "--export_dir=exports/run"),
    )

  def test_what_comes_after_an_export_classifies(self):
    script, *arguments = self.next_of(self.exported)
    self.assertEqual(script, "predict")
    # Of digits there are no files: it takes what lies here.
    self.assert_one_line(run(script, *arguments), r"predict: .*\*\.png")
    picture = pathlib.Path(self.exports, "a.png")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(picture)
    process = self.succeed(
      script, arguments[0], f"--images={self.exports}/*.png", "--format=csv"
    )
    # What other programs read has no such line.
    self.assertNotIn("Next", process.stdout)

  @long_tests.only
  def test_own_pictures_are_checked_trained_on_audited_and_relabelled(self):
    folder = self.folder / "my pictures"
    for number in range(40):
      path = folder / f"class {number % 2}" / f"{number}.png"
      path.parent.mkdir(parents=True, exist_ok=True)
      Image.fromarray(np.full((8, 8), 6 * number, np.uint8)).save(path)
    flags = (f"--cache_dir={self.folder / 'cache'}", "--num_epochs=1")
    workdir = self.folder / "my run"
    where = (f"--dataset=folder:{folder}", f"--workdir={workdir}")
    checked = self.succeed(
      "train", "--check_data", *where, "--network=mlp", "--width=auto", *flags
    )
    self.assertStartsWith(checked.stdout, f"Reads folder:{folder}, ")
    self.assertIn("Chosen for 32 training images of 8x8", checked.stdout)
    self.assertIn("--width=64", checked.stdout)
    self.assertRegex(checked.stdout, "all 1 epochs .* on this machine")
    train = self.next_of(checked)
    # What is auto stays so.
    self.assertCountEqual(train, ["train", *where, "--network=mlp", *flags])
    audit = self.next_of(self.succeed(*train))
    self.assertEqual(audit, ("audit", f"--workdir={workdir}"))
    audited = self.succeed(*audit, flags[0], "--force")
    again = self.next_of(audited)
    page = (workdir / "audit" / "index.html").read_text(encoding="utf-8")
    command = audited.stdout.splitlines()[-1].removeprefix("Next: ")
    words = html.unescape(re.sub("<[^>]*>", "", page)).split()
    self.assertIn(command, " ".join(words))
    with open(workdir / "audit" / "labels.csv", encoding="utf-8") as file:
      first = next(csv.DictReader(file))
    (workdir / "decisions.csv").write_text(
      f"id,decision,label\n{first['id']},relabel,{first['suggested']}\n"
    )
    self.next_of(self.succeed(*again, flags[0]))

  def test_versions_of_an_export(self):
    self.succeed("export", *self.export_flags())
    for version in ("1", "2"):
      self.assertTrue((self.exports / version / "saved_model.pb").exists())
    self.assert_one_line(
      run("export", *self.export_flags(), "--version=2"),
      "export: Version 2 exists in .* already",
    )
    self.assert_one_line(
      run(
        "predict",
        f"--export_dir={self.exports}",
        "--version=7",
        f"--images={__file__}",
      ),
      "predict: .* has no version 7, but 1, 2",
    )

  def test_compare(self):
    compared = self.succeed(
      "compare",
      f"--workdirs={self.workdir},{self.workdir}",
      f"--figure={self.folder / 'figure.png'}",
    )
    self.assertLen(
      [line for line in compared.stdout.splitlines() if " nct " in line], 2
    )
    self.assertTrue((self.folder / "figure.png").exists())
    self.assertEqual(self.next_of(compared)[0], "evaluate")

  @long_tests.only
  def test_a_flag_file_repeats_the_run_in_another_process(self):
    again = self.folder / "again"
    self.assert_succeeded(
      start(
        "train",
        f"--flagfile={self.workdir / 'flags.txt'}",
        f"--workdir={again}",
      )
    )
    self.assertLen(interrupted_runs.read_history(self.workdir), 2)
    self.assertEmpty(interrupted_runs.differences(self.workdir, again))

  def test_data_that_are_not_there(self):
    process = run(
      "train",
      "--dataset=cifar10",
      f"--data_dir={self.folder}",
      f"--workdir={self.folder / 'run'}",
    )
    self.assert_one_line(
      process,
      f"train: Dataset cifar10 is not in {self.folder}/cifar10/.*--download",
    )
    self.assertFalse((self.folder / "run").exists())

  def test_divergence_is_one_line_after_the_progress_bar(self):
    process = run(
      "train", *_TINY, "--learning_rate=1e30", f"--workdir={self.folder / 'x'}"
    )
    self.assertEqual(process.returncode, 2)
    self.assertRegex(
      process.stderr.splitlines()[-1],
      "^train: The loss became .* in epoch .*The last good checkpoint: ",
    )
    self.assertNotIn("Traceback", process.stderr)

  def test_an_unfinished_run_is_named(self):
    self.assert_one_line(
      run("evaluate", f"--workdir={self.folder}"),
      f"evaluate: Workdir {self.folder} has no flags.txt",
    )

  @long_tests.only
  def test_a_dry_run_prints_commands_and_costs_and_nothing_else(self):
    flags = ("--table=1", "--scale=cpu", "--cell=sym50")
    process = start("reproduce", *flags, "--dry_run")
    self.assertEqual(process.stderr, "")
    self.assertRegex(process.stdout, r"\nsym50 .* [kMG]B .* GFLOP .* ms? ")
    script, *arguments = self.next_of(process)
    self.assertEqual(script, "reproduce")
    self.assertCountEqual(arguments, flags)

  @long_tests.only
  def test_benchmark_prints_a_table_and_writes_json(self):
    output = self.folder / "measured.json"
    process = self.succeed(
      "benchmark",
      "--network=mlp",
      "--fake_image_size=8",
      "--batch_size=16",
      "--num_steps=2",
      f"--output={output}",
    )
    measured = json.loads(output.read_text())
    self.assertEqual(measured["num_steps"], 2)
    self.assertEqual(measured["method"], "nct")
    self.assertGreater(measured["pipeline_images_per_second"], 0)
    own, single = measured["rows"]
    self.assertEqual(own["ratio"], 1.0)
    for row in (own, single):
      self.assertGreater(row["step_seconds"], 0)
      self.assertGreater(row["peak_fraction"], 0)
      self.assertGreater(row["first_step_seconds"], 0)
      # TensorFlow alone takes more.
      self.assertGreater(row["memory_bytes"], 1e8)
    self.assertGreater(measured["device"]["copied_bytes_per_second"], 0)
    self.assertIn("nct over twice one network alone: ", process.stdout)

  @long_tests.only
  def test_benchmark_of_whole_trainings(self):
    process = self.succeed(
      "benchmark",
      "--suite=training",
      "--dataset=digits",
      "--network=mlp",
      "--width=8",
      "--num_steps=2",
    )
    measured = json.loads(process.stdout.splitlines()[-1])
    self.assertEqual(measured["dataset"], "digits")
    self.assertEqual(measured["image_shape"], [8, 8, 1])
    self.assertEqual(measured["num_epochs"], 3)
    self.assertGreater(
      measured["images_per_second"], measured["whole_images_per_second"]
    )
    self.assertBetween(measured["evaluation_share"], 0, 1)
    # To import TensorFlow takes longer.
    self.assertGreater(measured["first_step_seconds"], 1)
    self.assertGreater(measured["warm_first_step_seconds"], 1)
    self.assertIn("end to end over the bare step", process.stdout)

  @long_tests.only
  def test_benchmark_of_serving(self):
    process = self.succeed(
      "benchmark",
      "--suite=serving",
      "--network=mlp",
      "--fake_image_size=8",
      "--num_steps=3",
    )
    measured = json.loads(process.stdout.splitlines()[-1])
    self.assertEqual(
      {
        (latency["signature"], latency["batch_size"])
        for latency in measured["latencies"]
      },
      {
        (signature, size)
        for signature in (
          "serving_default",
          "serving_bytes",
          "classify",
          "serving_network1",
          "serving_network2",
        )
        for size in (1, 8, 64)
      },
    )
    for latency in measured["latencies"]:
      self.assertGreater(latency["p50_seconds"], 0)
      self.assertGreaterEqual(latency["p99_seconds"], latency["p50_seconds"])
    self.assertIn("decoding's share", process.stdout)


class ReproduceTest(ScriptsTestCase):
  def test_a_part_of_the_ranked_table_is_printed_and_not_drawn(self):
    picture = _ROOT / "results" / "cpu" / "methods.png"
    before = picture.stat().st_mtime_ns
    process = run(
      "reproduce",
      "--table=methods",
      "--scale=cpu",
      "--notrain",
      "--cell=sym50,sym50_standard,sym50_elr",
    )
    self.assert_succeeded(process)
    self.assertRegex(process.stdout, r"\A\| last epoch .*\n.*\n\| NCT +\|")
    self.assertRegex(process.stdout, r"\n\| +\| +among .*always Standard \|\n")
    figures = re.findall(r"\[[^]]+\]\(results/[^)]+\)", process.stdout)
    self.assertLen(figures, 15)
    text = (_ROOT / "RESULTS.md").read_text(encoding="utf-8")
    self.assertContainsSubset(
      figures, re.findall(r"\[[^]]+\]\(results/[^)]+\)", text)
    )
    self.assertEqual(picture.stat().st_mtime_ns, before)


class TuneTest(ScriptsTestCase):
  def test_compares_says_the_next_command_and_runs_it(self):
    folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    flags = (
      "--dataset=digits",
      "--num_train_examples=200",
      "--num_test_examples=100",
      "--augmentation=none",
      "--noise_type=symmetric_inclusive",
      "--noise_rate=0.4",
      "--network=mlp",
      "--width=8",
      "--batch_size=50",
      "--num_epochs=2",
      "--methods=standard,gce",
      "--jobs=2",
      f"--workdir={folder}",
    )
    process = run("tune", *flags)
    self.assert_succeeded(process)
    *table, where, following = process.stdout.splitlines()
    self.assertCountEqual(
      [line.split()[0] for line in table[2:4]], ["standard", "gce"]
    )
    self.assertIn("on 40 noisy labels", process.stdout)
    self.assertRegex(process.stdout, r"\nChosen: (standard|gce), ")
    self.assertEqual(where, f"As text: {folder}/tuning.txt")
    self.assertEqual((folder / "tuning.txt").read_text().splitlines(), table)
    best = table[2].split()[0]
    command = shlex.split(following)
    self.assertContainsSubset(
      [
        "scripts.train",
        f"--method={best}",
        "--noise_rate=0.4",
        f"--workdir={folder}/best_{best}",
      ],
      command,
    )

    results = [folder / name / "result.json" for name in ("standard", "gce")]
    times = [path.stat().st_mtime_ns for path in results]
    process = run("tune", *flags, "--train_best")
    self.assert_succeeded(process)
    # What had finished is not trained again; the best trains on everything.
    self.assertEqual([path.stat().st_mtime_ns for path in results], times)
    self.assertStartsWith(process.stdout, "\n".join([*table, where]))
    self.assertIn(f"Everything is in {folder}/best_{best}", process.stdout)
    noise = np.load(folder / f"best_{best}" / "noise.npz")
    self.assertLen(noise["given_label"], 200)


class OwnPicturesTest(ScriptsTestCase):
  """A run of pictures of one's own that learns nothing."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = tempfile.TemporaryDirectory()
    cls.addClassCleanup(folder.cleanup)
    file = pathlib.Path(folder.name, "pictures.npz")
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=[200, 4, 4, 1], dtype=np.uint8)
    np.savez(file, images=images, labels=np.arange(200) % 4)
    cls.workdir = pathlib.Path(folder.name, "run")
    cls.flags = (
      f"--dataset=npz:{file}",
      "--method=standard",
      "--network=mlp",
      "--width=auto",
      "--num_epochs=1",
      "--learning_rate=1e-9",
      f"--workdir={cls.workdir}",
    )
    cls.trained = run("train", *cls.flags)

  def test_what_was_chosen_is_told_and_kept(self):
    self.assertEqual(self.trained.returncode, 0, self.trained.stderr)
    self.assertIn("Chosen for 160 training images of 4x4", self.trained.stderr)
    recorded = (self.workdir / "flags.txt").read_text().splitlines()
    for flag in re.findall(r"(?m)^  (--\S+) ", self.trained.stderr):
      self.assertIn(flag, recorded)
    again = run("train", *self.flags)
    self.assertEqual(again.returncode, 0, again.stderr)
    self.assertEqual(again.stdout, self.trained.stdout)
    self.assertRegex(again.stderr, "^Workdir .* holds this very run, finished$")

  def test_nothing_learned_is_worth_no_audit(self):
    self.assertIn(
      f"Warning: {self.workdir}: The networks have learned nothing: they",
      " ".join(self.trained.stdout.split()),
    )
    process = run("audit", f"--workdir={self.workdir}")
    self.assertEqual((process.returncode, process.stdout), (2, ""))
    self.assertRegex(
      process.stderr.splitlines()[-1],
      "^audit: The networks have learned nothing: .*; --force writes it all",
    )
    self.assertFalse((self.workdir / "audit").exists())
    forced = run("audit", f"--workdir={self.workdir}", "--folds=0", "--force")
    self.assertEqual(forced.returncode, 0, forced.stderr)
    self.assertRegex(forced.stdout, r"estimated +\S+ % \(0\.0 to 100\.0\)")
    self.assertIn("Warning: The networks have learned nothing", forced.stdout)
    page = (self.workdir / "audit_0_folds" / "index.html").read_text()
    self.assertIn("The networks have learned nothing", page)


class ReadingTest(ScriptsTestCase):
  def open_pipe(self, path, process):
    """Returns a pipe's descriptor, once a process reads from it."""
    while process.poll() is None:
      try:
        return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
      except OSError:
        time.sleep(0.05)
    return self.fail(process.stderr.read())

  @long_tests.only
  @parameterized.parameters((signal.SIGTERM, ()), (signal.SIGINT, _CHOSEN))
  def test_a_stop_while_the_data_are_read(self, number, options):
    """A pipe in place of a picture holds the reading up."""
    folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    lines = ["path,label", "pipe.png,a"]
    for index in range(20):
      pixels = np.random.default_rng(index).integers(256, size=(8, 8))
      Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{index}.png")
      lines.append(f"{index}.png,{'ab'[index % 2]}")
    (folder / "list.csv").write_text("\n".join(lines))
    os.mkfifo(folder / "pipe.png")
    process = subprocess.Popen(
      [
        sys.executable,
        "-m",
        "scripts.train",
        f"--dataset=csv:{folder / 'list.csv'}",
        f"--workdir={folder / 'run'}",
        f"--cache_dir={folder / 'cache'}",
        *options,
      ],
      cwd=_ROOT,
      stderr=subprocess.PIPE,
      text=True,
    )
    self.addCleanup(process.kill)
    writer = self.open_pipe(folder / "pipe.png", process)
    process.send_signal(number)
    time.sleep(0.5)
    os.close(writer)
    _, errors = process.communicate(timeout=60)
    self.assertEqual(process.returncode, 75, errors)
    self.assertRegex(
      errors.splitlines()[-1], f"^train: stopped by {number.name}; the same"
    )
    self.assertNotIn("Traceback", errors)
    self.assertFalse((folder / "run").exists())


class ApplyDecisionsTest(ScriptsTestCase):
  def setUp(self):
    super().setUp()
    self.top = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    self.folder = self.top / "my pictures"
    for path in ("1/a.png", "1/b.png", "2/c.png"):
      (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
      (self.folder / path).write_text(path)
    self.output = self.top / "it's new"
    self.workdir = self.top / "runs"
    self.workdir.mkdir()

  def decide(self, name, *rows):
    lines = ["id,decision,label", *rows]
    (self.top / name).write_text("\n".join(lines) + "\n")
    return self.top / name

  def run_script(self, *arguments):
    return run("apply_decisions", *arguments, f"--output={self.output}")

  def finish_run(self, **options):
    run = config.TrainConfig(dataset=f"folder:{self.folder}", **options)
    (self.workdir / "flags.txt").write_text(run.to_flagfile())

  def test_a_runs_dataset_and_its_decisions(self):
    first = self.decide("first.csv", "2/c.png,relabel,1")
    self.finish_run(label_decisions=str(first))
    self.decide("runs/decisions.csv", "1/a.png,relabel,2")
    process = self.run_script(f"--workdir={self.workdir}")
    self.assertEqual(process.returncode, 0, process.stderr)
    self.assertRegex(process.stdout, r"(?m)^relabelled +2$")
    self.assertRegex(process.stdout, r"(?m)^undecided +1$")
    *_, written, following = process.stdout.splitlines()
    self.assertEqual(written, f"Written: folder:{self.output}")
    self.assertEqual(
      shlex.split(following),
      [
        "Next:",
        following.split()[1],
        "-m",
        "scripts.train",
        f"--flagfile={self.workdir}/flags.txt",
        "--label_decisions=",
        f"--dataset=folder:{self.output}",
        f"--workdir={self.workdir}_corrected",
      ],
    )
    names = [path.name for path in self.output.rglob("*/*")]
    self.assertCountEqual(names, ["b.png", "c.png", "a.png"])

  def test_a_dataset_of_no_run(self):
    decisions = self.decide("decisions.csv", "1/a.png,drop,")
    process = self.run_script(
      f"--dataset=folder:{self.folder}", f"--decisions={decisions}"
    )
    self.assertEqual(process.returncode, 0, process.stderr)
    self.assertRegex(process.stdout, r"(?m)^dropped +1$")

  @parameterized.named_parameters(
    (
      "synthetic",
      {"noise_type": "pair_flip", "noise_rate": 0.2},
      "Received: noise_type=pair_flip",
    ),
    (
      "dropped",
      {"drop_flagged": "labels.csv", "force_drop_flagged": True},
      "Received: drop_flagged=.*/labels.csv",
    ),
  )
  def test_a_run_whose_labels_are_others(self, options, message):
    self.finish_run(**options)
    self.decide("runs/decisions.csv", "1/a.png,drop,")
    process = self.run_script(f"--workdir={self.workdir}")
    self.assert_one_line(process, f"^apply_decisions: .*{message}\n$")
    self.assertFalse(self.output.exists())

  @parameterized.parameters(
    ((), r"One of \(workdir, dataset\)"),
    (("--workdir=x", "--dataset=folder:y"), "there is no run in it"),
    (("--dataset=folder:y",), "`decisions` must be given"),
    (("--workdir=unused",), "there is no run in it"),
  )
  def test_bad_flags(self, arguments, message):
    self.assert_one_line(
      self.run_script(*arguments), f"^apply_decisions: .*{message}"
    )


class OtherDataTest(ScriptsTestCase):
  @long_tests.only
  def test_data_that_have_changed_are_refused_in_one_line(self):
    top = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    folder, workdir = top / "pics", top / "run"
    for number in range(40):
      path = folder / str(number % 2) / f"{number}.png"
      path.parent.mkdir(parents=True, exist_ok=True)
      Image.fromarray(np.full((8, 8), 6 * number, np.uint8)).save(path)
    cache = f"--cache_dir={top / 'cache'}"
    self.assert_succeeded(
      run(
        "train",
        f"--dataset=folder:{folder}",
        f"--workdir={workdir}",
        *_TINY[2:3],
        *_TINY[5:],
        "--batch_size=16",
        "--target_variability_max=0.3",
        cache,
      )
    )
    (workdir / "decisions.csv").write_text("id,decision,label\n0/6.png,drop,\n")
    moved = top / "moved"
    folder.rename(moved)
    for script, *flags in (
      ("evaluate", cache),
      ("audit", "--folds=0", "--force", cache),
      ("apply_decisions", f"--output={top / 'copy'}", cache),
    ):
      flags.append(f"--workdir={workdir}")
      self.assert_one_line(
        run(script, *flags), f"^{script}: .* no {folder}. .* --dataset=folder:"
      )
      flags.append(f"--dataset=folder:{moved}")
      self.assert_succeeded(run(script, *flags))
      flags.pop()
      (moved / "0" / "6.png").rename(moved / "0" / "006.png")
      process = run(script, *flags)
      self.assertEqual(process.returncode, 2)
      self.assertRegex(
        process.stderr.splitlines()[-1],
        f"^{script}: Workdir {workdir} .* 1 of 40 pictures renamed, the first "
        "is 0/006.png .was 0/6.png.",
      )
      (moved / "0" / "006.png").rename(moved / "0" / "6.png")
      moved.rename(folder)
      folder, moved = moved, folder
      (workdir / "evaluation.json").unlink(missing_ok=True)
      shutil.rmtree(top / "copy", ignore_errors=True)


class ThinTest(absltest.TestCase):
  def test_a_script_is_thin(self):
    for path in (_ROOT / "scripts").glob("*.py"):
      if path.name not in ("cli.py", "next_steps.py"):  # Scripts share these.
        self.assertLess(len(path.read_text().splitlines()), 80, path.name)


if __name__ == "__main__":
  absltest.main()
