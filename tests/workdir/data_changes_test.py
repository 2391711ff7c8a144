import csv
import dataclasses
import os
import pathlib
import random
import shutil
import tempfile

from absl.testing import absltest, parameterized
import numpy as np
from PIL import Image
from sklearn import datasets as sklearn_datasets

from nct_tf import datasets, errors
from nct_tf.datasets import digests
from nct_tf.workdir import data_changes, data_record

_DIGITS = sklearn_datasets.load_digits()
_PIXELS = (_DIGITS.images * 255 / 16).round().astype(np.uint8)
_NUM_CLASSES = 3
_NUM_EACH = 12
_TOTAL = _NUM_CLASSES * _NUM_EACH


def images_of(digit, number, start=0):
  return _PIXELS[_DIGITS.target == digit][start : start + number]


def save(path, pixels, **options):
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(pixels).save(path, **options)


class DataChangesTestCase(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.top = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    self.folder = self.top / "pics"
    for digit in range(_NUM_CLASSES):
      for number, pixels in enumerate(images_of(digit, _NUM_EACH)):
        save(self.folder / f"{digit}" / f"{number}.png", pixels)

  def record(self, dataset=None):
    """Returns the `DataRecord` of a dataset, as it comes back from a file."""
    loaded = datasets.load(
      dataset or f"folder:{self.folder}", cache_dir=str(self.top / "cache")
    )
    file = self.top / "data.npz"
    with open(file, "wb") as opened:
      data_record.write(opened, data_record.of_dataset(loaded))
    return data_record.read(file)

  def describe(self, before, dataset=None):
    return data_changes.describe(before, self.record(dataset))


class FolderTest(DataChangesTestCase):
  def setUp(self):
    super().setUp()
    self.before = self.record()

  def test_what_is_no_change(self):
    self.assertIsNone(self.describe(self.before))
    os.utime(self.folder / "1" / "3.png")
    save(self.folder / "1" / "4.png", images_of(1, 5)[4], compress_level=0)
    (self.folder / "1" / "notes.txt").write_text("no picture")
    self.assertIsNone(self.describe(self.before))
    moved = self.top / "elsewhere"
    self.folder.rename(moved)
    self.assertIsNone(self.describe(self.before, f"folder:{moved}"))

  def test_renamed(self):
    for number in (7, 8, 9):
      path = self.folder / "2" / f"{number}.png"
      path.rename(path.with_name(f"00{number}.png"))
    self.assertEqual(
      self.describe(self.before),
      "3 of 36 pictures renamed, the first is 2/007.png (was 2/7.png)",
    )

  def test_changed(self):
    save(self.folder / "0" / "5.png", 255 - images_of(0, 6)[5])
    self.assertEqual(
      self.describe(self.before),
      "1 of 36 pictures changed, the first is 0/5.png",
    )

  def test_files_of_one_size_and_time_that_changed_names(self):
    paths = [self.folder / "2" / f"{name}.bmp" for name in "abc"]
    for path, pixels in zip(paths, images_of(2, 2, 50), strict=False):
      save(path, pixels)
      os.utime(path, (10**9, 10**9))
    before = self.record()
    for old, new in ((0, 2), (1, 0), (2, 1)):
      paths[old].rename(paths[new])
    self.assertEqual(
      self.describe(before), "2 of 38 pictures changed, the first is 2/a.bmp"
    )

  def test_moved_to_another_class(self):
    (self.folder / "0" / "5.png").rename(self.folder / "2" / "x5.png")
    self.assertEqual(
      self.describe(self.before),
      "1 of 36 pictures relabelled, the first is 2/x5.png, of the class 2 "
      "(was 0)",
    )

  def test_removed_and_added(self):
    (self.folder / "1" / "0.png").unlink()
    save(self.folder / "1" / "new.png", images_of(1, 1, 50)[0])
    self.assertEqual(
      self.describe(self.before),
      "1 of 36 pictures removed, the first is 1/0.png; 1 picture added to 36, "
      "the first is 1/new.png",
    )

  def test_classes_added_and_removed(self):
    for number, pixels in enumerate(images_of(7, 10)):
      save(self.folder / "zebra" / f"{number}.png", pixels)
    self.assertEqual(
      self.describe(self.before),
      "1 class added (zebra); 10 pictures added to 36, the first is "
      "zebra/0.png",
    )
    shutil.rmtree(self.folder / "zebra")
    shutil.rmtree(self.folder / "0")
    self.assertEqual(
      self.describe(self.before),
      "1 class removed (0); 12 of 36 pictures removed, the first is 0/0.png",
    )

  def test_images_of_another_shape(self):
    for path in self.folder.rglob("*.png"):
      with Image.open(path) as image:
        image.resize((9, 9)).save(path)
    self.assertRegex(
      self.describe(self.before),
      r"^36 of 36 pictures changed, the first is ./\d+\.png; images have the "
      r"shape 9x9x1 \(was 8x8x1\)$",
    )

  def test_any_single_change_is_found(self):
    rng = random.Random(0)
    kept = self.top / "kept"
    shutil.copytree(self.folder, kept)
    for turn in range(12):
      change = _CHANGES[turn % len(_CHANGES)]
      with self.subTest(change.__name__, turn=turn):
        paths = sorted(self.folder.rglob("*.png"))
        change(self.folder, rng.choice(paths), rng)
        self.assertIsNotNone(self.describe(self.before))
        shutil.rmtree(self.folder)
        shutil.copytree(kept, self.folder)
        self.assertIsNone(self.describe(self.before))


def rename(folder, path, rng):
  del folder
  path.rename(path.with_stem(f"{path.stem}-{rng.randrange(10)}"))


def edit(folder, path, rng):
  del folder
  pixels = np.array(Image.open(path))
  pixels[rng.randrange(8), rng.randrange(8)] ^= 1 << rng.randrange(8)
  save(path, pixels)


def delete(folder, path, rng):
  del folder, rng
  path.unlink()


def add(folder, path, rng):
  del folder
  pixels = images_of(9, 1, rng.randrange(100))[0]
  save(path.with_stem(f"new{rng.randrange(10)}"), pixels)


def move(folder, path, rng):
  other = (int(path.parent.name) + rng.choice((1, 2))) % _NUM_CLASSES
  path.rename(folder / str(other) / f"moved{path.name}")


def swap(folder, path, rng):
  other = (
    folder / str((int(path.parent.name) + 1) % 3) / f"{rng.randrange(9)}.png"
  )
  pixels = [np.array(Image.open(each)) for each in (path, other)]
  save(path, pixels[1])
  save(other, pixels[0])


_CHANGES = (rename, edit, delete, add, move, swap)


class SplitFolderTest(DataChangesTestCase):
  def test_moved_to_the_other_split(self):
    split = self.top / "split"
    shutil.copytree(self.folder, split / "train")
    for digit in range(_NUM_CLASSES):
      save(split / "test" / f"{digit}" / "t.png", images_of(digit, 1, 60)[0])
    before = self.record(f"folder:{split}")
    (split / "train" / "1" / "3.png").rename(split / "test" / "1" / "3.png")
    self.assertEqual(
      self.describe(before, f"folder:{split}"),
      "1 of 39 pictures renamed, the first is test/1/3.png (was train/1/3.png)",
    )


class CsvTest(DataChangesTestCase):
  def setUp(self):
    super().setUp()
    self.rows = [
      [f"{digit}/{number}.png", f"digit {digit}"]
      for number in range(_NUM_EACH)
      for digit in range(_NUM_CLASSES)
    ]
    self.name = f"csv:{self.folder / 'labels.csv'}"
    self.before = self.write()

  def write(self):
    with open(self.folder / "labels.csv", "w", newline="") as file:
      csv.writer(file).writerows([["path", "label"], *self.rows])
    return self.record(self.name)

  def test_rows_in_another_order(self):
    first, second = [
      self.rows.index(row)
      for row in self.rows
      if row[0] in self.before.splits["train"].ids[:2]
    ]
    self.rows[first], self.rows[second] = self.rows[second], self.rows[first]
    old, new = self.before.splits["train"].ids[:2]
    self.assertEqual(
      data_changes.describe(self.before, self.write()),
      "the train pictures are in another order, the first is "
      f"{new} (was {old})",
    )

  def test_a_row_with_another_label(self):
    self.rows[3][1] = "digit 2"
    self.assertEqual(
      data_changes.describe(self.before, self.write()),
      f"1 of 36 pictures relabelled, the first is {self.rows[3][0]}, of the "
      "class digit 2 (was digit 0)",
    )


class NpzTest(DataChangesTestCase):
  def setUp(self):
    super().setUp()
    self.arrays = {
      "images": np.concatenate([images_of(d, _NUM_EACH) for d in range(3)]),
      "labels": np.repeat(["a", "b", "c"], _NUM_EACH),
    }
    self.name = f"npz:{self.top / 'pics.npz'}"

  def write(self):
    np.savez(self.top / "pics.npz", **self.arrays)
    return self.record(self.name)

  @parameterized.parameters(False, True)
  def test_swapped_rows(self, has_split):
    if has_split:
      self.arrays["split"] = np.resize(["train", "train", "test"], _TOTAL)
    before = self.write()
    images = self.arrays["images"]
    images[[4, 20]] = images[[20, 4]]
    self.assertRegex(
      data_changes.describe(before, self.write()),
      "^2 of 36 pictures changed, the first is (test/)?4$",
    )

  def test_a_row_in_the_other_split(self):
    self.arrays["split"] = np.resize(["train", "train", "test"], _TOTAL)
    before = self.write()
    self.arrays["split"][3] = "test"
    self.assertEqual(
      data_changes.describe(before, self.write()),
      "1 of 36 pictures in another split, the first is test/3, of the test "
      "split (was train)",
    )

  def test_digests_do_not_depend_on_the_memory_layout(self):
    images = self.arrays["images"][..., None]
    np.testing.assert_array_equal(
      digests.of_images(images), digests.of_images(np.asfortranarray(images))
    )
    # SHA-256 of 64 zeros, by `head -c 64 /dev/zero | sha256sum`.
    self.assertEqual(
      digests.of_images(np.zeros((1, 8, 8, 1), np.uint8))[0],
      b"f5a5fd42d16a20302798ef6ed309979b",
    )


class RecordTest(DataChangesTestCase):
  def test_published_data_are_known_by_name_and_labels(self):
    images = images_of(1, 4)[..., None]
    dataset = datasets.ImageDataset(
      name="x",
      train_images=images,
      train_labels=np.array([0, 1, 0, 1]),
      test_images=images,
      test_labels=np.array([0, 0, 1, 1]),
      validation_images=images,
      validation_labels=np.array([1, 0, 0, 1]),
      class_names=("a", "b"),
      published="x/1.0.0",
    )
    before = data_record.of_dataset(dataset)
    self.assertIsNone(before.splits["train"].digests)

    def describe(**changes):
      changed = dataclasses.replace(dataset, **changes)
      return data_changes.describe(before, data_record.of_dataset(changed))

    self.assertIsNone(describe())
    self.assertEqual(
      describe(published="x/1.0.1"), "the dataset was x/1.0.0 and is x/1.0.1"
    )
    self.assertEqual(
      describe(train_labels=np.array([0, 1, 1, 1])),
      "1 of 12 pictures relabelled, the first is 2, of the class b (was a)",
    )
    self.assertEqual(
      describe(test_images=images[:3], test_labels=np.array([0, 0, 1])),
      "1 of 12 pictures removed, the first is test/3",
    )
    self.assertEqual(
      describe(
        class_names=("b", "a"),
        **{
          f"{split}_labels": 1 - getattr(dataset, f"{split}_labels")
          for split in ("train", "validation", "test")
        },
      ),
      "the classes are in another order (b, a)",
    )

  def test_names_come_back_as_they_were(self):
    odd = ("0/a b.png", "0/zeilen\numbruch.png", "1/größe—😀.png", "1/,'\".png")
    for name in odd:
      digit = int(name[0])
      save(self.folder / name, images_of(digit, 1, 70 + odd.index(name))[0])
    record = self.record()
    names = {*record.splits["train"].ids, *record.splits["test"].ids}
    self.assertLen(names, _TOTAL + len(odd))
    self.assertContainsSubset(odd, names)

  def test_a_damaged_record_is_named(self):
    file = self.top / "data.npz"
    self.assertIsNone(data_record.read(file))
    self.record()
    whole = file.read_bytes()
    for content in (b"", b"not a record", whole[: len(whole) // 2]):
      file.write_bytes(content)
      with self.assertRaisesRegex(
        errors.InvalidInputError, "data.npz, which says .* cannot be read"
      ):
        data_record.read(file)

  def test_the_fingerprint_is_of_pictures_and_labels_alone(self):
    def fingerprint(record, labels, order=slice(None)):
      index = np.arange(len(labels))[order]
      return data_record.fingerprint(record, "train", index, labels[order])

    record = self.record()
    labels = record.splits["train"].labels
    expected = fingerprint(record, labels)
    self.assertLen(expected, 64)
    self.assertEqual(
      fingerprint(record, labels, slice(None, None, -1)), expected
    )
    renamed = dataclasses.replace(
      record,
      class_names=("2", "1", "0"),
      splits={
        "train": dataclasses.replace(
          record.splits["train"], ids=tuple(map(str, range(len(labels))))
        )
      },
    )
    self.assertEqual(fingerprint(renamed, 2 - labels), expected)
    self.assertNotEqual(fingerprint(renamed, labels), expected)
    self.assertNotEqual(fingerprint(record, labels[:-1]), expected)


if __name__ == "__main__":
  absltest.main()
