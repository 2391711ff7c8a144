"""Tests of the ranks of methods."""

import json
import pathlib
import tempfile

from absl.testing import absltest

from nct_tf.experiments import ranking, tables

# Accuracies after the last epoch, a seed each.
_ACCURACIES = {
  "sym20": (0.8, 0.9),
  "sym50": (0.6,),
  "sym20_standard": (0.7,),
  "sym50_standard": (0.6,),
  "sym20_elr": (0.9,),
  "sym50_elr": (0.7,),
  "sym20_mixup": (0.5,),  # The other noise was not run.
  "sym20_co_teaching_true": (0.95,),
  "sym50_co_teaching_true": (0.95,),
}


class RankingTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    folder = self.enter_context(tempfile.TemporaryDirectory())
    self.folder = pathlib.Path(folder)
    self.cells = tables.load("methods", "cpu").choose(list(_ACCURACIES))
    self.found = {
      name: [
        self.run_of(name, seed, value) for seed, value in enumerate(values)
      ]
      for name, values in _ACCURACIES.items()
    }

  def run_of(self, name, seed, accuracy):
    folder = self.folder / name / f"seed{seed}"
    folder.mkdir(parents=True)
    result = {
      "train_accuracy_noisy": 0.1,
      "wrong_label_average_precision": accuracy / 2,
      "seconds": 60.0,
      "cpu_seconds": 50.0 if name.endswith("standard") else 100.0,
    }
    (folder / "result.json").write_text(json.dumps(result))
    (folder / "history.csv").write_text(
      f"epoch,val_ensemble_accuracy\n0,0.1\n1,{accuracy}\n"
    )
    return folder

  def test_the_best_stands_first_and_equals_share_their_rank(self):
    ranked = ranking.rank(self.cells, self.found)
    self.assertEqual(
      [(each.title, each.mean_rank) for each in ranked[:3]],
      [
        ("Early-learning regularisation", 1.0),
        ("NCT", 2.25),
        ("Standard", 2.75),
      ],
    )

  def test_who_is_told_the_noise_or_lacks_a_run_has_no_rank(self):
    ranked = ranking.rank(self.cells, self.found)
    self.assertEqual(
      {each.title for each in ranked if each.mean_rank is None},
      {"Mixup", "Co-teaching, told the noise"},
    )

  def test_other_measures_are_means_over_columns(self):
    ranked = ranking.rank(self.cells, self.found)
    measured = {each.title: each for each in ranked}
    self.assertAlmostEqual(measured["Standard"].found, 0.325)
    self.assertEqual(measured["Standard"].time, 1.0)
    self.assertEqual(measured["Early-learning regularisation"].time, 2.0)
    self.assertIsNone(measured["Mixup"].found)  # It lacks a column.
    self.assertIsNone(measured["Mixup"].time)

  def test_table_has_means_deviations_and_gaps(self):
    lines = ranking.format_ranking(
      ranking.rank(self.cells, self.found)
    ).splitlines()
    (nct,) = (line for line in lines if line.startswith("| NCT"))
    self.assertIn("85.0 ± 7.1", nct)
    self.assertRegex(nct, r"2\.2 \| +36\.3 \| +2\.0 \|$")
    (elr,) = (line for line in lines if line.startswith("| Early"))
    self.assertIn("90.0 (1) |", elr)  # NCT has two seeds there.
    self.assertIn("70.0 |", elr)
    (mixup,) = (line for line in lines if line.startswith("| Mixup"))
    self.assertEqual(mixup.split("|")[3].strip(), "")

  def test_picture_is_drawn(self):
    path = self.folder / "methods.png"
    ranking.draw(ranking.rank(self.cells, self.found), path)
    self.assertGreater(path.stat().st_size, 10_000)


if __name__ == "__main__":
  absltest.main()
