from absl.testing import absltest, parameterized
import numpy as np
import tensorflow as tf

from nct_tf.models import selection


def slow_smallest(values, count, among):
  """The same, written from its definition."""
  order = sorted(np.flatnonzero(among), key=lambda i: (values[i], i))
  chosen = np.zeros(len(values), bool)
  chosen[order[:count]] = True
  return chosen


def random_batches():
  """Yields values with ties and infinities, and which of them may be chosen."""
  rng = np.random.default_rng(0)
  for size in (1, 2, 7, 32, 128):
    for share in (0.0, 0.4, 1.0):
      for _ in range(4):
        values = rng.integers(0, max(2, size // 3), size).astype(np.float32)
        values[rng.random(size) < 0.1] = np.inf
        yield values, rng.random(size) < share


class SelectionTest(parameterized.TestCase):
  def test_equals_numpy_on_random_batches(self):
    choose = tf.function(
      selection.smallest,
      input_signature=[
        tf.TensorSpec([None], tf.float32),
        tf.TensorSpec([], tf.int32),
        tf.TensorSpec([None], tf.bool),
      ],
    )
    for values, among in random_batches():
      for count in (0, 1, len(values) // 2, len(values)):
        np.testing.assert_array_equal(
          choose(values, count, among), slow_smallest(values, count, among)
        )

  @parameterized.parameters(
    (0.2, [128, 125, 122, 119, 116, 113, 110, 108, 105, 102, 102]),
    (0.5, [128, 120, 113, 106, 99, 92, 85, 78, 71, 64, 64]),
    (0.45, [128, 121, 115, 108, 102, 96, 89, 83, 76, 70, 70]),
  )
  def test_numbers_kept_are_those_of_co_teaching(self, rate, expected):
    rates = [*np.linspace(0, rate, 10), rate]
    found = [selection.num_kept(np.float32(each), 128.0) for each in rates]
    self.assertEqual([int(each) for each in found], expected)

  def test_rounding_does_not_cost_an_example(self):
    for count in (1, 10, 100, 1000, 10_000):
      for tenths in range(11):
        kept = selection.num_kept(np.float32(tenths / 10), np.float32(count))
        self.assertEqual(int(kept), count * (10 - tenths) // 10)

  def test_percentile_is_the_nearest_value(self):
    for values, among in random_batches():
      if not among.any():
        continue
      for percent in (0.0, 50.0, 70.0, 75.0, 100.0):
        expected = np.percentile(
          values[among].astype(np.float64), percent, method="nearest"
        )
        found = selection.percentile(values, percent, among)
        self.assertEqual(float(found), expected)


if __name__ == "__main__":
  absltest.main()
