"""The builders of datasets that are fetched by hand, on small fake downloads.

They are made in a temporary folder and have the layout of the real ones.
"""

import pathlib
import shutil
import tempfile
from unittest import mock

from absl.testing import absltest, parameterized
import numpy as np
from PIL import Image
import tensorflow_datasets as tfds

from nct_tf import datasets, errors
from nct_tf.datasets.tfds import builders
from nct_tf.datasets.tfds.builders import manual_files

_SYNSETS = ("n02", "n01", "n03")


def write_picture(path, height, width, value):
  path.parent.mkdir(parents=True, exist_ok=True)
  pixels = np.full((height, width, 3), value, np.uint8)
  Image.fromarray(pixels).save(path, "JPEG")


def write_lines(path, *lines):
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text("".join(f"{line}\n" for line in lines))


def fake_tiny_imagenet(folder):
  """Three classes of two training and two test images each.

  Their grey value is 10 times their class, plus their number.
  """
  root = folder / "tiny-imagenet-200"
  write_lines(root / "wnids.txt", *_SYNSETS)
  write_lines(
    root / "words.txt",
    "n00\tentity",
    "n01\tcrane",
    "n02\tgoldfish, Carassius auratus",
    "n03\tcrane",
  )
  train = []
  for label, synset in enumerate(_SYNSETS):
    for number in range(2):
      name = f"train/{synset}/images/{synset}_{number}.JPEG"
      write_picture(root / name, 64, 64, 10 * label + number)
      train.append((name, label))
  test = []
  for number in range(6):
    label = (number + 1) % 3
    write_picture(
      root / f"val/images/val_{number}.JPEG", 64, 64, 100 + 10 * label + number
    )
    test.append((f"val/images/val_{number}.JPEG", label))
  write_lines(
    root / "val" / "val_annotations.txt",
    *(
      f"{name.rpartition('/')[-1]}\t{_SYNSETS[label]}\t0\t0\t9\t9"
      for name, label in test
    ),
  )
  # The lists' own numbers: 0 is our class 2, 1 is 0, 2 is 1.
  number_of = {2: 0, 0: 1, 1: 2}
  write_lines(
    folder / "val_kv_list.txt",
    *(f"{name} {number_of[label]}" for name, label in test),
  )
  for config in ("symmetric_0.2", "symmetric_0.5", "pairflip_0.45"):
    # The first image of each class has got the next class's label.
    write_lines(
      folder / f"train_noisy_{config}_kv_list.txt",
      *(
        f"{name} {number_of[(label + (row % 2 == 0)) % 3]}"
        for row, (name, label) in reversed(list(enumerate(train)))
      ),
    )


def fake_clothing1m(folder):
  root = folder / "clothing1m"
  noisy = [(f"images/0/{number},1.jpg", number % 14) for number in range(28)]
  clean = [(f"images/1/{number},2.jpg", number) for number in range(6)]
  for number, (key, _) in enumerate(noisy + clean):
    write_picture(root / key, 20 + number, 30, 5 * number)
  write_lines(root / "noisy_label_kv.txt", *(f"{k} {v}" for k, v in noisy))
  write_lines(root / "clean_label_kv.txt", *(f"{k} {v}" for k, v in clean))
  write_lines(root / "noisy_train_key_list.txt", *(k for k, _ in noisy))
  write_lines(root / "clean_train_key_list.txt", clean[0][0])
  write_lines(root / "clean_val_key_list.txt", *(k for k, _ in clean[1:4]))
  write_lines(root / "clean_test_key_list.txt", *(k for k, _ in clean[4:]))


def fake_webvision(folder):
  """Four classes, of which the first three are taken."""
  root = folder / "webvision"
  write_lines(
    root / "info" / "synsets.txt",
    "n02 goldfish, Carassius auratus",
    "n01 crane",
    "n03 crane",
    "n04 entity",
  )
  train = [(f"google/q{n % 4}/{n}.jpg", n % 4) for n in range(12)]
  test = [(f"val{n}.jpg", n % 4) for n in range(8)]
  for number, (name, _) in enumerate(train):
    write_picture(root / "google_resized_256" / name, 30, 20, number)
  for number, (name, _) in enumerate(test):
    write_picture(root / "val_images_256" / name, 20, 30, 50 + number)
  for name, files in (("train_filelist_google", train), ("val_filelist", test)):
    write_lines(root / "info" / f"{name}.txt", *(f"{k} {v}" for k, v in files))
  # Folders in another order than WebVision's classes.
  for number, synset in enumerate(sorted([*_SYNSETS, "n04"])):
    write_picture(
      root / "ilsvrc12_val" / synset / "1.JPEG", 25, 25, 100 + number
    )


