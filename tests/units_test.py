from absl.testing import absltest, parameterized

from nct_tf import units


class UnitsTest(parameterized.TestCase):
  @parameterized.parameters(
    (0, "0 s"),
    (0.0004, "0.4 ms"),
    (0.00123, "1.2 ms"),
    (0.0351, "35 ms"),
    (0.9994, "999 ms"),
    (0.9996, "1.0 s"),
    (4.24, "4.2 s"),
    (9.96, "10 s"),
    (59.4, "59 s"),
    (59.6, "1 min"),
    (200, "3 min 20 s"),
    (3599.4, "59 min 59 s"),
    (3599.6, "1.0 hours"),
    (15_120, "4.2 hours"),
    (47 * 3600, "47 hours"),
    (3.14 * 86_400, "3.1 days"),
    (5000 * 86_400, "5,000 days"),
  )
  def test_seconds(self, value, text):
    self.assertEqual(units.seconds(value), text)

  @parameterized.parameters(
    (0, "0 B"),
    (999, "999 B"),
    (1000, "1.0 kB"),
    (999_600, "1.0 MB"),
    (35_100_000, "35 MB"),
    (1.64e9, "1.6 GB"),
    (float("inf"), "inf EB"),
  )
  def test_bytes(self, value, text):
    self.assertEqual(units.num_bytes(value), text)

  @parameterized.parameters((12, "12 FLOP"), (1.2e9, "1.2 GFLOP"))
  def test_operations(self, value, text):
    self.assertEqual(units.operations(value), text)


if __name__ == "__main__":
  absltest.main()
