from absl.testing import absltest, parameterized
import numpy as np
import tensorflow as tf

from nct_tf import addons, preprocessing


def numbered_images(batch=32, height=6, width=9, channels=2):
  """Every pixel has its own value above 0, the same in each image."""
  image = 1 + np.arange(height * width * channels, dtype=np.uint8)
  return np.tile(image.reshape(1, height, width, channels), (batch, 1, 1, 1))


def slow_crops(image, padding):
  """All that padding, cropping and mirroring can make of an image."""
  height, width, _ = image.shape
  padded = np.pad(image, [(padding, padding), (padding, padding), (0, 0)])
  for top in range(2 * padding + 1):
    for left in range(2 * padding + 1):
      crop = padded[top : top + height, left : left + width]
      for flip in (False, True):
        yield (top, left, flip), crop[:, ::-1] if flip else crop


class RandomCropFlipTest(parameterized.TestCase):
  @parameterized.parameters(1, 4)
  def test_each_image_is_a_crop_and_all_crops_occur(self, padding):
    images = numbered_images(batch=2000)
    crops = {
      crop.tobytes(): key for key, crop in slow_crops(images[0], padding)
    }
    actual = preprocessing.random_crop_flip(
      tf.constant(images), tf.constant([3, 4]), padding
    ).numpy()
    self.assertEqual(actual.dtype, np.uint8)
    keys = [crops[image.tobytes()] for image in actual]  # KeyError: no crop.
    self.assertLen(set(keys), 2 * (2 * padding + 1) ** 2)
    self.assertAlmostEqual(
      np.mean([flip for _, _, flip in keys]), 0.5, delta=0.06
    )

  @parameterized.parameters(*preprocessing.AUGMENTATIONS)
  def test_eager_and_tf_data_agree(self, augmentation):
    if augmentation == "crop_flip_cutout" and not addons.available():
      self.skipTest("cutout needs tensorflow-addons")
    images = numbered_images(height=8, width=8)
    seed = tf.constant([5, 6], tf.int64)
    eager = preprocessing.augment(images, augmentation, seed)
    (piped,) = (
      tf.data.Dataset.from_tensors(images)
      .map(lambda batch: preprocessing.augment(batch, augmentation, seed))
      .as_numpy_iterator()
    )
    np.testing.assert_array_equal(eager, piped)

  def test_images_of_a_batch_differ_and_seeds_differ(self):
    images = tf.constant(numbered_images())
    first = preprocessing.random_crop_flip(images, tf.constant([0, 0])).numpy()
    second = preprocessing.random_crop_flip(images, tf.constant([0, 1])).numpy()
    self.assertGreater(len({image.tobytes() for image in first}), 20)
    self.assertTrue((first != second).any())


class NormalizeTest(absltest.TestCase):
  def test_equals_the_formula(self):
    images = numbered_images(channels=3)
    mean, std = (0.1, 0.5, 0.9), (0.2, 0.3, 0.4)
    np.testing.assert_allclose(
      preprocessing.normalize(images, mean, std),
      (images / 255 - mean) / std,
      atol=1e-5,
    )


class CutoutTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    if not addons.available():
      self.skipTest("cutout needs tensorflow-addons")

  def test_blanks_a_square_around_its_centre(self):
    images = tf.constant(numbered_images(batch=50, height=8, width=8))
    size, centers = preprocessing.cutout_boxes(images, tf.constant([1, 2]))
    self.assertEqual(size, 4)
    actual = addons.cutout(images, size, centers).numpy()
    for image, original, (row, column) in zip(
      actual, images.numpy(), centers.numpy(), strict=True
    ):
      expected = original.copy()
      rows = slice(max(row - 2, 0), row + 2)
      expected[rows, max(column - 2, 0) : column + 2] = 0
      np.testing.assert_array_equal(image, expected)


if __name__ == "__main__":
  absltest.main()