class _Fake:
  """Makes a fake download for each class, and sizes the builder to it."""

  SIZES = {}

  @classmethod
  def setUpClass(cls):
    folder = tempfile.mkdtemp()
    cls.addClassCleanup(shutil.rmtree, folder)
    cls.EXAMPLE_DIR = folder
    cls.make_fake(pathlib.Path(folder))
    for name, value in cls.SIZES.items():
      patch = mock.patch.object(cls.DATASET_CLASS, name, value)
      patch.start()
      cls.addClassCleanup(patch.stop)
    super().setUpClass()


class TinyImagenetBuilderTest(_Fake, tfds.testing.DatasetBuilderTestCase):
  DATASET_CLASS = builders.TinyImagenet
  SPLITS = {"train": 6, "test": 6}
  SIZES = {"NUM_CLASSES": 3, "NUM_EXAMPLES": SPLITS}
  make_fake = staticmethod(fake_tiny_imagenet)


class Clothing1MBuilderTest(_Fake, tfds.testing.DatasetBuilderTestCase):
  DATASET_CLASS = builders.Clothing1M
  SPLITS = {"train": 28, "validation": 3, "test": 2}
  SIZES = {"NUM_EXAMPLES": SPLITS}
  make_fake = staticmethod(fake_clothing1m)


class WebvisionMiniBuilderTest(_Fake, tfds.testing.DatasetBuilderTestCase):
  DATASET_CLASS = builders.WebvisionMini
  SPLITS = {"train": 9, "test": 6, "ilsvrc12": 3}
  SIZES = {"NUM_CLASSES": 3, "NUM_EXAMPLES": SPLITS}
  make_fake = staticmethod(fake_webvision)


class _LoadTestCase(parameterized.TestCase):
  """Loads a dataset as a run with --download does, from a fake download."""

  def setUp(self):
    super().setUp()
    self.data_dir = pathlib.Path(
      self.enter_context(tempfile.TemporaryDirectory())
    )
    self.manual_dir = self.data_dir / "downloads" / "manual"
    for name, value in self.FAKE.SIZES.items():
      self.enter_context(
        mock.patch.object(self.FAKE.DATASET_CLASS, name, value)
      )

  def load(self, name, **options):
    return datasets.load(name, str(self.data_dir), download=True, **options)

  def assert_refuses(self, name, message, **options):
    with self.assertRaisesRegex(errors.InvalidInputError, message) as caught:
      self.load(name, **options)
    self.assertNotIn("\n", str(caught.exception))


