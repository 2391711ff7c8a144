from absl.testing import absltest, parameterized
import numpy as np

from nct_tf.datasets import digits
from nct_tf.training import mirroring


def keeps_class(images, labels):
  return mirroring.keeps_class(*mirroring.compare(images, labels))


def stripes(num_images, num_classes=4, size=16, seed=0):
  """Returns pictures whose stripes are as wide as their label says."""
  rng = np.random.default_rng(seed)
  labels = np.arange(num_images) % num_classes
  rows = np.arange(size)[:, None] // (labels[:, None, None] + 1) % 2
  # As bright on the left as on the right.
  pictures = 80.0 * rows + rng.normal(80, 20, [num_images, size, size])
  return pictures.clip(0, 255).astype(np.uint8)[..., None], labels


def positions(num_images, size=16, seed=0):
  """Returns pictures that are bright on the left, or on the right."""
  rng = np.random.default_rng(seed)
  labels = np.arange(num_images) % 2
  pictures = rng.normal(80, 20, [num_images, size, size, 3])
  left = (np.arange(size) < size // 2)[None, None, :, None]
  pictures += 60 * (left == (labels == 0)[:, None, None, None])
  return pictures.clip(0, 255).astype(np.uint8), labels


class MirroringTest(parameterized.TestCase):
  def test_digits_are_others_in_a_mirror(self):
    images, labels = digits.load().train_images, digits.load().train_labels
    found = mirroring.compare(images, labels)
    recognised, mirrored, commonest, num_images = found
    self.assertEqual(num_images, len(labels) // 2)
    self.assertGreater(recognised, 0.9)
    self.assertLess(mirrored, 0.6)
    self.assertBetween(commonest, 0.1, 0.12)
    self.assertFalse(keeps_class(images, labels))

  def test_wrong_labels_do_not_hide_it(self):
    images, labels = digits.load().train_images, digits.load().train_labels
    rng = np.random.default_rng(0)
    wrong = rng.random(len(labels)) < 0.4
    noisy = (labels + wrong * rng.integers(1, 10, len(labels))) % 10
    self.assertFalse(keeps_class(images, noisy))

  @parameterized.parameters(200, 1000)
  def test_left_is_not_right(self, num_images):
    self.assertFalse(keeps_class(*positions(num_images)))

  @parameterized.parameters(60, 200, 1000)
  def test_stripes_are_the_same_in_a_mirror(self, num_images):
    images, labels = stripes(num_images)
    recognised, mirrored, *_ = mirroring.compare(images, labels)
    self.assertGreater(min(recognised, mirrored), 0.6)
    self.assertTrue(keeps_class(images, labels))

  def test_noise_is_noise_in_a_mirror(self):
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=[600, 16, 16, 3], dtype=np.uint8)
    self.assertTrue(keeps_class(images, rng.integers(5, size=600)))

  def test_the_same_pictures_give_the_same_answer(self):
    images, labels = stripes(100)
    first = mirroring.compare(images, labels, seed=3)
    self.assertEqual(mirroring.compare(images, labels, seed=3), first)


if __name__ == "__main__":
  absltest.main()
