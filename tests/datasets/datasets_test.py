import pathlib
import tempfile
from unittest import mock

from absl.testing import absltest, parameterized
import numpy as np
import tensorflow_datasets as tfds

from nct_tf import datasets, errors, preprocessing
from nct_tf.datasets import image_dataset
from tests.support import long_tests


class _Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """A dataset as tensorflow-datasets' users write them, of random images."""

  VERSION = tfds.core.Version("1.0.0")
  SHAPE = (6, 6, 3)
  CLASSES = ("cat", "dog", "eel")
  SPLITS = {"train": 30, "test": 12}

  def _info(self):
    return tfds.core.DatasetInfo(
      builder=self,
      features=tfds.features.FeaturesDict(
        {
          "image": tfds.features.Image(shape=self.SHAPE),
          "label": tfds.features.ClassLabel(names=self.CLASSES),
        }
      ),
    )

  def _split_generators(self, dl_manager):
    return {name: self._generate_examples(n) for name, n in self.SPLITS.items()}

  def _generate_examples(self, num_examples):
    for number in range(num_examples):
      shape = [side or 4 + number % 3 for side in self.SHAPE]
      image = np.full(shape, number % 256, np.uint8)
      yield number, {"image": image, "label": number % len(self.CLASSES)}


class ExamplePets(_Builder):
  pass


class ExampleMixedSizes(_Builder):
  SHAPE = (None, None, 3)
  SPLITS = {"train": 30, "validation": 6}


class ExampleWide(_Builder):
  """Twice as wide as high; a column tells its number."""

  SHAPE = (None, None, 3)

  def _generate_examples(self, num_examples):
    for key, example in super()._generate_examples(num_examples):
      image = np.zeros((6, 12, 3), np.uint8) + np.arange(12)[:, None]
      yield key, {**example, "image": image.astype(np.uint8)}


class ExampleOneSplit(_Builder):
  SPLITS = {"train": 30}


class ExampleCleanLabels(_Builder):
  """All labels are wrong, and the right ones are known."""

  SPLITS = {"train": 30}

  def _info(self):
    info = super()._info()
    label = tfds.features.ClassLabel(names=self.CLASSES)
    return tfds.core.DatasetInfo(
      builder=self,
      features=tfds.features.FeaturesDict(
        {**info.features, "clean_label": label}
      ),
    )

  def _generate_examples(self, num_examples):
    for key, example in super()._generate_examples(num_examples):
      yield key, {**example, "clean_label": (key + 1) % len(self.CLASSES)}


class ExampleNoTrain(_Builder):
  SPLITS = {"test": 30}


class ExampleOneClass(_Builder):
  CLASSES = ("cat",)


class ExampleThreeSplits(_Builder):
  SPLITS = {"train": 30, "test": 12, "validation": 9}


class ExampleUnlabelledTest(_Builder):
  def _generate_examples(self, num_examples):
    for key, example in super()._generate_examples(num_examples):
      is_test = num_examples == self.SPLITS["test"]
      yield key, {**example, "label": -1 if is_test else example["label"]}


class ExampleHiddenTest(ExampleUnlabelledTest):
  SPLITS = {"train": 30, "test": 12, "validation": 9}


class ExampleNoLabels(_Builder):
  def _info(self):
    return tfds.core.DatasetInfo(
      builder=self,
      features=tfds.features.FeaturesDict(
        {"image": tfds.features.Image(shape=self.SHAPE)}
      ),
    )

  def _generate_examples(self, num_examples):
    for key, example in super()._generate_examples(num_examples):
      yield key, {"image": example["image"]}