class TinyImagenetTest(_LoadTestCase):
  FAKE = TinyImagenetBuilderTest

  def setUp(self):
    super().setUp()
    fake_tiny_imagenet(self.manual_dir)
    self.root = self.manual_dir / "tiny-imagenet-200"

  def test_labels_are_those_of_wnids_txt(self):
    dataset = self.load("tiny_imagenet")
    self.assertEqual(
      dataset.class_names, ("n02 goldfish", "n01 crane", "n03 crane")
    )
    for split in ("train", "test"):
      values = getattr(dataset, f"{split}_images")[:, 0, 0, 0]
      np.testing.assert_array_equal(
        values % 100 // 10, getattr(dataset, f"{split}_labels")
      )
    np.testing.assert_array_equal(
      dataset.train_labels, dataset.train_clean_labels
    )

  def test_unpacks_the_zip(self):
    expected = self.load("tiny_imagenet")
    shutil.rmtree(self.data_dir / "tiny_imagenet")
    shutil.make_archive(self.root, "zip", self.manual_dir, self.root.name)
    shutil.rmtree(self.root)
    actual = self.load("tiny_imagenet")
    np.testing.assert_array_equal(actual.train_images, expected.train_images)
    np.testing.assert_array_equal(actual.train_labels, expected.train_labels)

  def test_released_lists_are_mapped_from_their_own_numbers(self):
    dataset = self.load("tiny_imagenet/symmetric_0.5")
    values = dataset.train_images[:, 0, 0, 0].astype(int)
    true, row = values // 10, values % 10
    np.testing.assert_array_equal(dataset.train_clean_labels, true)
    np.testing.assert_array_equal(dataset.train_labels, (true + 1 - row) % 3)
    np.testing.assert_array_equal(
      dataset.test_labels, dataset.test_images[:, 0, 0, 0] % 100 // 10
    )

  @parameterized.parameters(
    ("tiny-imagenet-200/words.txt", "Missing: words.txt$"),
    ("tiny-imagenet-200/train/n01/images", "Missing: n01/images$"),
    ("tiny-imagenet-200/train/n01/images/n01_0.JPEG", "be 6, or.*: 5$"),
    ("tiny-imagenet-200", "tiny-imagenet-200.zip or the folder.*Missing: both"),
  )
  def test_names_what_is_missing(self, name, message):
    path = self.manual_dir / name
    if path.is_dir():
      shutil.rmtree(path)
    else:
      path.unlink()
    self.assert_refuses("tiny_imagenet", message)

  def test_tells_what_to_fetch(self):
    shutil.rmtree(self.manual_dir)
    self.assert_refuses(
      "tiny_imagenet", "downloads/manual does not exist.*200.zip"
    )

  def test_names_the_lists_that_are_missing(self):
    (self.manual_dir / "val_kv_list.txt").unlink()
    self.assert_refuses(
      "tiny_imagenet/symmetric_0.2", "Missing: val_kv_list.txt$"
    )

  def test_refuses_lists_that_are_no_numbering(self):
    path = self.manual_dir / "val_kv_list.txt"
    lines = path.read_text().splitlines()
    for bad, message in (
      ("val/images/val_0.JPEG 0", "one number. Received: val/images/val_"),
      ("val/images/val_0.JPEG 3", "line 1, must be .* in \\[0, 3\\)"),
      ("val_0", "line 1, must be"),
    ):
      write_lines(path, bad, *lines[1:])
      self.assert_refuses("tiny_imagenet/symmetric_0.2", message)

  def test_an_image_of_another_size_is_unreadable(self):
    write_picture(self.root / "train/n01/images/n01_0.JPEG", 32, 64, 0)
    self.assert_refuses("tiny_imagenet", r"n01_0.JPEG \(has the shape \[32, 64")


class Clothing1MTest(_LoadTestCase):
  FAKE = Clothing1MBuilderTest

  def setUp(self):
    super().setUp()
    fake_clothing1m(self.manual_dir)
    self.root = self.manual_dir / "clothing1m"

  def test_trains_on_noisy_and_tests_on_clean_images(self):
    dataset = self.load("clothing1m", image_size=8)
    self.assertEqual(dataset.num_classes, 14)
    numbers = dataset.train_images[:, 4, 4, 0].astype(int) / 5
    np.testing.assert_array_equal(np.rint(numbers) % 14, dataset.train_labels)
    np.testing.assert_array_equal(np.sort(dataset.test_labels), [4, 5])

  @parameterized.parameters(
    ("clean_label_kv.txt", "Missing: clean_label_kv.txt$"),
    ("noisy_train_key_list.txt", "Missing: noisy_train_key_list.txt$"),
  )
  def test_names_what_is_missing(self, name, message):
    (self.root / name).unlink()
    self.assert_refuses("clothing1m", message, image_size=8)

  def test_counts_its_lists(self):
    path = self.root / "clean_val_key_list.txt"
    write_lines(path, *path.read_text().splitlines()[:-1])
    self.assert_refuses(
      "clothing1m", "clean_val_key_list.txt must be 3, .*: 2$", image_size=8
    )

  def test_names_an_image_without_a_label(self):
    path = self.root / "noisy_label_kv.txt"
    write_lines(path, *path.read_text().splitlines()[1:])
    self.assert_refuses(
      "clothing1m", "Missing: 1, of which .* images/0/0,1.jpg$", image_size=8
    )


