from absl.testing import absltest

from nct_tf.workdir import result as result_lib

RESULT = {
  "method": "nct",
  "num_epochs": 40,
  "best_accuracy": 0.95,
  "last_accuracy": 0.9,
  "last10_accuracy": 0.912,
  "balanced_accuracy": 0.88,
  "train_accuracy_noisy": None,
  "seconds": 12.3,
}


class FormatResultsTest(absltest.TestCase):
  def test_a_row_a_run(self):
    lines = result_lib.format_results([RESULT, RESULT], "ab").splitlines()
    self.assertEqual(
      " ".join(lines[0].split()),
      "run method epochs best last last 10 balanced memorised time",
    )
    self.assertEqual(
      " ".join(lines[2].split()), "a nct 40 95.0 % 90.0 % 91.2 % 88.0 % - 12 s"
    )

  def test_says_who_was_told_what_nobody_knows(self):
    told = {**RESULT, "uses": ["the true noise rate"]}
    fair = {**RESULT, "uses": []}
    table = result_lib.format_results([RESULT, told, fair], "abc")
    self.assertEqual(
      table.splitlines()[-1],
      "b uses the true noise rate, which nobody knows of real data.",
    )
    self.assertEqual(table.count("uses"), 1)

  def test_the_legend_names_what_is_known_of_the_test_labels(self):
    old, clean = {}, {"test_labels": "clean"}
    given, decided = {"test_labels": "given"}, {"test_labels": "decided"}
    for results, expected in (
      ([old, clean], "accuracy on the clean test split, of the best epoch"),
      ([given, given], "accuracy on the test split's given labels, of"),
      (
        [clean, given, decided],
        "accuracy on the clean test split (a) or the test split's given labels "
        "(b) or the test split's decided labels (c), of",
      ),
    ):
      legend = result_lib.format_legend(results, "abc"[: len(results)])
      self.assertIn(expected, " ".join(legend.split()))
      self.assertEqual("Nobody knows" in legend, given in results)
      self.assertLessEqual(max(map(len, legend.splitlines())), 80)


if __name__ == "__main__":
  absltest.main()
