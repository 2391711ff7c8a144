"""Tests of how good choices would have been."""

import pathlib
import tempfile

from absl.testing import absltest
import numpy as np

from nct_tf.experiments import choice, regret, tables

# The held-out accuracies of four epochs, and the last one on the test split.
_RUNS = {
  "sym20": ([0.2, 0.4, 0.6, 0.7], 0.80),
  "sym20_standard": ([0.6, 0.6, 0.5, 0.4], 0.60),
  "sym20_elr": ([0.1, 0.1, 0.7, 0.9], 0.75),
  "sym20_mixup": ([0.3, 0.3, 0.3, 0.3], 0.30),
}
_TOLD = "sym20_jocor_true"


class RegretTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    folder = self.enter_context(tempfile.TemporaryDirectory())
    self.table = tables.load("methods", "cpu")
    self.found = {
      name: [self.run_of(pathlib.Path(folder, name), name, *values)]
      for name, values in {**_RUNS, _TOLD: ([0.1] * 4, 0.99)}.items()
    }

  def run_of(self, folder, name, held_out, last):
    folder.mkdir()
    config = self.table.cells[name].config(3, workdir=str(folder))
    (folder / "flags.txt").write_text(config.to_flagfile())
    rows = [f"{epoch},{value},{last}\n" for epoch, value in enumerate(held_out)]
    (folder / "history.csv").write_text(
      "epoch,val_ensemble_accuracy,test_ensemble_accuracy\n" + "".join(rows)
    )
    return folder

  def test_the_chosen_is_compared_with_the_best(self):
    cells = self.table.choose(list(self.found))
    (found,) = regret.measure(cells, self.found)
    self.assertEqual(found.seed, 3)
    # The means of all four epochs.
    self.assertEqual(found.chosen, "Standard")
    self.assertEqual(found.best, "NCT")
    self.assertAlmostEqual(found.of(found.chosen), 0.2)
    text = regret.format_regrets([found], {"nct": "NCT", "mixup": "Mixup"})
    self.assertIn("always NCT", text)
    self.assertRegex(
      text,
      r"20 % +\| +4 \| Standard +\| NCT +\| +20\.0 +\| +20\.0 +\| +0\.0 ",
    )

  def test_columns_count_alike_in_the_mean(self):
    accuracies = {"NCT": 0.9, "Standard": 0.8}
    choices = [
      regret.Regret(column, seed, chosen, "NCT", accuracies)
      for column, seed, chosen in (
        ("no noise", 0, "NCT"),
        ("pair flip", 0, "Standard"),
        ("pair flip", 1, "Standard"),
        ("pair flip", 2, "NCT"),
      )
    ]
    text = regret.format_regrets(choices, {"nct": "NCT"}).splitlines()
    self.assertRegex(text[3], r"pair flip \| +2 \| Standard, NCT \|")
    columns = [line.split("|")[5].strip() for line in text[2:]]
    self.assertEqual(columns, ["0.0", "6.7", "3.3"])

  def test_the_safest_row_is_the_least_behind_over_columns(self):
    choices = [
      regret.Regret(column, seed, "NCT", "NCT", accuracies)
      for column, seed, accuracies in (
        ("no noise", 0, {"NCT": 0.9, "Mixup": 0.85, "GCE": 0.5, "ELR": 0.9}),
        # Two seeds of a column count as one column.
        ("pair flip", 0, {"NCT": 0.5, "Mixup": 0.5, "GCE": 0.7}),
        ("pair flip", 1, {"NCT": 0.5, "Mixup": 0.7, "GCE": 0.7}),
      )
    ]
    text = regret.format_regrets(choices, {"nct": "NCT"}).splitlines()
    header = [title.strip() for title in text[0].split("|")]
    self.assertEqual(header[7:9], ["always NCT", "always Mixup"])
    means = [value.strip() for value in text[-1].split("|")]
    # Mixup: the mean of 5 and of (20 + 0) / 2; ELR is not everywhere.
    self.assertEqual(means[7:9], ["10.0", "7.5"])
    text = regret.format_regrets(choices, {"nct": "Mixup"})
    self.assertEqual(text.count("always"), 1)

  def test_halving_may_stop_what_is_slow(self):
    accuracies = {name: np.array(run) for name, (run, _) in _RUNS.items()}
    accuracies["sym20_elr"][3] = 2.0
    self.assertEqual(choice.choose(accuracies), "sym20_elr")
    self.assertEqual(choice.choose(accuracies, True), "sym20_standard")

  def test_columns_of_one_run_are_left_out(self):
    cells = self.table.choose([*self.found, "sym50", "sym20_gce"])
    found = {**self.found, "sym50": self.found["sym20"], "sym20_gce": []}
    (measured,) = regret.measure(cells, found)
    self.assertLen(measured.accuracies, 4)
    self.assertIn("No column", regret.format_regrets([], {}))
    # A method that was not run there has no regret.
    text = regret.format_regrets([measured], {"nct": "x", "standard": "NCT"})
    self.assertRegex(text, r"20 % .*\| +\| +0\.0 \|")


if __name__ == "__main__":
  absltest.main()