class UnreadableTest(_LoadTestCase):
  FAKE = WebvisionMiniBuilderTest

  def setUp(self):
    super().setUp()
    fake_webvision(self.manual_dir)
    self.root = self.manual_dir / "webvision" / "google_resized_256" / "google"
    (self.root / "q0" / "0.jpg").write_bytes(b"no image")
    whole = (self.root / "q1" / "1.jpg").read_bytes()
    (self.root / "q1" / "1.jpg").write_bytes(whole[: len(whole) // 2])
    (self.root / "q2" / "2.jpg").unlink()

  def test_a_few_are_named_and_left_out(self):
    limit = mock.patch.object(manual_files, "MAX_UNREADABLE_RATE", 3 / 9)
    with limit, self.assertLogs("nct_tf", "WARNING") as logs:
      dataset = self.load("webvision_mini", image_size=8)
    np.testing.assert_array_equal(
      np.sort(dataset.train_labels), [0, 0, 1, 1, 2, 2]
    )
    (line,) = logs.output
    self.assertRegex(
      line,
      r"3 of the 9 images of train .*left out: google/q0/0.jpg \(is damaged or "
      r"no image\), google/q1/1.jpg \(is damaged.*q2/2.jpg \(cannot be opened",
    )

  def test_more_are_an_error(self):
    self.assert_refuses(
      "webvision_mini",
      "More than 1% of the 9 images of train cannot be read: google/q",
      image_size=8,
    )


class WebvisionMiniTest(_LoadTestCase):
  FAKE = WebvisionMiniBuilderTest

  def setUp(self):
    super().setUp()
    fake_webvision(self.manual_dir)
    self.root = self.manual_dir / "webvision"

  def test_takes_the_first_classes_alone(self):
    dataset = self.load("webvision_mini", image_size=8)
    self.assertEqual(
      dataset.class_names, ("n02 goldfish", "n01 crane", "n03 crane")
    )
    np.testing.assert_array_equal(
      dataset.train_images[:, 4, 4, 0] % 4, dataset.train_labels
    )
    np.testing.assert_array_equal(
      (dataset.test_images[:, 4, 4, 0] - 50) % 4, dataset.test_labels
    )

  def test_ilsvrc12_is_mapped_through_synsets_txt_and_may_be_missing(self):
    dataset = self.load("webvision_mini", image_size=8)
    images, labels = dataset.extra_tests["ilsvrc12"]
    # 100 is n01, which is class 1, 101 is n02, which is class 0.
    order = np.argsort(images[:, 4, 4, 0])
    np.testing.assert_array_equal(labels[order], [1, 0, 2])
    builder = tfds.builder("webvision_mini", data_dir=str(self.data_dir))
    labels = {
      example["id"].decode(): int(example["label"])
      for example in builder.as_dataset(split="ilsvrc12").as_numpy_iterator()
    }
    self.assertEqual(
      labels, {"n02/1.JPEG": 0, "n01/1.JPEG": 1, "n03/1.JPEG": 2}
    )
    shutil.rmtree(self.root / "ilsvrc12_val")
    shutil.rmtree(self.data_dir / "webvision_mini")
    self.assertEmpty(self.load("webvision_mini", image_size=8).extra_tests)
    builder = tfds.builder("webvision_mini", data_dir=str(self.data_dir))
    self.assertEqual(set(builder.info.splits), {"train", "test"})

  def test_names_all_that_is_missing(self):
    shutil.rmtree(self.root / "val_images_256")
    (self.root / "info" / "synsets.txt").unlink()
    self.assert_refuses(
      "webvision_mini",
      "Missing: info/synsets.txt, val_images_256$",
      image_size=8,
    )

  def test_counts_what_was_expected(self):
    path = self.root / "info" / "train_filelist_google.txt"
    write_lines(path, *path.read_text().splitlines()[:-2])
    self.assert_refuses(
      "webvision_mini", "3 classes in train must be 9, .*: 8$", image_size=8
    )


if __name__ == "__main__":
  absltest.main()
