import hashlib

from absl.testing import absltest, parameterized
import numpy as np

from nct_tf import errors, label_noise

LABELS = np.arange(10_000) % 10


def corrupt(
  noise_type,
  noise_rate,
  seed=0,
  labels=LABELS,
  num_classes=10,
  noise_count=None,
  class_map=None,
):
  return label_noise.corrupt_labels(
    labels, num_classes, noise_type, noise_rate, seed, noise_count, class_map
  )


class CorruptLabelsTest(parameterized.TestCase):
  def test_none_keeps_all(self):
    given, is_clean = corrupt("none", 0.0)
    np.testing.assert_array_equal(given, LABELS)
    self.assertTrue(is_clean.all())

  @parameterized.named_parameters(
    # The true label may be drawn: 50 % of noise leaves 45 % wrong.
    ("inclusive", "symmetric_inclusive", 0.5, 0.45),
    ("exclusive", "symmetric_exclusive", 0.5, 0.5),
    ("pair_flip", "pair_flip", 0.45, 0.45),
    ("zero", "symmetric_exclusive", 0.0, 0.0),
  )
  def test_share_of_wrong_labels(self, noise_type, noise_rate, expected):
    given, is_clean = corrupt(noise_type, noise_rate)
    np.testing.assert_array_equal(is_clean, given == LABELS)
    self.assertAlmostEqual(np.mean(~is_clean), expected, delta=0.025)
    self.assertEqual(given.dtype, LABELS.dtype)

  def test_inclusive_draws_for_an_exact_number(self):
    # With very many classes hardly any draw hits the true label.
    labels = np.zeros(1000, np.int64)
    _, is_clean = corrupt("symmetric_inclusive", 0.3, 0, labels, 10**9)
    self.assertEqual(np.sum(~is_clean), 300)

  @parameterized.parameters("symmetric_exclusive", "pair_flip")
  def test_exact_makes_an_exact_number_wrong(self, noise_type):
    for seed in range(5):
      _, is_clean = corrupt(noise_type, 0.4, seed, noise_count="exact")
      self.assertEqual(np.sum(~is_clean), 4000)

  @parameterized.parameters(
    "symmetric_inclusive", "symmetric_exclusive", "pair_flip"
  )
  def test_bernoulli_varies_the_number(self, noise_type):
    # A million classes: an inclusive draw hardly ever hits the true one.
    labels = np.zeros(10_000, np.int64)
    numbers = [
      np.sum(~corrupt(noise_type, 0.4, seed, labels, 10**6, "bernoulli")[1])
      for seed in range(50)
    ]
    # A binomial deviation: sqrt(10,000 x 0.4 x 0.6) = 49.
    self.assertAlmostEqual(np.mean(numbers), 4000, delta=5 * 49 / 50**0.5)
    self.assertBetween(np.std(numbers), 49 * 0.6, 49 * 1.4)

  @parameterized.parameters(
    ("symmetric_inclusive", "exact"),
    ("symmetric_exclusive", "bernoulli"),
    ("pair_flip", "bernoulli"),
  )
  def test_the_count_that_is_not_given(self, noise_type, noise_count):
    np.testing.assert_array_equal(
      corrupt(noise_type, 0.4)[0],
      corrupt(noise_type, 0.4, noise_count=noise_count)[0],
    )

  def test_exclusive_never_keeps_a_chosen_label(self):
    _, is_clean = corrupt("symmetric_exclusive", 1.0)
    self.assertFalse(is_clean.any())

  @parameterized.parameters("symmetric_inclusive", "symmetric_exclusive")
  def test_wrong_labels_are_uniform(self, noise_type):
    given, is_clean = corrupt(noise_type, 0.8)
    shift = (given - LABELS)[~is_clean] % 10
    counts = np.bincount(shift, minlength=10)
    self.assertEqual(counts[0], 0)
    np.testing.assert_allclose(counts[1:], counts.sum() / 9, rtol=0.2)

  def test_pair_flip_takes_the_next_class(self):
    given, is_clean = corrupt("pair_flip", 0.4)
    np.testing.assert_array_equal(
      given[~is_clean], (LABELS[~is_clean] + 1) % 10
    )

  @parameterized.parameters(
    "symmetric_inclusive", "symmetric_exclusive", "pair_flip"
  )
  def test_depends_on_the_seed_alone(self, noise_type):
    np.testing.assert_array_equal(
      corrupt(noise_type, 0.4)[0], corrupt(noise_type, 0.4)[0]
    )
    self.assertTrue(
      (corrupt(noise_type, 0.4)[0] != corrupt(noise_type, 0.4, 1)[0]).any()
    )

  @parameterized.named_parameters(
    ("unknown_type", ("uniform", 0.5), "asymmetric. Received: noise_type=uni"),
    ("rate_above_one", ("pair_flip", 1.5), r"noise_rate` must be in \[0, 1\]"),
    ("rate_below_zero", ("symmetric_exclusive", -0.1), "noise_rate"),
    ("pair_flip_of_half", ("pair_flip", 0.5), "below 0.5"),
    ("asymmetric_of_half", ("asymmetric", 0.5), "below 0.5 for asymmetric"),
    ("no_map", ("asymmetric", 0.4), "`class_map` belongs to .*=None"),
    (
      "map_of_other_noise",
      ("pair_flip", 0.4, 0, LABELS, 10, None, {1: 2}),
      "noise_type=pair_flip",
    ),
    (
      "classes_of_the_map",
      ("asymmetric", 0.4, 0, LABELS, 10, None, {1: 10}),
      r"classes in \[0, 10\). Received: 1 to 10",
    ),
    ("by_images", ("instance_dependent", 0.4), "must be one of none"),
    ("rate_without_type", ("none", 0.5), "must be 0 where"),
    ("count_without_type", ("none", 0, 0, LABELS, 10, "exact"), "belongs to"),
    ("count", ("pair_flip", 0.4, 0, LABELS, 10, "some"), "noise_count` must"),
    ("one_class", ("none", 0.0, 0, LABELS * 0, 1), "num_classes"),
    ("labels", ("none", 0.0, 0, LABELS, 9), r"\[0, 9\).* from 0 to 9"),
    ("negative_labels", ("none", 0.0, 0, LABELS - 1), "from -1 to 8"),
  )
  def test_refuses(self, arguments, message):
    with self.assertRaisesRegex(errors.InvalidInputError, message):
      corrupt(*arguments)


