from absl.testing import absltest, parameterized
import numpy as np
import tensorflow as tf

from nct_tf import errors, preprocessing
from nct_tf.options import data as data_options
from nct_tf.system import addons


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

  @parameterized.parameters(*data_options.AUGMENTATIONS)
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


class CropSizeTest(parameterized.TestCase):
  def test_a_smaller_crop_needs_no_padding(self):
    images = numbered_images(batch=2000)
    expected = {
      image[top : top + 4, left : left + 4][:, ::step].tobytes()
      for image in images[:1]
      for top in range(3)
      for left in range(6)
      for step in (1, -1)
    }
    actual = preprocessing.augment(
      images, "crop_flip", tf.constant([3, 4]), crop_size=4
    )
    self.assertEqual(actual.shape, (2000, 4, 4, 2))
    self.assertEqual({crop.tobytes() for crop in actual.numpy()}, expected)

  @parameterized.parameters("crop_flip", "resized_crop_flip")
  def test_a_part_of_a_batch_gets_what_it_gets_within(self, augmentation):
    images = numbered_images()
    seed = tf.constant([5, 6], tf.int64)
    whole = preprocessing.augment(images, augmentation, seed, crop_size=5)
    position = np.array([3, 17], np.int32)
    part = preprocessing.augment(
      images[position], augmentation, seed, position, crop_size=5
    )
    np.testing.assert_array_equal(part, whole.numpy()[position])

  def test_prepare_takes_the_middle(self):
    images = numbered_images(batch=2, height=7, width=9)
    np.testing.assert_allclose(
      preprocessing.prepare(images, (0.5, 0.5), (0.1, 0.1), crop_size=4),
      (images[:, 1:5, 2:6] / 255 - 0.5) / 0.1,
      atol=1e-4,
    )

  def test_refuses_a_crop_larger_than_the_image(self):
    self.assertEqual(preprocessing.input_shape((8, 9, 3), 8), (8, 8, 3))
    with self.assertRaisesRegex(
      errors.InvalidInputError, "`crop_size` must be at most 8.*: crop_size=9"
    ):
      preprocessing.input_shape((8, 9, 3), 9)


class ResizedCropTest(parameterized.TestCase):
  SEED = (7, 8)

  def boxes(self, shape, num_boxes=20000):
    values = preprocessing.random_boxes(
      (None, *shape, 3), self.SEED, tf.range(num_boxes)
    )
    return np.stack(values)

  def slow_boxes(self, height, width, num_boxes=20000):
    """As torchvision's RandomResizedCrop draws them."""
    rng = np.random.default_rng(0)
    for _ in range(num_boxes):
      for _ in range(10):
        area = rng.uniform(0.08, 1) * height * width
        ratio = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
        h, w = round(np.sqrt(area / ratio)), round(np.sqrt(area * ratio))
        if 0 < w <= width and 0 < h <= height:
          top = rng.integers(0, height - h + 1)
          yield top, rng.integers(0, width - w + 1), h, w
          break
      else:
        ratio = min(max(width / height, 3 / 4), 4 / 3)
        h, w = min(height, width / ratio), min(width, height * ratio)
        yield (height - h) // 2, (width - w) // 2, round(h), round(w)

  @parameterized.parameters((64, 64), (12, 40))
  def test_boxes_have_the_distribution_of_torchvision(self, height, width):
    top, left, h, w = self.boxes((height, width))
    self.assertGreaterEqual(min(top.min(), left.min()), 0)
    self.assertLessEqual((top + h).max(), height)
    self.assertLessEqual((left + w).max(), width)
    expected = np.array(list(self.slow_boxes(height, width))).T
    for actual, values in zip((top, left, h, w), expected, strict=True):
      for share in (0.1, 0.5, 0.9):
        self.assertAlmostEqual(
          np.quantile(actual, share), np.quantile(values, share), delta=1.01
        )
      self.assertAlmostEqual(
        actual.mean(), values.mean(), delta=0.02 * values.std() + 0.1
      )

  def test_boxes_are_resized_and_every_second_one_mirrored(self):
    images = np.random.default_rng(0).integers(
      256, size=(40, 12, 16, 3), dtype=np.uint8
    )
    seed = tf.constant(self.SEED, tf.int64)
    actual = preprocessing.random_resized_crop_flip(
      images, seed, crop_size=9
    ).numpy()
    box_seed, _ = tf.unstack(
      tf.random.experimental.stateless_split(seed, num=2)
    )
    boxes = np.stack(
      preprocessing.random_boxes(images.shape, box_seed, tf.range(40)), axis=1
    ).astype(int)
    num_mirrored = 0
    for crop, image, (top, left, h, w) in zip(
      actual, images, boxes, strict=True
    ):
      part = image[top : top + h, left : left + w]
      expected = np.rint(tf.image.resize(part, (9, 9)).numpy())
      if np.abs(crop[:, ::-1] - expected).max() <= 1:
        num_mirrored += 1
      else:
        np.testing.assert_allclose(crop, expected, atol=1)  # Of rounding.
    self.assertBetween(num_mirrored, 8, 32)


class ResizeTest(parameterized.TestCase):
  @parameterized.parameters(
    ((30, 50), (12, 20)), ((50, 30), (20, 12)), ((7, 7), (12, 12))
  )
  def test_cover_keeps_the_aspect_ratio_and_takes_the_middle(
    self, shape, between
  ):
    image = np.random.default_rng(0).integers(
      256, size=(*shape, 3), dtype=np.uint8
    )
    expected = preprocessing.resize(image, between).numpy()
    top, left = ((side - 12) // 2 for side in between)
    np.testing.assert_array_equal(
      preprocessing.resize(image, (12, 12), "cover"),
      expected[top : top + 12, left : left + 12],
    )


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