class TfdsImagesTest(parameterized.TestCase):
  def prepare(self, builder_class):
    data_dir = self.enter_context(tempfile.TemporaryDirectory())
    builder_class(data_dir=data_dir).download_and_prepare()
    return data_dir

  def test_reads_images_labels_and_names(self):
    data_dir = self.prepare(ExamplePets)
    dataset = datasets.load("example_pets", data_dir)
    self.assertEqual(dataset.train_images.shape, (30, 6, 6, 3))
    self.assertEqual(dataset.test_images.shape, (12, 6, 6, 3))
    self.assertEqual(dataset.class_names, ("cat", "dog", "eel"))
    # Every image tells its number, and so its label.
    numbers = dataset.train_images[:, 0, 0, 0]
    np.testing.assert_array_equal(dataset.train_labels, numbers % 3)
    self.assertLen(set(numbers.tolist()), 30)
    again = datasets.load("example_pets", data_dir)
    np.testing.assert_array_equal(dataset.train_images, again.train_images)

  def test_resizes_images_of_mixed_sizes(self):
    data_dir = self.prepare(ExampleMixedSizes)
    with self.assertRaisesRegex(errors.InvalidInputError, "--image_size"):
      datasets.load("example_mixed_sizes", data_dir)
    dataset = datasets.load("example_mixed_sizes", data_dir, image_size=5)
    self.assertEqual(dataset.train_images.shape, (30, 5, 5, 3))
    numbers = dataset.train_images.reshape(30, -1)
    np.testing.assert_array_equal(numbers.min(1), numbers.max(1))
    self.assertLen(dataset.test_labels, 6)  # The split `validation`.

  def test_takes_the_middle_of_images_of_mixed_sizes(self):
    data_dir = self.prepare(ExampleWide)
    dataset = datasets.load("example_wide", data_dir, image_size=6)
    self.assertEqual(dataset.resizing, "cover")
    for image in dataset.test_images:
      np.testing.assert_array_equal(image[2, :, 0], np.arange(3, 9))

  def test_passes_a_test_split_without_labels_over(self):
    data_dir = self.prepare(ExampleHiddenTest)
    dataset = datasets.load("example_hidden_test", data_dir)
    self.assertLen(dataset.test_labels, 9)
    self.assertIsNone(dataset.validation_images)

  def test_has_a_validation_split_of_its_own(self):
    data_dir = self.prepare(ExampleThreeSplits)
    for cache in ("memory", "disk"):
      dataset = datasets.load(
        "example_three_splits", data_dir, cache=cache, cache_dir=data_dir
      )
      self.assertLen(dataset.test_labels, 12)
      self.assertLen(dataset.validation_images, 9)
      np.testing.assert_array_equal(
        dataset.validation_labels,
        dataset.validation_images[np.arange(9)][:, 0, 0, 0] % 3,
      )

  def test_parts_a_dataset_of_one_split(self):
    data_dir = self.prepare(ExampleOneSplit)
    dataset = datasets.load("example_one_split", data_dir)
    np.testing.assert_array_equal(np.bincount(dataset.train_labels), [8] * 3)
    np.testing.assert_array_equal(np.bincount(dataset.test_labels), [2] * 3)

  def test_held_out_examples_have_their_clean_labels(self):
    data_dir = self.prepare(ExampleCleanLabels)
    dataset = datasets.load("example_clean_labels", data_dir)
    for images, labels in (
      (dataset.train_images, dataset.train_clean_labels),
      (dataset.test_images, dataset.test_labels),
    ):
      np.testing.assert_array_equal((images[:, 0, 0, 0] + 1) % 3, labels)

  @parameterized.named_parameters(
    ("no_train", ExampleNoTrain, "a split named train. Received: test"),
    ("one_class", ExampleOneClass, "at least two classes. Received: cat"),
    ("labels", ExampleUnlabelledTest, r"test labels.*in \[0, 3\).*from -1"),
    ("no_labels", ExampleNoLabels, "class label. Received features: image"),
  )
  def test_refuses(self, builder_class, message):
    data_dir = self.prepare(builder_class)
    with self.assertRaisesRegex(errors.InvalidInputError, message):
      datasets.load(builder_class.name, data_dir)

  def test_names_where_it_looked_and_what_to_do(self):
    data_dir = self.enter_context(tempfile.TemporaryDirectory())
    with self.assertRaisesRegex(
      errors.InvalidInputError,
      f"not in {data_dir}/example_pets/1.0.0: give --data_dir.*--download",
    ):
      datasets.load("example_pets", data_dir)

  def test_prepares_when_told_to(self):
    data_dir = self.enter_context(tempfile.TemporaryDirectory())
    dataset = datasets.load("example_pets", data_dir, download=True)
    self.assertLen(dataset.train_labels, 30)

  def test_suggests_names(self):
    for name in ("cifar_10", "cifar-10", "CIFAR10"):
      with self.assertRaisesRegex(
        errors.InvalidInputError, "near to it are .*cifar10"
      ):
        datasets.load(name)
    with self.assertRaisesRegex(errors.InvalidInputError, "digits"):
      datasets.load("digts")


