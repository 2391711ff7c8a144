"""Folders, CSV files and archives of one's own, as people have them."""

import csv
import json
import os
import pathlib
import tempfile
from unittest import mock

from absl.testing import absltest, parameterized
import numpy as np
from PIL import Image

from nct_tf import datasets, errors
from nct_tf.datasets import digests
from nct_tf.datasets.files import own_images
from nct_tf.pictures import decoding

_SIZE = (6, 4)  # Width, height.


def picture(seed, size=_SIZE, channels=3):
  shape = (size[1], size[0], channels)
  pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
  return Image.fromarray(pixels if channels > 1 else pixels[..., 0])


class OwnImagesTestCase(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.top = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    self.folder = self.top / "pictures"
    self.cache = str(self.top / "cache")

  def save(self, path, image=None, **options):
    path = self.folder / path
    path.parent.mkdir(parents=True, exist_ok=True)
    (image or picture(len(list(self.folder.rglob("*"))))).save(path, **options)
    return path

  def fill(self, *class_names, number=12):
    for name in class_names:
      for index in range(number):
        self.save(f"{name}/{index:02d}.png")

  def examine(self, name=None, test_fraction=0.25):
    return own_images.examine(
      name or f"folder:{self.folder}", test_fraction, self.cache
    )

  def load(self, name=None, **options):
    return datasets.load(
      name or f"folder:{self.folder}", cache_dir=self.cache, **options
    )

  def texts(self, examined=None):
    """Returns dict from the text of each finding to its items."""
    findings = (examined or self.examine()).findings
    return {finding.text: finding.items for finding in findings}

  def write_csv(self, header, *rows):
    file = self.folder / "list.csv"
    self.folder.mkdir(exist_ok=True)
    with open(file, "w", newline="", encoding="utf-8") as lines:
      csv.writer(lines).writerows([header, *rows])
    return f"csv:{file}"

  def splits(self, dataset):
    return (
      ("train", dataset.train_images, dataset.train_labels),
      ("test", dataset.test_images, dataset.test_labels),
    )


class FolderTest(OwnImagesTestCase):
  def test_its_pixels_and_names_arrive(self):
    self.fill("cat", "dog", "10", "9")
    dataset = self.load(test_fraction=0.25)
    self.assertEqual(dataset.class_names, ("9", "10", "cat", "dog"))
    self.assertLen(dataset.train_labels, 36)
    self.assertLen(dataset.test_labels, 12)
    np.testing.assert_array_equal(np.bincount(dataset.test_labels), [3] * 4)
    self.assertEqual(dataset.image_shape, (4, 6, 3))
    for split, images, labels in self.splits(dataset):
      for number, name in enumerate(dataset.split_ids(split)):
        with Image.open(self.folder / name) as image:
          pixels = np.asarray(image)
        np.testing.assert_array_equal(images[number], pixels)
        np.testing.assert_array_equal(dataset.picture(number, split), pixels)
        self.assertEqual(
          name.split("/")[0], dataset.class_names[labels[number]]
        )
    self.assertFalse(dataset.test_labels_are_clean)

  def test_splits_that_are_there_stay(self):
    for split, number in (("train", 4), ("test", 2)):
      for name in "ab":
        for index in range(number):
          self.save(f"{split}/{name}/{index}.png")
    (self.folder / "readme.txt").touch()
    dataset = self.load()
    self.assertLen(dataset.train_labels, 8)
    self.assertLen(dataset.test_labels, 4)
    self.assertTrue(all(name.startswith("train/") for name in dataset.ids))
    self.assertEqual(
      dataset.split_ids("test"),
      ("test/a/0.png", "test/a/1.png", "test/b/0.png", "test/b/1.png"),
    )

  def test_a_test_folder_alone_is_a_class(self):
    self.fill("test", "other")
    self.assertEqual(self.load().class_names, ("other", "test"))

  @parameterized.parameters("memory", "disk", "none")
  def test_images_do_not_depend_on_the_cache(self, cache):
    self.fill("a", "b")
    self.save("a/large.jpg", picture(0, (90, 70)))
    dataset = self.load(image_size=8, cache=cache)
    expected = self.load(image_size=8, cache="memory")
    for part in ("train_images", "test_images"):
      images = getattr(dataset, part)
      np.testing.assert_array_equal(
        images[: len(images)], getattr(expected, part)
      )
    self.assertEqual(dataset.moments, expected.moments)

  def test_the_size_is_chosen_and_said(self):
    for index, side in enumerate((20, 30, 40, 500)):
      for name in "ab":
        self.save(f"{name}/{index}.png", picture(index, (side, side + 1)))
        self.save(f"{name}/{index}b.png", picture(-index - 9 + 100, (35, 35)))
    with self.assertLogs("nct_tf", "INFO") as logs:
      dataset = self.load()
    side = dataset.image_shape[0]
    self.assertEqual(dataset.image_shape, (side, side, 3))
    self.assertBetween(side, 30, 40)
    self.assertIn(f"--image_size={side}, the median", "\n".join(logs.output))

  def test_no_such_folder(self):
    with self.assertRaisesRegex(errors.InvalidInputError, "no such folder"):
      self.load()

  def test_no_picture(self):
    (self.folder / "cat").mkdir(parents=True)
    with self.assertRaisesRegex(errors.InvalidInputError, "There is none"):
      self.load()


class FindingsTest(OwnImagesTestCase):
  def test_what_cannot_be_read_is_left_out_with_its_reason(self):
    self.fill("cat", "dog", number=15)
    whole = self.save("cat/cut.jpg", picture(1, (60, 60)))
    whole.write_bytes(whole.read_bytes()[:-300])
    (self.folder / "dog/empty.png").touch()
    (self.folder / "dog/text.gif").write_text("GIF89a, or so they say")
    items = self.texts()["Pictures that cannot be read, left out"]
    self.assertEqual(
      [item.split(":")[0] for item in items],
      ["cat/cut.jpg", "dog/empty.png", "dog/text.gif"],
    )
    self.assertRegex(items[0], "truncated")
    self.assertLen(self.load().train_labels, 24)

  def test_too_many_that_cannot_be_read(self):
    self.fill("cat", "dog", number=4)
    (self.folder / "dog/empty.png").touch()
    with self.assertRaisesRegex(
      errors.InvalidInputError, "more than 10% of all: dog/empty.png"
    ):
      self.load()

  def test_names_that_are_one(self):
    self.fill("cat", "Cat ", "dog")
    with self.assertRaisesRegex(
      errors.InvalidInputError, "'Cat ' and 'cat'|'cat' and 'Cat '"
    ):
      self.load()

  def test_other_files_empty_and_small_classes(self):
    self.fill("cat", "dog", number=20)
    self.fill("rare", number=5)
    (self.folder / "empty").mkdir()
    (self.folder / "cat/notes.txt").touch()
    (self.folder / "list.pdf").touch()
    (self.folder / ".hidden").touch()
    texts = self.texts()
    suffixes = ".bmp, .gif, .jpeg, .jpg, .png, .webp"
    self.assertCountEqual(
      texts[f"No pictures ({suffixes}) of a class, passed over"],
      ["cat/notes.txt", "list.pdf"],
    )
    self.assertEqual(texts["Classes without a picture, left out"], ("empty",))
    (few,) = [text for text in texts if text.startswith("Classes with under")]
    self.assertEqual(texts[few], ("rare (4)",))

  def test_a_picture_in_both_splits_is_not_trained_on(self):
    for split, number in (("train", 4), ("test", 2)):
      for name in "ab":
        for index in range(number):
          self.save(
            f"{split}/{name}/{index}.png", picture(100 * ord(name) + index)
          )
    dataset = self.load()
    self.assertCountEqual(
      dataset.ids,
      ["train/a/2.png", "train/a/3.png", "train/b/2.png", "train/b/3.png"],
    )

  def test_copies_of_a_picture_stay_on_one_side(self):
    self.fill("a", "b", number=20)
    copies = [f"a/copy{index}.png" for index in range(6)]
    for name in copies:
      self.save(name, picture(10_000))
    self.save(
      "b/other.bmp", picture(10_000)
    )  # The same, though in other words.
    examined = self.examine()
    is_test = {
      str(examined.splits[examined.paths.index(name)])
      for name in (*copies, "b/other.bmp")
    }
    self.assertLen(is_test, 1)
    (item,) = self.texts()["The same picture under different labels, kept"]
    self.assertEqual(item, " = ".join((*copies, "b/other.bmp")))

  def test_a_class_that_cannot_be_learned(self):
    self.save("train/a/1.png")
    self.save("test/a/1.png")
    self.save("test/b/1.png")
    with self.assertRaisesRegex(
      errors.InvalidInputError, "without a training picture.*: b"
    ):
      self.load()


class CsvTest(OwnImagesTestCase):
  def test_all_columns(self):
    rows = []
    for index in range(12):
      path = f"{index}.png"
      self.save(path)
      rows.append(
        (path, "ab"[index % 2], "test" if index > 7 else "train", "a")
      )
    dataset = self.load(
      self.write_csv(("path", "label", "split", "clean_label"), *rows)
    )
    np.testing.assert_array_equal(dataset.train_labels, [0, 1] * 4)
    np.testing.assert_array_equal(dataset.train_clean_labels, [0] * 8)
    np.testing.assert_array_equal(dataset.test_labels, [0] * 4)
    self.assertTrue(dataset.test_labels_are_clean)
    self.assertEqual(
      dataset.split_ids("test"), ("8.png", "9.png", "10.png", "11.png")
    )

  @parameterized.named_parameters(
    ("no_column", ("path", "class"), ("0.png", "a"), "columns path, label"),
    ("no_label", ("path", "label"), ("0.png", " "), "row 2: column `label`"),
    (
      "split",
      ("path", "label", "split"),
      ("0.png", "a", "later"),
      "row 2: column `split` must be one of train, .*test.* Received: 'later'",
    ),
    (
      "no_train",
      ("path", "label", "split"),
      ("0.png", "a", "val"),
      "`split` must be train in some rows. Received: validation",
    ),
    (
      "repeated",
      ("path", "label", "label"),
      ("0.png", "a", "b"),
      "each column once. Received: 'path', 'label', 'label'",
    ),
    (
      "spelling",
      ("Path", "label"),
      ("0.png", "a"),
      "Received: 'Path', 'label' .with a comma between columns",
    ),
    ("short", ("path", "label"), ("0.png",), "row 2, must have 2 values"),
  )
  def test_bad_rows(self, header, row, message):
    self.save("0.png")
    with self.assertRaisesRegex(errors.InvalidInputError, message):
      self.load(self.write_csv(header, row))

  def test_a_path_twice(self):
    self.save("0.png")
    name = self.write_csv(("path", "label"), ("0.png", "a"), ("0.png", "b"))
    with self.assertRaisesRegex(
      errors.InvalidInputError, "row 3: the path 0.png is that of row 2"
    ):
      self.load(name)

  def test_a_file_that_is_not_there(self):
    rows = []
    for index in range(30):
      self.save(f"{index}.png")
      rows.append((f"{index}.png", "ab"[index % 2]))
    name = self.write_csv(("path", "label"), *rows, ("away.png", "a"))
    (item,) = self.texts(self.examine(name))[
      "Pictures that cannot be read, left out"
    ]
    self.assertEqual(item, "away.png: No such file or directory")


class IndexTest(OwnImagesTestCase):
  def test_only_what_has_changed_is_read_again(self):
    self.fill("cat", "dog")
    self.examine()
    with mock.patch.object(
      decoding, "decode", side_effect=decoding.decode
    ) as decode:
      self.examine()
      self.assertEqual(decode.call_count, 0)
      changed = self.save("cat/03.png", picture(77))
      os.utime(changed, (1, 1))
      self.save("dog/new.png")
      os.remove(self.folder / "dog/04.png")
      examined = self.examine()
    self.assertEqual(
      sorted(call.args[0].name for call in decode.call_args_list),
      ["03.png", "new.png"],
    )
    self.assertLen(examined.paths, 24)

  @parameterized.parameters("", "{", '{"version": 1}', "[1]")
  def test_a_damaged_index_is_made_anew(self, content):
    self.fill("cat", "dog")
    self.examine()
    (file,) = pathlib.Path(self.cache).glob("*/index.json")
    whole = json.loads(file.read_text())
    file.write_text(content)
    self.examine()
    self.assertEqual(json.loads(file.read_text()), whole)

  def test_a_cache_that_cannot_be_written(self):
    self.fill("cat", "dog")
    pathlib.Path(self.cache).touch()
    with self.assertRaisesRegex(errors.InvalidInputError, "--cache_dir"):
      self.examine()

  def test_names_that_are_no_text(self):
    self.fill("cat", "dog")
    name = os.fsdecode(b"cat/caf\xe9.png")
    self.save(name)
    self.save("cat/\u0107\u00e1t \U0001f408.png")
    (item,) = self.texts()["Pictures that cannot be read, left out"]
    self.assertEqual(item, f"{name}: its name is not valid UTF-8")
    self.assertIn("cat/\u0107\u00e1t \U0001f408.png", self.load().ids)


class NpzTest(OwnImagesTestCase):
  def save_npz(self, **arrays):
    path = self.top / "own.npz"
    np.savez(path, **arrays)
    return f"npz:{path}"

  def arrays(self, num_examples=40):
    rng = np.random.default_rng(0)
    return {
      "images": rng.integers(0, 256, (num_examples, 5, 5), np.uint8),
      "labels": np.arange(num_examples) % 2,
    }

  def test_it_is_loaded(self):
    arrays = self.arrays()
    arrays["labels"] = np.array(["yes", "no"])[arrays["labels"]]
    dataset = self.load(self.save_npz(**arrays))
    self.assertEqual(dataset.class_names, ("no", "yes"))
    self.assertLen(dataset.test_labels, 8)
    for split, images, labels in self.splits(dataset):
      for number, name in enumerate(dataset.split_ids(split)):
        row = int(name.removeprefix("test/"))
        self.assertEqual(name.startswith("test/"), split == "test")
        np.testing.assert_array_equal(
          images[number, ..., 0], arrays["images"][row]
        )
        np.testing.assert_array_equal(
          dataset.picture(number, split), images[number]
        )
        self.assertEqual(
          dataset.class_names[labels[number]], arrays["labels"][row]
        )
    self.assertFalse(dataset.test_labels_are_clean)

  def test_splits_and_clean_labels(self):
    arrays = self.arrays()
    split = np.where(np.arange(40) < 30, "train", "test")
    dataset = self.load(
      self.save_npz(**arrays, split=split, clean_labels=1 - arrays["labels"])
    )
    np.testing.assert_array_equal(
      dataset.train_clean_labels, 1 - dataset.train_labels
    )
    np.testing.assert_array_equal(dataset.test_labels, [1, 0] * 5)
    self.assertTrue(dataset.test_labels_are_clean)

  def test_an_image_in_two_splits_is_in_the_later_one_alone(self):
    split = np.repeat(["train", "validation", "test"], [24, 8, 8])
    arrays = {**self.arrays(), "split": split}
    arrays["clean_labels"] = 1 - arrays["labels"]
    images = arrays["images"]
    images[33], images[36] = images[2], images[25]  # Test as train, validation.
    images[26] = images[5]  # Validation as train.
    images[[30, 37]] = images[7]  # All three.
    dataset = self.load(self.save_npz(**arrays))
    left_out = [2, 5, 7, 25, 30]
    ids = {
      name: dataset.split_ids(name) for name in ("train", "validation", "test")
    }
    for name, prefix in zip(ids, ("", "validation/", "test/"), strict=True):
      rows = np.setdiff1d(np.flatnonzero(split == name), left_out)
      self.assertSequenceEqual(ids[name], [f"{prefix}{row}" for row in rows])
      np.testing.assert_array_equal(
        getattr(dataset, f"{name}_images")[..., 0], images[rows]
      )
      np.testing.assert_array_equal(
        dataset.split_digests(name), digests.of_images(images[rows])
      )
    rows = np.array(ids["train"], int)
    np.testing.assert_array_equal(dataset.train_labels, rows % 2)
    np.testing.assert_array_equal(dataset.train_clean_labels, 1 - rows % 2)
    self.assertEqual(
      self.texts(dataset),
      {
        "Training pictures that are test pictures too, left out of training": (
          "2",
          "7",
        ),
        "Training pictures that are validation pictures too, left out of "
        "training": ("5",),
        "Validation pictures that are test pictures too, left out of "
        "validation": ("validation/25", "validation/30"),
      },
    )

  @parameterized.named_parameters(
    ("keras", "x_{}", "y_{}"), ("medmnist", "{}_images", "{}_labels")
  )
  def test_arrays_of_each_split_that_share_an_image(self, images, labels):
    train, test = self.arrays(40), self.arrays(10)
    test["images"] = 255 - test["images"]
    test["images"][3] = train["images"][6]
    arrays = {}
    for word, part in (("train", train), ("test", test)):
      arrays[images.format(word)] = part["images"]
      arrays[labels.format(word)] = part["labels"]
    dataset = self.load(self.save_npz(**arrays))
    self.assertLen(dataset.train_labels, 39)
    self.assertNotIn("6", dataset.ids)
    self.assertIn("test/43", dataset.split_ids("test"))

  def test_copies_are_named(self):
    arrays = {**self.arrays(), "split": np.repeat(["train", "test"], [30, 10])}
    images = arrays["images"]
    images[[4, 9]], images[11], images[38] = images[3], images[1], images[32]
    dataset = self.load(self.save_npz(**arrays))
    self.assertLen(dataset.train_labels, 30)
    texts = self.texts(dataset)
    self.assertEqual(
      texts["The same picture under different labels, kept"], ("3 = 4 = 9",)
    )
    self.assertCountEqual(
      texts["The same picture more than once under one label, kept"],
      ("1 = 11", "test/32 = test/38"),
    )

  def test_a_class_whose_training_images_are_all_test_images(self):
    arrays = {**self.arrays(), "split": np.repeat(["train", "test"], [30, 10])}
    arrays["labels"][[8, 35]] = 2
    arrays["images"][35] = arrays["images"][8]
    with self.assertRaisesRegex(
      errors.InvalidInputError, "without a training picture.*: 2"
    ):
      self.load(self.save_npz(**arrays))

  @parameterized.named_parameters(
    ("floats", {"images": np.zeros((40, 5, 5))}, "must be uint8"),
    ("short", {"labels": np.zeros(39, int)}, r"Array labels .*\[40\]"),
    ("split", {"split": np.array(["test"] * 40)}, "must hold train"),
    ("clean", {"clean_labels": np.full(40, 7)}, "has the label that"),
    ("few", {"labels": np.arange(40)}, "leave each class an example"),
  )
  def test_bad_arrays(self, changes, message):
    name = self.save_npz(**{**self.arrays(), **changes})
    with self.assertRaisesRegex(errors.InvalidInputError, message):
      self.load(name)

  def test_no_archive(self):
    path = self.top / "own.npz"
    path.write_bytes(b"PK\x03\x04 and then nothing")
    with self.assertRaisesRegex(errors.InvalidInputError, "cannot be read"):
      self.load(f"npz:{path}")


if __name__ == "__main__":
  absltest.main()
