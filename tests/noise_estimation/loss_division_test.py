from absl.testing import absltest, parameterized
import numpy as np
from scipy import stats

from nct_tf.noise_estimation import loss_division


def two_clusters():
  """Returns losses, the first three quarters of which are small."""
  rng = np.random.default_rng(0)
  losses = [rng.normal(0.5, 0.1, 300), rng.normal(3, 0.3, 100)]
  return loss_division.normalize(np.concatenate(losses))


class DivideTest(parameterized.TestCase):
  def test_small_losses_are_of_right_labels(self):
    losses = two_clusters()
    division = loss_division.divide(losses, num_classes=10)
    np.testing.assert_array_equal(division.is_labelled, np.arange(400) < 300)
    self.assertEqual(division.remark, "")
    again = loss_division.divide(losses, num_classes=10)
    np.testing.assert_array_equal(
      again.probability_right, division.probability_right
    )

  def test_is_the_posterior_of_what_the_clusters_were_drawn_from(self):
    rng = np.random.default_rng(1)
    losses = np.concatenate(
      [rng.normal(0.2, 0.1, 6000), rng.normal(0.6, 0.1, 4000)]
    )
    found = loss_division.divide(losses, num_classes=10).probability_right
    densities = [
      share * stats.norm(mean, 0.1).pdf(losses)
      for share, mean in ((0.6, 0.2), (0.4, 0.6))
    ]
    expected = densities[0] / sum(densities)
    self.assertLess(np.abs(found - expected).max(), 0.05)

  def test_the_threshold_is_for_the_probability(self):
    losses = two_clusters()
    strict = loss_division.divide(losses, 10, threshold=0.999)
    np.testing.assert_array_equal(
      strict.is_labelled, strict.probability_right > 0.999
    )

  @parameterized.parameters(1, 2, 400)
  def test_equal_losses_are_all_taken_for_right(self, num_examples):
    losses = loss_division.normalize(np.full(num_examples, 2.3, np.float32))
    division = loss_division.divide(losses, num_classes=10)
    self.assertIn("all losses are equal", division.remark)
    self.assertTrue(division.is_labelled.all())
    np.testing.assert_array_equal(division.probability_right, 1)

  @parameterized.parameters((10, 20), (50, 50))
  def test_some_are_always_labelled(self, num_classes, expected):
    losses = np.r_[np.zeros(3), np.linspace(0.9, 1, 397)]
    division = loss_division.divide(losses, num_classes)
    self.assertEqual(
      division.remark,
      f"3 labels seem right, so the {expected} likeliest are taken",
    )
    self.assertEqual(division.is_labelled.sum(), expected)
    self.assertTrue(division.is_labelled[:3].all())

  @parameterized.parameters(2, 3, 5)
  def test_of_tiny_sets_all_are_labelled(self, num_examples):
    losses = np.arange(num_examples) / (num_examples - 1)
    division = loss_division.divide(losses, num_classes=10)
    self.assertTrue(division.is_labelled.all())
    self.assertTrue(np.isfinite(division.probability_right).all())


class NormalizeTest(absltest.TestCase):
  def test_lies_between_0_and_1(self):
    found = loss_division.normalize(np.array([2.0, 4.0, 3.0], np.float32))
    np.testing.assert_allclose(found, [0, 1, 0.5])


if __name__ == "__main__":
  absltest.main()
