from absl.testing import absltest, parameterized
import numpy as np
from scipy import stats

from nct_tf.noise_estimation import beta_mixture

X = np.array([0.02, 0.05, 0.1, 0.2, 0.3, 0.6, 0.7, 0.8, 0.9, 0.95])
LOSSES = [0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 2.9, 0.05, 0.3]


class DensityTest(absltest.TestCase):
  def test_equals_scipys(self):
    x = np.linspace(1e-6, 1 - 1e-6, 200)
    for a, b in ((0.3, 0.5), (1, 2), (2, 1), (0.5, 1.8), (50, 3), (1e4, 1e5)):
      np.testing.assert_allclose(
        beta_mixture.density(x, a, b), stats.beta(a, b).pdf(x), rtol=1e-7
      )


class FitTest(parameterized.TestCase):
  def test_equals_golden_numbers(self):
    once = beta_mixture.fit(X, num_iterations=1)
    np.testing.assert_allclose(once.a, [0.42160558, 1.74145923], atol=1e-8)
    np.testing.assert_allclose(once.b, [1.35796292, 0.66349732], atol=1e-8)
    np.testing.assert_allclose(once.weights, [0.538, 0.462], atol=5e-4)
    found = beta_mixture.fit(X)
    np.testing.assert_allclose(found.a, [0.50666639, 5.93073583], atol=1e-8)
    np.testing.assert_allclose(found.b, [1.84443085, 1.46082636], atol=1e-8)
    np.testing.assert_allclose(
      found.weights, [0.57997411, 0.42002589], atol=1e-8
    )

  def test_posterior_equals_golden_numbers(self):
    found = beta_mixture.posterior(
      beta_mixture.fit(X), np.array([0.05, 0.5, 0.9])
    )
    np.testing.assert_allclose(
      found, [1.43e-6, 0.32640611, 0.9561063], rtol=3e-3
    )
    np.testing.assert_allclose(found[1:], [0.32640611, 0.9561063], atol=1e-8)

  def test_finds_two_groups_of_losses(self):
    rng = np.random.default_rng(0)
    losses = np.r_[rng.gamma(1, 0.3, 600), rng.gamma(30, 0.1, 400)]
    found = beta_mixture.fit_losses(losses)
    self.assertAlmostEqual(found.mixture.weights[1], 0.4, delta=0.05)
    self.assertLess(found.lookup[:10].max(), 0.05)
    self.assertGreater(found.lookup[80:].min(), 0.95)
    # The larger the loss, the likelier the label is wrong.
    self.assertTrue(np.all(np.diff(found.lookup) >= 0))


class NormalizeTest(absltest.TestCase):
  def test_equals_golden_numbers(self):
    bounds = beta_mixture.fit_losses(LOSSES).bounds
    np.testing.assert_allclose(bounds, [0.02251, 3.065001], atol=1e-9)
    found = beta_mixture.normalize(LOSSES, bounds)
    np.testing.assert_allclose(
      found,
      [
        0.001,
        0.02546926,
        0.05833707,
        0.12407268,
        0.25554389,
        0.51848633,
        0.999,
        0.94576779,
        0.00903536,
        0.09120487,
      ],
      atol=1e-8,
    )


class DegenerateTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("all_alike", np.full(50, 2.3)),
    ("nearly_alike", 2.3 + 1e-6 * np.arange(50)),
    ("one_example", np.array([0.7])),
  )
  def test_losses_that_are_alike_tell_nothing(self, losses):
    found = beta_mixture.fit_losses(losses)
    self.assertIsNone(found.mixture)
    np.testing.assert_array_equal(found.lookup, 0)

  @parameterized.named_parameters(
    ("two_values", np.repeat([0.0, 5.0], 20)),
    ("one_stands_out", np.r_[np.zeros(99), 9.0]),
    ("many_stand_out", np.r_[np.zeros(50), 9.0 * np.ones(10)]),
    ("two_examples", np.array([0.1, 0.2])),
    ("two_narrow_groups", np.r_[1 + 1e-9 * np.arange(50), np.full(50, 2.0)]),
    ("uniform", np.linspace(0, 1, 1000)),
  )
  def test_gives_probabilities(self, losses):
    with np.errstate(invalid="raise", divide="raise"):
      found = beta_mixture.fit_losses(losses)
    self.assertTrue(np.isfinite(found.lookup).all())
    self.assertTrue(np.all((found.lookup >= 0) & (found.lookup <= 1)))

  def test_a_wide_component_does_not_take_the_smallest_losses(self):
    mixture = beta_mixture.Mixture(
      np.array([20.0, 1.0]), np.array([60.0, 1.0]), np.array([0.8, 0.2])
    )
    lookup = beta_mixture.make_lookup(mixture)
    self.assertLess(lookup[0], 0.1)
    self.assertGreater(lookup[-1], 0.99)


if __name__ == "__main__":
  absltest.main()
