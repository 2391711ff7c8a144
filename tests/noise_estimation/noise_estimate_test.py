"""Estimates of how many labels are wrong, where that is known.

The predictions are made as networks make them that learned from noisy labels of
images of which some are hard to tell apart: they tend to the noisy labels' own
frequencies, and are less sure than those.
"""

from absl.testing import absltest, parameterized
import numpy as np
from scipy import special

from nct_tf.noise_estimation import noise_estimate
from tests.support import long_tests

_NUM_CLASSES = 5
_SOFTNESS = 0.5


def matrix(kind, rate):
  """Returns a transition matrix [true, given]."""
  if kind == "symmetric":
    others = np.full((_NUM_CLASSES, _NUM_CLASSES), rate / (_NUM_CLASSES - 1))
    np.fill_diagonal(others, 1 - rate)
    return others
  identity = np.eye(_NUM_CLASSES)
  return (1 - rate) * identity + rate * np.roll(identity, 1, axis=1)


def simulate(kind, rate, seed, num_examples=1500, margin=5.0):
  """Returns true labels, given labels and predictions."""
  rng = np.random.default_rng(seed)
  shown = rng.integers(_NUM_CLASSES, size=num_examples)
  logits = rng.standard_normal((num_examples, _NUM_CLASSES))
  logits[np.arange(num_examples), shown] += margin
  clean = special.softmax(logits, axis=1)

  def draw(chances):
    uniform = rng.random((num_examples, 1))
    return (
      (uniform > chances.cumsum(axis=1)).sum(axis=1).clip(max=_NUM_CLASSES - 1)
    )

  true_labels = draw(clean)
  transition = matrix(kind, rate)
  labels = draw(transition[true_labels])
  learned = np.log(clean @ transition + 1e-6)
  noise = 0.3 * rng.standard_normal(learned.shape)
  return (
    true_labels,
    labels,
    special.softmax(_SOFTNESS * (learned + noise), axis=1),
  )


class EstimateTest(parameterized.TestCase):
  @parameterized.product(
    noise=[
      ("symmetric", 0.1, 0.03),
      ("symmetric", 0.5, 0.03),
      ("pair", 0.2, 0.05),
      ("pair", 0.4, 0.05),
      ("symmetric", 0.0, 0.03),
    ]
  )
  def test_rate_and_matrix(self, noise):
    kind, rate, tolerance = noise
    true_labels, labels, pred_probs = simulate(kind, rate, seed=0)
    found, transition, is_directed = noise_estimate.estimate(labels, pred_probs)
    self.assertEqual(is_directed, kind == "pair")
    truth = np.mean(labels != true_labels)
    self.assertAlmostEqual(found.value, truth, delta=tolerance)
    self.assertBetween(truth, found.low, found.high)
    np.testing.assert_allclose(transition.value.sum(axis=1), 1)
    np.testing.assert_allclose(
      transition.value, matrix(kind, rate), atol=0.1 + tolerance
    )
    self.assertTrue(np.all(transition.low <= transition.value + 1e-12))
    self.assertTrue(np.all(transition.high >= transition.value - 1e-12))

  def test_classes_that_are_told_apart_badly_widen_the_interval(self):
    """Two pairs of classes look alike; a fifth of the labels is wrong."""
    rng = np.random.default_rng(0)
    true_labels = rng.integers(4, size=1500)
    wrong = rng.random(1500) < 0.2
    labels = (true_labels + wrong * rng.integers(1, 4, 1500)) % 4
    seen = np.where(rng.random(1500) < 0.45, true_labels ^ 1, true_labels)
    pred_probs = np.full((1500, 4), 0.1)
    sure = rng.uniform(0.4, 0.5, 1500)
    pred_probs[np.arange(1500), seen] = sure
    pred_probs[np.arange(1500), seen ^ 1] = 0.8 - sure
    found = noise_estimate.estimate(labels, pred_probs).noise_rate
    self.assertGreater(found.value, 0.3)
    self.assertBetween(0.2, found.low, found.high)

  def test_it_repeats(self):
    _, labels, pred_probs = simulate("symmetric", 0.2, 0, num_examples=200)
    first, second = (
      noise_estimate.estimate(labels, pred_probs) for _ in range(2)
    )
    self.assertEqual(first[0], second[0])

  @parameterized.parameters(1, 2, 3, 60)
  def test_few_examples(self, num_examples):
    _, labels, pred_probs = simulate("symmetric", 0.2, 1, num_examples)
    found, transition, is_directed = noise_estimate.estimate(labels, pred_probs)
    self.assertFalse(is_directed)
    self.assertBetween(found.value, 0, 1)
    self.assertTrue(np.isfinite(transition.value).all())

  def test_many_classes(self):
    rng = np.random.default_rng(0)
    labels = rng.integers(300, size=3000)
    pred_probs = np.full((3000, 300), 0.1 / 299)
    pred_probs[np.arange(3000), labels] = 0.9
    given = np.where(np.arange(3000) % 5, labels, (labels + 1) % 300)
    found, transition, is_directed = noise_estimate.estimate(given, pred_probs)
    self.assertFalse(is_directed)
    self.assertAlmostEqual(found.value, 0.2, delta=0.03)
    np.testing.assert_array_equal(transition.low, 0)
    np.testing.assert_array_equal(transition.high, 1)

  @long_tests.only
  def test_many_examples_take_a_sample(self):
    _, labels, pred_probs = simulate("symmetric", 0.2, 0, num_examples=110_000)
    found, *_ = noise_estimate.estimate(labels, pred_probs)
    self.assertBetween(0.2, found.low, found.high)


if __name__ == "__main__":
  absltest.main()