class DigitsTest(absltest.TestCase):
  def test_split_is_fixed_and_stratified(self):
    dataset = datasets.load("digits")
    self.assertEqual(dataset.split_ids("train")[:2], ("0", "1"))
    self.assertEqual(dataset.split_ids("test")[:2], ("test/0", "test/1"))
    np.testing.assert_array_equal(
      dataset.picture(1, "test"), dataset.test_images[1]
    )
    self.assertTrue(dataset.test_labels_are_clean)
    self.assertEqual(dataset.train_images.shape, (1437, 8, 8, 1))
    self.assertEqual(dataset.test_images.shape, (360, 8, 8, 1))
    self.assertEqual(dataset.train_images.max(), 255)
    counts = np.bincount(dataset.test_labels)
    self.assertBetween(counts.min(), 34, 36)
    self.assertBetween(counts.max(), 36, 38)
    again = datasets.load("digits")
    np.testing.assert_array_equal(dataset.test_images, again.test_images)

  def test_resizes(self):
    dataset = datasets.load("digits", image_size=16)
    self.assertEqual(dataset.image_shape, (16, 16, 1))


class FakeTest(absltest.TestCase):
  def test_has_the_sizes_asked_for(self):
    dataset = datasets.load(
      "fake",
      num_train_examples=20,
      num_test_examples=7,
      height=5,
      num_channels=2,
      num_classes=4,
    )
    self.assertEqual(dataset.train_images.shape, (20, 5, 5, 2))
    self.assertLen(dataset.test_labels, 7)
    np.testing.assert_array_equal(np.bincount(dataset.train_labels), [5] * 4)

  def test_refuses_fewer_examples_than_classes(self):
    with self.assertRaisesRegex(errors.InvalidInputError, "num_test_examples"):
      datasets.load("fake", num_test_examples=3)


class ImageDatasetTest(parameterized.TestCase):
  def test_moments_are_those_of_the_pixels(self):
    dataset = datasets.load("fake", num_train_examples=50, height=7)
    mean, std = dataset.moments
    pixels = dataset.train_images / 255
    np.testing.assert_allclose(mean, pixels.mean((0, 1, 2)), rtol=1e-9)
    np.testing.assert_allclose(std, pixels.std((0, 1, 2)), rtol=1e-9)

  def test_moments_of_constant_images_can_be_divided_by(self):
    images = np.full((2, 4, 4, 1), 255, np.uint8)
    labels = np.array([0, 1])
    dataset = image_dataset.ImageDataset(
      "white", images, labels, images, labels, ("a", "b")
    )
    self.assertEqual(dataset.moments, ((1.0,), (1.0,)))

  @parameterized.parameters(
    (5, 7, 4, 8), (5, 7, 9, 3), (5, 7, 30, 1), (6, 6, 6, 7)
  )
  def test_resizing_in_parts_changes_nothing(self, height, width, side, most):
    rng = np.random.default_rng(0)
    images, labels = {}, {}
    for split, number in (("train", 37), ("validation", 16), ("test", 5)):
      shape = (number, height, width, 3)
      images[f"{split}_images"] = rng.integers(256, size=shape, dtype=np.uint8)
      labels[f"{split}_labels"] = np.arange(number) % 2
    dataset = image_dataset.ImageDataset(
      "x", **images, **labels, class_names=("a", "b")
    )
    expected = {
      name: preprocessing.resize(values, (side, side)).numpy()
      for name, values in images.items()
    }
    with (
      mock.patch.object(image_dataset, "_CHUNK_BYTES", 850),
      mock.patch.object(
        preprocessing, "resize", wraps=preprocessing.resize
      ) as resize,
    ):
      resized = dataset.resize(side)
    sizes = [len(call.args[0]) for call in resize.call_args_list]
    self.assertEqual(sum(sizes), 37 + 16 + 5)
    self.assertEqual(max(sizes), most)
    for name, values in expected.items():
      found = getattr(resized, name)
      self.assertEqual(found.dtype, np.uint8)
      np.testing.assert_array_equal(found, values)
    for split in image_dataset.SPLITS:
      np.testing.assert_array_equal(
        resized.split_digests(split), dataset.split_digests(split)
      )

  def test_refuses_images_that_are_no_bytes(self):
    images = np.zeros((2, 4, 4, 1), np.float32)
    labels = np.array([0, 1])
    with self.assertRaisesRegex(errors.InvalidInputError, "uint8.*float32"):
      image_dataset.ImageDataset(
        "floats", images, labels, images, labels, ("a", "b")
      )


