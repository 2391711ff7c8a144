import contextlib
import csv
import json
import os
import pathlib
import signal
import sys
import tempfile
import threading
from unittest import mock

from absl.testing import absltest
import numpy as np

from nct_tf import errors
from nct_tf.experiments import (
  children,
  measures,
  pages,
  reproduction,
  tables,
)
from nct_tf.system import interruption
from nct_tf.workdir import layout
from tests.support import long_tests, tiny_run

_FLAGS = {
  "dataset": "digits",
  "num_train_examples": 100,
  "augmentation": "none",
  "noise_type": "symmetric_exclusive",
  "noise_rate": 0.5,
  "network": "mlp",
  "width": 8,
  "num_epochs": 3,
  "batch_size": 50,
}
# Of the runs that others than `reproduction` make.
_FINISHED = {**_FLAGS, "monitor_every_epochs": 1}

# Stands for Python: it fails where an example is wanted too many, and
# otherwise gives away a run that has finished.
_FAKE_PYTHON = """\
#!/bin/sh
for argument; do
  case $argument in
    --num_train_examples=100000) echo "must be at most 1437"; exit 2;;
    --workdir=*) workdir=${argument#--workdir=};;
  esac
done
cp -r "$FINISHED" "$workdir"
"""


def make_table(**flags):
  cells = [
    tables.Cell(
      name=name,
      row=row,
      column="digits",
      flags={**_FLAGS, **more, **flags},
      accuracy=accuracy,
      paper={"best": [90.7, 0.3]} if name == "digits" else {},
    )
    for name, row, accuracy, more in (
      ("digits", "NCT", "ensemble", {}),
      ("digits_no_ensemble", "One network", "network1", {}),
      ("digits_standard", "Standard", "ensemble", {"method": "standard"}),
    )
  ]
  return tables.Table(
    "table1",
    "paper",
    "Digits",
    ("best", "last"),
    {cell.name: cell for cell in cells},
  )


class ReproductionTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    folder = self.enter_context(tempfile.TemporaryDirectory())
    self.folder = pathlib.Path(folder)
    self.table = make_table()
    self.cells = list(self.table.cells.values())

  def plan(self, table=None, seeds=(0,)):
    table = table or self.table
    return reproduction.plan(
      table, table.choose([]), seeds, str(self.folder / "runs")
    )

  def results(self):
    return reproduction.Results(str(self.folder / "results"))

  def test_cells_of_equal_runs_are_run_once(self):
    runs = self.plan(seeds=(0, 1))
    self.assertEqual(
      [run.name for run in runs],
      [
        f"paper/table1/{name}/seed{seed}"
        for seed in (0, 1)
        for name in ("digits", "digits_standard")
      ],
    )

  @contextlib.contextmanager
  def fake_python(self, **changes):
    """Has processes copy a run that was trained once, and train nothing."""
    python = self.folder / "python"
    python.write_text(_FAKE_PYTHON)
    python.chmod(0o755)
    finished = tiny_run.shared(**_FINISHED, **changes).path
    with (
      mock.patch.object(sys, "executable", str(python)),
      mock.patch.dict(os.environ, FINISHED=str(finished)),
    ):
      yield

  def test_nothing_to_show_is_an_error(self):
    with self.assertRaisesRegex(
      errors.InvalidInputError, "no finished run of these cells"
    ):
      self.results().of_some(self.cells, (0, 1))

  def test_runs_are_kept_told_and_not_made_again(self):
    with self.fake_python():
      self.check_runs_are_kept()

  @long_tests.only
  def test_runs_that_processes_train_are_kept(self):
    self.check_runs_are_kept()

  def check_runs_are_kept(self):
    digits, standard = self.plan()
    tiny_run.copy(standard.config.workdir, **_FINISHED, method="standard")
    reproduction.run_all([digits, standard], self.results(), num_jobs=2)
    cell = self.folder / "results" / "paper" / "table1" / "digits"
    self.assertCountEqual(
      os.listdir(cell / "seed0"),
      ["flags.txt", "history.csv", "result.json", "memorisation.png"],
    )
    self.assertNotIn(str(self.folder), (cell / "seed0/flags.txt").read_text())
    # What had ended without being kept is kept.
    self.assertTrue(os.path.exists(children.log_file(digits.config)))
    self.assertFalse(os.path.exists(children.log_file(standard.config)))
    self.assertIsNotNone(self.results().find(standard.config))

    page = (cell / "README.md").read_text()
    self.assertIn("--dataset=digits --num_train_examples=100", page)
    for name in ("history.csv", "memorisation.png"):
      self.assertIn(f"(seed0/{name})", page)

    found = self.results().of_cells(self.cells, (0, 1))
    text = pages.format_table(self.table, self.cells, found, (0, 1))
    with open(cell / "seed0" / "history.csv", encoding="utf-8") as file:
      rows = list(csv.DictReader(file))
    best = max(float(row["val_ensemble_accuracy"]) for row in rows)
    self.assertRegex(
      text,
      rf"\| NCT +\| Best +\| +\[{100 * best:.1f} \(1\)\]\(.*/digits/\)"
      r" \| +90.7 ± 0.3 \|",
    )
    last = float(rows[-1]["val_accuracy_1"])
    self.assertRegex(text, rf"\| One network +\| Last +\| +\[{100 * last:.1f} ")

    # With no workdir left, training would have to begin anew.
    for run in self.plan():
      os.rename(run.config.workdir, f"{run.config.workdir}_gone")
    reproduction.run_all(self.plan(), self.results())
    self.assertFalse(pathlib.Path(self.plan()[0].config.workdir).exists())

  @long_tests.only
  def test_interrupted_runs_go_on(self):
    (run, _) = self.plan(make_table(num_epochs=300))
    workdir = layout.Workdir(run.config.workdir)
    over = threading.Event()

    def interrupt():
      while not workdir.history_file.exists():
        if over.wait(0.05):
          return
      os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=interrupt)
    with (
      self.assertRaises(errors.TrainingInterrupted),
      # A signal that came too late would end the tests.
      interruption.catch(),
    ):
      thread.start()
      try:
        reproduction.run_all([run], self.results())
      finally:
        over.set()
        thread.join()
    # Its training has ended too, and saved where it stood.
    log = pathlib.Path(children.log_file(run.config)).read_text()
    self.assertIn("the same command goes on from there", log)
    self.assertFalse(workdir.result_file.exists())

  def test_results_that_cannot_be_kept_are_told_before(self):
    (self.folder / "results").write_text("mine")
    with self.assertRaisesRegex(
      errors.InvalidInputError, "Results folder .* cannot be written to"
    ):
      reproduction.run_all(self.plan(), self.results())
    self.assertFalse((self.folder / "runs").exists())

  def test_failures_are_told_after_the_others_have_ended(self):
    bad, _ = self.plan(make_table(num_train_examples=100_000))
    _, good = self.plan()
    results = self.results()
    with (
      self.fake_python(method="standard"),
      self.assertRaisesRegex(
        errors.InvalidInputError,
        r"1 of 2 trainings failed; .*\.log ends with: .*at most",
      ),
    ):
      reproduction.run_all([bad, good], results, num_jobs=2)
    self.assertIsNotNone(results.find(good.config))


class MeasuresTest(absltest.TestCase):
  def test_mean_and_sample_deviation_over_seeds(self):
    table = make_table()
    folders = []
    for seed, accuracies in enumerate(([0.5, 0.8, 0.7], [0.6, 0.5, 0.4])):
      folder = pathlib.Path(
        self.enter_context(tempfile.TemporaryDirectory()), f"seed{seed}"
      )
      folder.mkdir()
      rows = "".join(f"{n},{a},0.1\n" for n, a in enumerate(accuracies))
      (folder / "history.csv").write_text(
        f"epoch,val_ensemble_accuracy,val_accuracy_1\n{rows}"
      )
      (folder / "result.json").write_text(
        json.dumps({"train_accuracy_noisy": 0.2})
      )
      folders.append(folder)
    measured = measures.measure(
      table.cells["digits"], ["best", "last", "last10", "top5"], folders
    )
    self.assertEqual(set(measured), {"best", "last", "last10"})
    for name, values in (("best", [0.8, 0.6]), ("last", [0.7, 0.4])):
      np.testing.assert_allclose(measured[name].mean, np.mean(values))
      np.testing.assert_allclose(measured[name].std, np.std(values) * 2**0.5)
      self.assertEqual(measured[name].num_seeds, 2)
    one = measures.measure(
      table.cells["digits_no_ensemble"], ["last"], folders[:1]
    )
    self.assertEqual(one["last"], measures.Statistic(0.1, None, 1))


if __name__ == "__main__":
  absltest.main()
