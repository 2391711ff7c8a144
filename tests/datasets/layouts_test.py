"""What folders, columns and arrays are read as, and what is passed over."""

import pathlib
import tempfile

from absl.testing import absltest, parameterized
import numpy as np
from PIL import Image

from nct_tf import datasets, errors, preprocessing
from nct_tf.datasets.files import own_images, split_names
from nct_tf.pictures import decoding, pixels

_SUFFIXES = (".bmp", ".gif", ".JPEG", ".jpg", ".png", ".webp")


class LayoutTestCase(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.top = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    self.folder = self.top / "pics"
    self.cache = str(self.top / "cache")
    self.rng = np.random.default_rng(0)

  def save(self, path, pixels=None):
    path = self.folder / path
    path.parent.mkdir(parents=True, exist_ok=True)
    if pixels is None:
      pixels = self.rng.integers(0, 256, (4, 4), np.uint8)
    Image.fromarray(pixels).save(path)

  def fill(self, *folders, number=10):
    for folder in folders:
      for index in range(number):
        self.save(f"{folder}/{index:02d}.png")

  def load(self, name=None, **options):
    return datasets.load(
      name or f"folder:{self.folder}", cache_dir=self.cache, **options
    )

  def examine(self, accepted=()):
    return own_images.examine(
      f"folder:{self.folder}", 0.2, self.cache, accepted
    )

  def findings(self):
    """Returns dict from the text of each finding to its items."""
    return {each.text: each.items for each in self.examine().findings}

  def refuse(self, message, name=None):
    with self.assertRaisesRegex(errors.InvalidInputError, message):
      self.load(name)


class SplitFoldersTest(LayoutTestCase):
  @parameterized.parameters(
    ("Training", "Validation", "Testing"),
    ("train", "val", "test"),
    ("TRAIN", "dev", "Test"),
    ("train", "valid", "testing"),
  )
  def test_they_are_told_by_their_names(self, train, validation, test):
    self.fill(f"{train}/a", f"{train}/b", number=12)
    self.fill(f"{validation}/a", f"{validation}/b", number=5)
    self.fill(f"{test}/a", f"{test}/b", number=3)
    dataset = self.load()
    self.assertEqual(dataset.class_names, ("a", "b"))
    for split, folder, number in (
      ("train", train, 24),
      ("validation", validation, 10),
      ("test", test, 6),
    ):
      ids = dataset.split_ids(split)
      self.assertLen(ids, number)
      self.assertTrue(all(name.startswith(f"{folder}/") for name in ids))
      images = getattr(dataset, f"{split}_images")
      with Image.open(self.folder / ids[-1]) as image:
        np.testing.assert_array_equal(images[-1, ..., 0], np.asarray(image))
      np.testing.assert_array_equal(
        getattr(dataset, f"{split}_labels"), np.repeat([0, 1], number // 2)
      )

  def test_without_a_test_split_one_is_chosen(self):
    self.fill("train/a", "train/b", number=20)
    self.fill("val/a", "val/b", number=5)
    dataset = self.load(test_fraction=0.25)
    self.assertLen(dataset.train_labels, 30)
    self.assertLen(dataset.test_labels, 10)
    self.assertLen(dataset.validation_labels, 10)
    self.assertEqual(
      self.findings()["Folders read as splits"], ("val: validation",)
    )

  def test_a_class_may_be_called_train(self):
    self.fill("train", "bus", "car")
    dataset = self.load()
    self.assertEqual(dataset.class_names, ("bus", "car", "train"))
    self.assertLen((*dataset.ids, *dataset.split_ids("test")), 30)

  def test_a_class_called_train_with_folders_can_be_read_in_two_ways(self):
    self.fill("train/steam", "train/diesel", "bus", "car")
    self.refuse(
      r"two ways: its folders are splits \(train/ with diesel, steam\), and "
      "bus, car not used; or they are the classes bus, car, train.*"
      "--accept_findings=split_names"
    )
    dataset = self.load(accepted=("split_names",))
    self.assertEqual(dataset.class_names, ("bus", "car", "train"))
    self.assertLen((*dataset.ids, *dataset.split_ids("test")), 40)

  @parameterized.parameters(
    (("train", "test"), "without folders of classes"),
    (("train/a", "train/b", "test/c", "test/d"), "with c, d"),
    (("test/a", "test/b"), "test/ with a, b"),
  )
  def test_splits_need_the_same_classes(self, folders, message):
    self.fill(*folders)
    self.refuse(f"two ways.*{message}")

  def test_two_folders_of_one_split(self):
    self.fill("train/a", "Training/a")
    self.refuse("one folder for each split. Received: Training, train")

  def test_what_has_no_pictures_is_no_split(self):
    self.fill("train/a", "train/b")
    (self.folder / "notes").mkdir()
    (self.folder / "notes/readme.txt").touch()
    self.assertEqual(self.load().class_names, ("a", "b"))
    self.assertIn(("notes/readme.txt",), self.findings().values())

  def test_splits_inside_of_classes_are_named(self):
    self.fill("cat/train", "cat/test", "dog/train", "dog/test")
    (items,) = (
      items
      for text, items in self.findings().items()
      if text.startswith("Folders in a class")
    )
    self.assertEqual(items, ("cat/test", "cat/train", "dog/test", "dog/train"))
    self.assertEqual(self.load().class_names, ("cat", "dog"))


class NothingIsSilentTest(LayoutTestCase):
  def test_links_are_followed(self):
    self.fill("a", "b", number=5)
    outside = self.top / "outside"
    outside.mkdir()
    for index in range(4):
      Image.fromarray(self.rng.integers(0, 256, (4, 4), np.uint8)).save(
        outside / f"{index}.png"
      )
    (self.folder / "a/more").symlink_to(outside)
    (self.folder / "c").symlink_to(outside)
    (self.folder / "b/loop").symlink_to(self.folder)
    examined = self.examine()
    self.assertLen(examined.paths, 18)
    self.assertIn("a/more/2.png", examined.paths)
    self.assertIn("c/2.png", examined.paths)
    self.assertIn(("b/loop",), self.findings().values())

  @parameterized.parameters(range(12))
  def test_used_and_named_are_all_there_are(self, seed):
    """A folder of random layout, formats, modes and names."""
    rng = self.rng = np.random.default_rng(seed)
    tops = [("",), ("train", "test"), ("Training", "val", "Testing")][seed % 3]
    names = rng.permutation(["a", "b c", "ä", "7", "B-", "train"])[:3]
    there = set()

    def place(path, content):
      target = self.folder / path
      target.parent.mkdir(parents=True, exist_ok=True)
      content(target)
      there.add(path)

    def picture(target):
      mode = str(rng.choice(["L", "RGB", "P", "1", "RGBA"]))
      shape = (rng.integers(3, 9), rng.integers(3, 9), 3)
      image = Image.fromarray(rng.integers(0, 256, shape, np.uint8))
      no_alpha = target.suffix.lower() in (".jpeg", ".jpg", ".bmp")
      image = image.convert("RGB" if no_alpha else mode)
      image.save(target)

    for top in tops:
      for name in names:
        for number in range(int(rng.integers(4, 9))):
          deep = "deep/" if rng.random() < 0.2 else ""
          suffix = rng.choice(_SUFFIXES)
          path = f"{top}/{name}/{deep}{number}{suffix}".lstrip("/")
          place(path, picture)
      for path in (
        f"{top}/notes.txt",
        f"{top}/.DS_Store",
        f"{top}/{names[0]}/x.tiff",
        f"{top}/{names[1]}/._1.jpg",
        f"{top}/{names[1]}/Thumbs.db",
      ):
        if rng.random() < 0.6:
          place(path.lstrip("/"), lambda target: target.write_bytes(b"?"))
    if rng.random() < 0.5:
      path = f"{tops[0]}/{names[0]}/broken.png".lstrip("/")
      place(path, lambda target: target.write_bytes(b"\x89PNG"))
    if rng.random() < 0.5:
      path = f"{tops[0]}/{names[0]}/.cache".lstrip("/")
      (self.folder / path).mkdir()
      picture(self.folder / path / "1.png")
      there.add(path)
    examined = self.examine()
    used = set(examined.paths)
    named = set()
    for finding in examined.findings:
      if finding.text.endswith(("passed over", "left out")):
        named |= {item.split(": ")[0] for item in finding.items}
      elif finding.text.endswith(("out of training", "out of validation")):
        named |= set(finding.items)
    self.assertEqual(used | named, there)
    self.assertEmpty(used & named)
    self.assertEqual(set(examined.class_names), set(map(str, names)))
    if len(tops) > 1:
      for path, split in zip(examined.paths, examined.splits, strict=True):
        self.assertEqual(split, split_names.find(path.split("/")[0]))
    self.check_pixels(self.load(image_size=5))

  def check_pixels(self, dataset):
    """What is trained on, and what an audit shows, are what a file decodes to.

    That an export sees them, too, is tested with all kinds of files elsewhere.
    """
    for split in split_names.SPLITS:
      for number, name in enumerate(dataset.split_ids(split)):
        decoded = decoding.decode(self.folder / name)
        np.testing.assert_array_equal(dataset.picture(number, split), decoded)
        resized = preprocessing.resize(decoded, (5, 5)).numpy()
        np.testing.assert_array_equal(
          getattr(dataset, f"{split}_images")[number],
          pixels.to_channels(resized, dataset.image_shape[-1]),
        )


class LabelsTest(LayoutTestCase):
  def csv(self, *labels, header="path,label", between=","):
    for index in range(len(labels)):
      self.save(f"{index}.png")
    rows = [
      f"{index}.png{between}{label}" for index, label in enumerate(labels)
    ]
    file = self.folder / "list.csv"
    file.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return f"csv:{file}"

  @parameterized.parameters(
    (("1", "01", "2") * 4, "one number: '01' and '1'.*number_names"),
    (("3", "3.0", "2") * 4, "one number: '3' and '3.0'"),
    (("-1", "0", "1") * 4, "missing ones: '-1': 4 of 12.*missing_labels"),
    (("nan", "a", "b") * 4, "missing ones: 'nan': 4 of 12"),
    (("NA", "a", "b") * 4, "missing ones: 'NA'"),
    (("A", "a", "b") * 4, "case or spaces alone: 'A' and 'a'.*alike_names"),
  )
  def test_names_that_are_none(self, labels, message):
    name = self.csv(*labels)
    self.refuse(message, name)
    accepted = ("number_names", "missing_labels", "alike_names")
    self.assertLen(self.load(name, accepted=accepted).class_names, 3)

  def test_names_that_are_fine(self):
    labels = ("minus -1", "Nancy", "none", "1.5", "15") * 4
    self.assertLen(self.load(self.csv(*labels)).class_names, 5)

  def test_letters_may_be_insisted_on(self):
    self.fill("A", "a", "b")
    self.refuse("Make them one class, or insist with")
    dataset = self.load(accepted=("alike_names",))
    self.assertEqual(dataset.class_names, ("A", "a", "b"))

  @parameterized.parameters(
    ("path, label", ", "), ("path;label", ";"), ("path\tlabel", "\t")
  )
  def test_what_stands_between_columns(self, header, between):
    name = self.csv(*"ab" * 6, header=header, between=between)
    self.assertEqual(self.load(name).class_names, ("a", "b"))

  def test_a_class_of_one_is_kept(self):
    self.fill("a", "b")
    self.save("c/1.png")
    dataset = self.load()
    self.assertEqual(dataset.class_names, ("a", "b", "c"))
    self.assertIn("c/1.png", dataset.ids)
    texts = "\n".join(self.findings())
    self.assertIn("Classes without a test picture", texts)


class PixelsTest(LayoutTestCase):
  def test_pictures_that_show_nothing_are_named(self):
    self.fill("a", "b")
    self.save("a/plain.png", np.full((4, 4), 200, np.uint8))
    twelve_bits = self.rng.integers(0, 4096, (4, 4)).astype(np.uint16)
    Image.fromarray(twelve_bits).save(self.folder / "b/dark.png")
    findings = self.findings()
    self.assertEqual(findings["Images of one colour, kept"], ("a/plain.png",))
    (items,) = (
      items for text, items in findings.items() if "a sixteenth" in text
    )
    self.assertEqual(items, ("b/dark.png",))


class ArraysTest(LayoutTestCase):
  def save_npz(self, **arrays):
    path = self.top / "own.npz"
    np.savez(path, **arrays)
    return f"npz:{path}"

  def images(self, number, *shape):
    return self.rng.integers(0, 256, (number, *(shape or (4, 4))), np.uint8)

  @parameterized.parameters(
    ("x_{}", "y_{}", "val"), ("{}_images", "{}_labels", "val")
  )
  def test_arrays_of_each_split(self, images, labels, validation):
    arrays, expected = {}, {}
    for word, number in (("test", 4), ("train", 10), (validation, 6)):
      split = split_names.find(word)
      expected[split] = self.images(number)
      arrays[images.format(word)] = expected[split]
      arrays[labels.format(word)] = np.arange(number)[:, None] % 2
    name = self.save_npz(**arrays)
    dataset = self.load(name, image_size=None)
    for split, values in expected.items():
      np.testing.assert_array_equal(
        getattr(dataset, f"{split}_images")[..., 0], values
      )
      np.testing.assert_array_equal(
        getattr(dataset, f"{split}_labels"), np.arange(len(values)) % 2
      )
    self.assertEqual(dataset.split_ids("validation")[0], "validation/10")
    self.assertEqual(dataset.split_ids("test")[0], "test/16")

  def test_arrays_without_names(self):
    path = self.top / "own.npz"
    np.savez(path, self.images(20), np.arange(20) % 2)
    self.assertLen(self.load(f"npz:{path}").train_labels, 16)

  def test_what_is_not_used_is_named(self):
    name = self.save_npz(
      images=self.images(20), labels=np.arange(20) % 2, extra=np.arange(3)
    )
    findings = self.load(name).findings
    self.assertIn(
      ("Arrays that are not used", ("extra",)),
      [(finding.text, finding.items) for finding in findings],
    )

  @parameterized.named_parameters(
    (
      "channels_first",
      {"images": np.zeros((20, 3, 32, 32), np.uint8)},
      "3x32 pixels of 32 channels: are the channels first.*moveaxis.*=channels",
    ),
    ("shares", {"images": np.full((20, 4, 4), 0.5)}, r"rint\(255 \* images"),
    (
      "nan",
      {"labels": np.where(np.arange(20) % 4, 1.0, np.nan)},
      "5 of 20 are nan: missing labels",
    ),
    ("floats", {"labels": np.ones(20)}, r"labels.astype\(int\)"),
    ("one_hot", {"labels": np.eye(20, dtype=int)}, "np.argmax"),
    (
      "minus",
      {"labels": np.arange(20) % 4 - 1},
      "missing ones: '-1': 5 of 20.*missing_labels",
    ),
    ("names", {"images": None, "pictures": np.zeros(3)}, "Received: labels"),
  )
  def test_what_looks_wrong(self, changes, message):
    arrays = {"images": self.images(20), "labels": np.arange(20) % 2, **changes}
    arrays = {
      name: array for name, array in arrays.items() if array is not None
    }
    self.refuse(message, self.save_npz(**arrays))

  def test_many_channels_may_be_insisted_on(self):
    name = self.save_npz(
      images=self.images(20, 4, 4, 7), labels=np.arange(20) % 2
    )
    self.refuse("4x4 pixels of 7 channels", name)
    dataset = self.load(name, accepted=("channels",))
    self.assertEqual(dataset.image_shape, (4, 4, 7))


class SpellingTest(LayoutTestCase):
  def test_a_path_without_its_kind(self):
    self.fill("a", "b")
    self.refuse(f"write --dataset=folder:{self.folder}", str(self.folder))
    for suffix in ("csv", "npz"):
      file = self.top / f"list.{suffix}"
      file.touch()
      self.refuse(f"write --dataset={suffix}:{file}", str(file))
    self.refuse("a file: there are folder:", str(self.folder / "a/00.png"))


if __name__ == "__main__":
  absltest.main()
