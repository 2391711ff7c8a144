from absl.testing import absltest, parameterized
import numpy as np

from nct_tf import errors
from nct_tf.methods import d2l
from nct_tf.models import classifier, weights
from tests.support import golden_batch

POINTS = np.array([[0.0, 0], [1, 0], [0, 2], [3, 0], [0, 4]])


def slow_dimension(points, k):
  """The formula, a point at a time."""
  result = []
  for i, point in enumerate(points):
    others = np.delete(points, i, axis=0)
    r = sorted(np.linalg.norm(others - point, axis=1))[:k]
    result.append(-k / sum(np.log(each / r[-1] + 1e-8) for each in r))
  return result


class DimensionTest(parameterized.TestCase):
  def test_equals_golden_numbers(self):
    found = d2l.intrinsic_dimension(POINTS, 3)
    np.testing.assert_allclose(
      found,
      [1.99457828, 3.27407016, 13.4442623, 3.88003025, 3.9799846],
      atol=1e-7,
    )
    self.assertAlmostEqual(found.mean(), 5.314585, places=6)

  def test_equals_the_slow_version(self):
    rng = np.random.default_rng(0)
    for count, k in ((2, 1), (40, 20), (128, 20)):
      points = rng.normal(size=(count, 6))
      if k > 1:
        np.testing.assert_allclose(
          d2l.intrinsic_dimension(points, k), slow_dimension(points, k)
        )

  def test_is_that_of_a_manifold(self):
    rng = np.random.default_rng(0)
    for dimension in (2, 5):
      plane = rng.uniform(size=(400, dimension))
      points = plane @ rng.normal(size=(dimension, 30))
      found = np.mean(d2l.intrinsic_dimension(points, 20))
      self.assertAlmostEqual(found / dimension, 1, delta=0.25)

  @parameterized.named_parameters(
    ("all_at_one_place", np.zeros([30, 4]), 0),
    ("equally_far_away", np.eye(30), 0),
    ("some_at_one_place", np.r_[np.zeros([25, 2]), POINTS], 2),
  )
  def test_points_that_are_alike_give_no_dimension(self, points, num_known):
    with np.errstate(invalid="raise", divide="raise"):
      found = d2l.intrinsic_dimension(points, 20)
    self.assertEqual(np.isfinite(found).sum(), num_known)
    self.assertTrue(np.all(found[np.isfinite(found)] > 0))


class TurningPointTest(parameterized.TestCase):
  @parameterized.parameters(
    ([3, 4, 3, 4, 3, 4.5], True),
    ([3, 4, 3, 4, 3, 4.3], False),
    ([3, 3, 3, 3, 3, 3.1], True),
    ([3, 3, 3, 3, 3, 3], False),
    ([0, 3, 3, 3, 3, 9], False),
  )
  def test_is_two_deviations_above_the_mean(self, dimensions, expected):
    self.assertEqual(d2l.rises(dimensions), expected)

  def test_alpha_equals_golden_numbers(self):
    for epoch, dimension, expected in (
      (41, 7.6, 0.697224275),
      (80, 9, 0.434598209),
      (119, 12, 0.191517177),
    ):
      self.assertAlmostEqual(d2l.alpha(epoch / 120, dimension, 7.2), expected)


class LossTest(absltest.TestCase):
  def test_labels_are_mixed_with_predictions(self):
    model = golden_batch.create("d2l")
    model.alpha.assign(1)
    (loss,) = golden_batch.losses(model)
    np.testing.assert_allclose(loss, golden_batch.CROSS_ENTROPY1, atol=1e-6)
    model.alpha.assign(0.8)  # Then it is hard bootstrapping.
    (loss,) = golden_batch.losses(model)
    np.testing.assert_allclose(
      loss, [0.16984602, 1.35144471, 0.8619948, 0.16984602], atol=1e-6
    )
    (loss,) = golden_batch.evaluation_losses(model)
    np.testing.assert_allclose(loss, golden_batch.CROSS_ENTROPY1, atol=1e-6)


def points_of(dimension, count):
  """Returns points of an intrinsic dimension, always the same."""
  rng = np.random.default_rng(0)
  return rng.uniform(size=(count, dimension)).astype(np.float32)


class PacingTest(parameterized.TestCase):
  """A training of 12 epochs, whose features have given dimensions."""

  def run_through(self, dimensions, num_examples=200):
    """Returns alpha and the first weight at the begin of each epoch."""
    model = golden_batch.create("d2l", d2l_init_epochs=1)
    labels = np.zeros(num_examples, int)
    self.model, self.asked, result = model, [], []

    def training_set(epoch):
      def features(chosen):
        self.asked.append(chosen)
        return points_of(dimensions[epoch], len(chosen))

      return classifier.TrainingSet(12, labels, None, features)

    model.before_training(training_set(0))
    for epoch in range(12):
      model.begin_epoch(epoch)
      vector = weights.to_vector(model)
      result.append((model.schedules(12)["alpha"](epoch), vector[0]))
      weights.from_vector(model, np.full_like(vector, epoch))
      model.between_epochs(epoch, training_set(min(epoch + 1, 11)))
    return map(np.array, zip(*result, strict=True))

  def test_weights_come_back_at_the_turning_point(self):
    # The rise at epoch 4 comes too early.
    dimensions = [3, 4, 3, 4, 9, 3, 4, 3, 40, 3, 40, 9]
    with self.assertLogs("nct_tf", "INFO") as logs:
      alphas, first_weights = self.run_through(dimensions)
    self.assertLen(logs.output, 1)
    self.assertRegex(logs.output[0], "After epoch 8 .* dimension is")
    found = [
      d2l.intrinsic_dimension(points_of(each, 128), 20).mean()
      for each in dimensions
    ]
    expected = np.exp(-np.arange(12) / 12 * np.array(found) / min(found))
    np.testing.assert_allclose(alphas[:8], 1)
    np.testing.assert_allclose(alphas[8:], expected[8:], rtol=1e-5)
    # What an epoch begins with was set at the end of that before.
    np.testing.assert_array_equal(
      first_weights[1:], [0, 1, 2, 3, 4, 5, 6, 6, 8, 9, 10]
    )

  def test_examples_are_drawn_anew_in_each_epoch(self):
    self.run_through([3, 4] * 6, num_examples=3000)
    self.assertLen({tuple(each) for each in self.asked}, 12)
    for each in self.asked:
      self.assertLen(set(each.tolist()), 1280)
      self.assertTrue(np.all(np.diff(each) > 0))

  @parameterized.parameters(1, 2, 15, 300)
  def test_few_examples_and_constant_features_change_nothing(self, count):
    with self.assertLogs("nct_tf", "INFO") as logs:
      alphas, first_weights = self.run_through([0] * 12, num_examples=count)
    self.assertIn("no local intrinsic dimension", logs.output[0])
    self.assertIn("No turning point was found", logs.output[-1])
    np.testing.assert_array_equal(alphas, 1)
    np.testing.assert_array_equal(first_weights[1:], np.arange(11))

  @parameterized.parameters((4, 10), (0, 6), (None, 9))
  def test_needs_epochs_for_a_turning_point(self, num_init, least):
    model = golden_batch.create("d2l", d2l_init_epochs=num_init)
    for num_epochs in (1, least - 1):
      with self.assertRaisesRegex(
        errors.InvalidInputError, f"at least {least}: .*num_epochs={num_epochs}"
      ):
        model.phases(num_epochs)
    self.assertLen(model.phases(least), 1)


if __name__ == "__main__":
  absltest.main()