class AsymmetricTest(parameterized.TestCase):
  # Classes 3 and 5 are mistaken for each other, 9 for 1.
  MAP = {3: 5, 5: 3, 9: 1}

  @parameterized.parameters(None, "bernoulli", "exact")
  def test_flips_the_classes_of_the_map_alone(self, noise_count):
    given, _ = corrupt(
      "asymmetric", 0.4, noise_count=noise_count, class_map=self.MAP
    )
    found = label_noise.transition_matrix(LABELS, given, 10)
    expected = np.eye(10)
    for source, target in self.MAP.items():
      expected[source, [source, target]] = 0.6, 0.4
    # Five binomial deviations of 1,000 examples a class.
    bound = 5 * np.sqrt(expected * (1 - expected) / 1000)
    np.testing.assert_array_less(abs(found - expected), bound + 1e-12)

  def test_exact_is_a_share_of_all_examples(self):
    # All of them are mistaken, but 0.4 of them are chosen.
    given, is_clean = corrupt(
      "asymmetric",
      0.4,
      noise_count="exact",
      class_map=dict.fromkeys([*range(9)], 9),
    )
    chosen, _ = corrupt("pair_flip", 0.4, noise_count="exact")
    np.testing.assert_array_equal(~is_clean, (chosen != LABELS) & (LABELS != 9))


class CorruptByMatrixTest(absltest.TestCase):
  MATRIX = np.array([[0.8, 0.2, 0], [0.1, 0.9, 0], [0.25, 0.25, 0.5]])

  def test_each_label_is_drawn_from_its_row(self):
    labels = np.arange(30_000, dtype=np.int32) % 3
    given, is_clean = label_noise.corrupt_by_matrix(labels, self.MATRIX, 0)
    self.assertEqual(given.dtype, np.int32)
    np.testing.assert_array_equal(is_clean, given == labels)
    found = label_noise.transition_matrix(labels, given, 3)
    bound = 5 * np.sqrt(self.MATRIX * (1 - self.MATRIX) / 10_000)
    np.testing.assert_array_less(abs(found - self.MATRIX), bound + 1e-12)
    other, _ = label_noise.corrupt_by_matrix(labels, self.MATRIX, 1)
    self.assertTrue((other != given).any())

  def test_extremes(self):
    labels = np.arange(100) % 3
    for matrix in (np.eye(3), np.roll(np.eye(3), 1, axis=1)):
      given, _ = label_noise.corrupt_by_matrix(labels, matrix, 0)
      np.testing.assert_array_equal(given, matrix.argmax(axis=1)[labels])

  def test_refuses(self):
    with self.assertRaisesRegex(
      errors.InvalidInputError, "`matrix`, row 1, must sum to 1"
    ):
      label_noise.corrupt_by_matrix([0, 1], np.ones((2, 2)), 0)
    with self.assertRaisesRegex(errors.InvalidInputError, "`labels`.* 0 to 2"):
      label_noise.corrupt_by_matrix([0, 2], np.eye(2), 0)


class TransitionMatrixTest(absltest.TestCase):
  def test_counts(self):
    matrix = label_noise.transition_matrix(
      [0, 0, 0, 0, 2, 2], [0, 1, 1, 3, 2, 0], 4
    )
    self.assertEqual(matrix.dtype, np.float64)
    np.testing.assert_array_equal(
      matrix,
      [[0.25, 0.5, 0, 0.25], [0, 1, 0, 0], [0.5, 0, 0.5, 0], [0, 0, 0, 1]],
    )

  def test_no_examples(self):
    none = np.zeros(0, np.int64)
    np.testing.assert_array_equal(
      label_noise.transition_matrix(none, none, 3), np.eye(3)
    )

  def test_refuses_other_classes(self):
    for labels in ([0, 3], [3, 0]), ([0, -1], [0, 0]):
      with self.assertRaisesRegex(errors.InvalidInputError, r"\[0, 3\)"):
        label_noise.transition_matrix(*labels, 3)


class FingerprintTest(absltest.TestCase):
  def test_is_the_sha256_of_the_numbers(self):
    expected = hashlib.sha256(
      b"".join(number.to_bytes(8, "little") for number in (0, 1, 7, 8, 7, 9))
    ).hexdigest()
    for dtype in (np.int32, np.int64):
      self.assertEqual(
        label_noise.fingerprint(
          np.array([0, 1], dtype), np.array([7, 8], dtype), [7, 9]
        ),
        expected,
      )


if __name__ == "__main__":
  absltest.main()
