"""Samples and held-out parts, of classes of any size."""

from absl.testing import absltest, parameterized
import numpy as np

from nct_tf import errors
from nct_tf.datasets import stratified


class SampleTest(absltest.TestCase):
  def test_keeps_proportions(self):
    labels = np.repeat([0, 1, 2], [60, 30, 10])
    chosen = stratified.sample(labels, 50, 0, "n")
    np.testing.assert_array_equal(np.bincount(labels[chosen]), [30, 15, 5])

  def test_all_but_a_few(self):
    labels = np.repeat([0, 1, 2], [60, 30, 10])
    chosen = stratified.sample(labels, 98, 0, "n")
    self.assertEqual(chosen.sum(), 98)

  def test_all_are_all(self):
    self.assertTrue(stratified.sample(np.arange(5), 5, 0, "n").all())

  def test_refuses_too_few(self):
    with self.assertRaisesRegex(
      errors.InvalidInputError, "`n` must give each class.*2 of 30"
    ):
      stratified.sample(np.arange(30) % 3, 2, 0, "n")


class HoldOutTest(parameterized.TestCase):
  def test_a_share_of_each_class(self):
    labels = np.repeat([0, 1, 2], [60, 30, 10])
    chosen = stratified.hold_out(labels, 0.2, 0, "fraction")
    np.testing.assert_array_equal(np.bincount(labels[chosen]), [12, 6, 2])

  def test_a_class_of_one_keeps_it(self):
    labels = np.repeat([0, 1, 2], [1, 50, 40])
    chosen = stratified.hold_out(labels, 0.2, 0, "fraction")
    counts = np.bincount(labels[chosen], minlength=3)
    np.testing.assert_array_equal(counts, [0, 10, 8])

  @parameterized.parameters(2, 3, 7)
  def test_many_small_classes_give_their_share_together(self, size):
    labels = np.repeat(np.arange(100), size)
    chosen = stratified.hold_out(labels, 0.1, 0, "fraction")
    self.assertAlmostEqual(chosen.sum(), 10 * size, delta=1)
    self.assertGreaterEqual(np.bincount(labels[~chosen]).min(), 1)
    self.assertLessEqual(np.bincount(labels[chosen]).max(), 2)

  def test_groups_weigh_by_their_size(self):
    labels = np.repeat([0, 1], [647, 647])
    groups = np.arange(1294)
    groups[26:647] = 5000  # 621 copies of one image.
    chosen = stratified.hold_out(labels, 0.2, 0, "fraction", groups)
    self.assertLen(np.unique(chosen[26:647]), 1)
    self.assertBetween(chosen[:647].sum(), 1, 130)
    self.assertAlmostEqual(chosen[647:].sum(), 129, delta=2)

  def test_random_groups_stay_together_and_leave_each_class_one(self):
    rng = np.random.default_rng(0)
    for seed in range(50):
      num_examples = int(rng.integers(20, 200))
      labels = rng.integers(rng.integers(2, 15), size=num_examples)
      labels = np.unique(labels, return_inverse=True)[1]
      groups = rng.integers(rng.integers(10, 300), size=num_examples)
      fraction = rng.uniform(0.05, 0.6)
      chosen = stratified.hold_out(labels, fraction, seed, "fraction", groups)
      for group in np.unique(groups):
        self.assertLen(np.unique(chosen[groups == group]), 1)
      self.assertTrue(chosen.any())
      firsts = np.unique(groups, return_index=True)[1]
      # A group counts as of the class of its first example.
      for label in np.unique(labels[firsts]):
        self.assertFalse(chosen[firsts[labels[firsts] == label]].all())

  def test_refuses_classes_of_one_alone(self):
    with self.assertRaisesRegex(
      errors.InvalidInputError, "`fraction` must leave each class an example"
    ):
      stratified.hold_out(np.arange(5), 0.2, 0, "fraction")


if __name__ == "__main__":
  absltest.main()