class ExampleSharded(_Builder):
  """Its shards are interleaved when they are read."""

  SHAPE = (None, None, 3)
  SPLITS = {"train": 300, "test": 60}


class CacheTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = tempfile.TemporaryDirectory()
    cls.addClassCleanup(folder.cleanup)
    cls.data_dir = folder.name
    ExampleSharded(data_dir=cls.data_dir).download_and_prepare(
      download_config=tfds.download.DownloadConfig(num_shards=4)
    )

  def setUp(self):
    super().setUp()
    self.cache_dir = self.enter_context(tempfile.TemporaryDirectory())

  def load(self, cache, **options):
    return datasets.load(
      "example_sharded",
      self.data_dir,
      **{"image_size": 5, "cache_dir": self.cache_dir, **options},
      cache=cache,
    )

  def assert_same(self, one, two):
    for split in ("train", "test"):
      rows = np.random.default_rng(0).permutation(
        len(getattr(one, f"{split}_labels"))
      )
      np.testing.assert_array_equal(
        getattr(one, f"{split}_images")[rows],
        getattr(two, f"{split}_images")[rows],
      )
      np.testing.assert_array_equal(
        getattr(one, f"{split}_labels"), getattr(two, f"{split}_labels")
      )
    self.assertEqual(one.moments, two.moments)

  @parameterized.parameters("disk", "none")
  def test_gives_what_memory_gives_also_the_second_time(self, cache):
    expected = self.load("memory")
    self.assertEmpty(list(pathlib.Path(self.cache_dir).iterdir()))
    for _ in range(2):
      dataset = self.load(cache)
      self.assertNotIsInstance(dataset.train_images, np.ndarray)
      self.assertEqual(dataset.train_images.shape, (300, 5, 5, 3))
      self.assert_same(dataset, expected)

  def files(self):
    return {
      path: path.stat().st_mtime_ns
      for path in pathlib.Path(self.cache_dir).rglob("*")
      if path.is_file() and path.name != ".lock"
    }

  @parameterized.parameters(("disk",), *long_tests.also(("none",)))
  def test_a_damaged_file_is_made_anew(self, cache):
    self.load(cache).moments  # noqa: B018 It is kept, too.
    before = self.files()
    self.load(cache).moments  # noqa: B018
    self.assertEqual(self.files(), before)
    for path in before:
      path.write_bytes(path.read_bytes()[:-9])
    (path.parent / ".leftover.tmp").write_bytes(b"of a process that died")
    self.assert_same(self.load(cache), self.load("memory"))
    self.assertEqual(set(self.files()), set(before))

  def test_another_size_is_another_cache(self):
    self.load("disk")
    self.assertEqual(
      self.load("disk", image_size=4).train_images.shape, (300, 4, 4, 3)
    )

  def test_a_folder_that_cannot_be_used(self):
    with self.assertRaisesRegex(
      errors.InvalidInputError, "Cache folder .*give"
    ):
      self.load("disk", cache_dir=__file__)

  def test_embedded_data_stay_in_memory(self):
    with self.assertRaisesRegex(errors.InvalidInputError, "`cache`"):
      datasets.load("digits", cache="disk")


if __name__ == "__main__":
  absltest.main()
