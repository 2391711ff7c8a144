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
):
  return label_noise.corrupt_labels(
    labels, num_classes, noise_type, noise_rate, seed, noise_count
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
    ("unknown_type", ("uniform", 0.5), "pair_flip. Received: noise_type=uni"),
    ("rate_above_one", ("pair_flip", 1.5), r"noise_rate` must be in \[0, 1\]"),
    ("rate_below_zero", ("symmetric_exclusive", -0.1), "noise_rate"),
    ("pair_flip_of_half", ("pair_flip", 0.5), "below 0.5"),
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
