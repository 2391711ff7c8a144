from absl.testing import absltest

from nct_tf.reporting import text_tables


class TablesTest(absltest.TestCase):
  def test_columns_line_up(self):
    self.assertEqual(
      text_tables.format_table([("a", "1"), ("bbb", "22")], ("x", "long")),
      "x    long\n---  ----\na       1\nbbb    22",
    )

  def test_results(self):
    result = {
      "method": "nct",
      "num_epochs": 40,
      "best_accuracy": 0.95,
      "last_accuracy": 0.9,
      "last10_accuracy": 0.912,
      "balanced_accuracy": 0.88,
      "train_accuracy_noisy": None,
      "seconds": 12.3,
    }
    lines = text_tables.format_results([result, result], "ab").splitlines()
    self.assertEqual(
      " ".join(lines[0].split()),
      "run method epochs best last last 10 balanced memorised time",
    )
    self.assertEqual(
      " ".join(lines[2].split()), "a nct 40 95.0 % 90.0 % 91.2 % 88.0 % - 12 s"
    )

  def test_a_matrix_of_many_classes_is_left_to_the_file(self):
    names = [f"class{i}" for i in range(30)]
    scores = {
      "method": "nct",
      "ensemble_accuracy": 1.0,
      "cohen_kappa": 1.0,
      "matthews_correlation": 1.0,
      "expected_calibration_error": 0.0,
      "per_class_accuracy": dict.fromkeys(names, 1.0),
      "confusion_matrix": [[0] * 30] * 30,
    }
    text = text_tables.format_evaluation(scores)
    self.assertIn("class29", text)
    self.assertNotIn("predicted", text)


if __name__ == "__main__":
  absltest.main()
