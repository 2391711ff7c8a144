import pathlib
import tempfile

from absl.testing import absltest, parameterized
import numpy as np

from nct_tf import errors, instance_noise
from nct_tf.datasets.storage import image_storage

_NUM_CLASSES = 4
_MOMENTS = ((0.4, 0.5), (0.2, 0.3))
_SEED = 3


def make_data(num_examples=60):
  rng = np.random.default_rng(0)
  images = rng.integers(256, size=(num_examples, 3, 2, 2)).astype(np.uint8)
  # Near to each other, so that no class is certain.
  images = images // 16 + 100
  return images, rng.integers(_NUM_CLASSES, size=num_examples)


def corrupt(images, labels, noise_rate=0.4, **options):
  return instance_noise.corrupt_labels(
    labels, _NUM_CLASSES, noise_rate, _SEED, images, _MOMENTS, **options
  )


def corrupt_slowly(images, labels, noise_rate):
  """As published, with one distribution of the label for each example."""
  own_seed, *seeds = np.random.SeedSequence(_SEED).spawn(_NUM_CLASSES + 1)
  projections = [
    np.random.default_rng(seed).standard_normal((12, _NUM_CLASSES))
    for seed in seeds
  ]
  rng = np.random.default_rng(own_seed)
  rates = rng.normal(noise_rate, 0.1, len(labels))
  while np.any((rates < 0) | (rates > 1)):
    for example, rate in enumerate(rates):
      if not 0 <= rate <= 1:
        rates[example] = rng.normal(noise_rate, 0.1)
  keeping = rng.random(len(labels))
  choosing = rng.random(len(labels))
  given, distributions = [], []
  for image, label, rate, keep, choose in zip(
    images, labels, rates, keeping, choosing, strict=True
  ):
    mean, std = _MOMENTS
    pixels = [
      (image[row, column, channel] / 255 - mean[channel]) / std[channel]
      for row in range(3)
      for column in range(2)
      for channel in range(2)
    ]
    logits = np.array(
      [
        sum(projections[label][:, other] * pixels)
        if other != label
        else -np.inf
        for other in range(_NUM_CLASSES)
      ]
    )
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    distribution = rate * shares
    distribution[label] = 1 - rate
    distributions.append(distribution)
    drawn = next(
      other
      for other in range(_NUM_CLASSES)
      if choose < sum(shares[: other + 1])
    )
    given.append(drawn if keep < rate else label)
  return np.array(given), np.array(distributions)


class CorruptLabelsTest(parameterized.TestCase):
  # So small a rate makes rates that are outside of [0, 1], drawn anew.
  @parameterized.parameters(0.05, 0.4)
  def test_equals_a_slow_loop_whatever_the_chunks(self, noise_rate):
    images, labels = make_data()
    expected, _ = corrupt_slowly(images, labels, noise_rate)
    self.assertTrue((expected != labels).any())
    for chunk_size in (1, 2, 7, 60, None):
      given, is_clean = corrupt(
        images, labels, noise_rate, chunk_size=chunk_size
      )
      np.testing.assert_array_equal(given, expected)
      np.testing.assert_array_equal(is_clean, given == labels)

  def test_draws_from_the_published_distribution(self):
    images, labels = make_data(4)
    repeats = 20_000
    index = np.repeat(np.arange(4), repeats)
    given, _ = corrupt(images, labels[index], 0.4, index=index)
    _, distributions = corrupt_slowly(images, labels, 0.4)
    # Copies of an image differ in their rates alone, whose mean is 0.4.
    for example, label in enumerate(labels):
      wrong = np.arange(_NUM_CLASSES) != label
      expected = distributions[example] / distributions[example, wrong].sum()
      expected = np.where(wrong, 0.4 * expected, 0.6)
      shares = np.bincount(given[index == example], minlength=4) / repeats
      deviation = np.sqrt(expected * (1 - expected) / repeats)
      np.testing.assert_array_less(abs(shares - expected), 5 * deviation + 1e-9)

  def test_images_outside_of_memory_and_a_subset(self):
    images, labels = make_data()
    expected, _ = corrupt(images, labels, 0.9)
    folder = self.enter_context(tempfile.TemporaryDirectory())
    path = pathlib.Path(folder) / "images"
    shuffle = np.random.default_rng(1).permutation(len(images))
    images[shuffle].tofile(path)
    stored = image_storage.FileImages(path, len(images), images.shape[1:])
    self.assertTrue((expected != labels).any())
    np.testing.assert_array_equal(
      corrupt(stored, labels, 0.9, index=np.argsort(shuffle))[0], expected
    )

  def test_two_classes_are_each_other(self):
    images, labels = make_data()
    given, is_clean = instance_noise.corrupt_labels(
      labels % 2, 2, 0.3, 0, images, _MOMENTS
    )
    self.assertFalse(is_clean.all())
    np.testing.assert_array_equal(
      given, np.where(is_clean, labels % 2, 1 - labels % 2)
    )

  def test_other_seeds_make_other_noise(self):
    images, labels = make_data()
    one, other = (
      instance_noise.corrupt_labels(labels, 4, 0.4, seed, images, _MOMENTS)[0]
      for seed in (0, 1)
    )
    self.assertTrue((one != other).any())

  @parameterized.parameters(
    (0.0, 0, r"noise_rate` must be in \(0, 1\]"),
    (1.5, 0, "noise_rate"),
    (0.4, 1, r"`labels` must be in \[0, 4\).* from 1 to 4"),
  )
  def test_refuses(self, noise_rate, shift, message):
    images, labels = make_data()
    with self.assertRaisesRegex(errors.InvalidInputError, message):
      corrupt(images, labels + shift, noise_rate)


if __name__ == "__main__":
  absltest.main()
