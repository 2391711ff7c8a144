from absl.testing import absltest

from nct_tf import errors
from nct_tf.benchmarks import audit
from tests.support import long_tests, tiny_run


class AuditBenchmarkTest(absltest.TestCase):
  @long_tests.only
  def test_ranks_by_a_method_and_by_folds_of_standard_training(self):
    # Any method will do; this one trains fastest.
    config = tiny_run.tiny_config(method="standard")
    measured = audit.benchmark(config, num_steps=1)
    precisions = measured["average_precision"]
    self.assertEqual(
      list(precisions),
      [
        "standard_mean",
        "standard_last",
        "cleanlab_self_confidence",
        "cleanlab_normalized_margin",
        "cleanlab_confidence_weighted_entropy",
      ],
    )
    for precision in precisions.values():
      self.assertBetween(precision, 0, 1)
    self.assertAlmostEqual(measured["wrong_rate"], 0.3, delta=0.1)
    self.assertEqual(
      list(measured["seconds"]),
      ["standard", "standard_folds", "standard_folds_to_best"],
    )
    text = audit.format_benchmark(measured)
    self.assertRegex(text, r"standard mean +0\.\d{3}")
    self.assertRegex(text, r"standard +[\d.]+ m?s +1\.00")

  def test_refuses_labels_that_are_all_right(self):
    config = tiny_run.tiny_config(noise_type="none", noise_rate=0.0)
    with self.assertRaisesRegex(errors.InvalidInputError, "--noise_type"):
      audit.benchmark(config, num_steps=1)


if __name__ == "__main__":
  absltest.main()
