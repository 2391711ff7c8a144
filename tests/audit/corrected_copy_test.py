"""Corrected copies of folders, CSV files and archives, as people have them."""

import csv
import os
import pathlib
import resource
import signal
import tempfile

from absl.testing import absltest, parameterized
import numpy as np
from PIL import Image

from nct_tf import datasets, errors
from nct_tf.audit import corrected_copy


class CopyTestCase(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.top = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    self.folder = self.top / "pictures"
    self.output = self.top / "corrected"

  def save(self, path, content=None):
    """Writes a file that tells where it was at first."""
    path = self.folder / path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content or str(path.relative_to(self.folder)))
    return path

  def decide(self, *rows, name="decisions.csv"):
    path = self.top / name
    with open(path, "w", encoding="utf-8", newline="") as file:
      csv.writer(file).writerows([("id", "decision", "label"), *rows])
    return str(path)

  def copy(self, dataset, *rows, **options):
    return corrected_copy.write(
      dataset, [self.decide(*rows)], str(self.output), **options
    )

  def assert_refused(self, message, dataset, *rows, output=None, **options):
    before = contents(self.top)
    with self.assertRaisesRegex(errors.InvalidInputError, message):
      corrected_copy.write(
        dataset,
        [self.decide(*rows)],
        str(output or self.output),
        **options,
      )
    after = contents(self.top)
    after.pop("decisions.csv")
    before.pop("decisions.csv", None)
    self.assertEqual(after, before)


def contents(folder):
  """Returns dict from the path of each file below a folder to its content."""
  return {
    path.relative_to(folder).as_posix(): path.read_bytes()
    for path in folder.rglob("*")
    if path.is_file()
  }


def texts(copy):
  return {note.text: note.items for note in copy.notes}


class FolderTest(CopyTestCase):
  def copy(self, *rows, **options):
    return super().copy(f"folder:{self.folder}", *rows, **options)

  def copied(self):
    return {
      path: content.decode() for path, content in contents(self.output).items()
    }

  def test_pictures_move_and_go(self):
    for split in ("train", "test"):
      for label in "378":
        for name in ("a.png", "deep/b.png"):
          self.save(f"{split}/{label}/{name}")
    original = contents(self.folder)
    copy = self.copy(
      ("train/7/a.png", "keep", ""),
      ("train/7/deep/b.png", "drop", ""),
      ("train/3/deep/b.png", "relabel", "8"),
      ("test/3/a.png", "relabel", "7"),
      ("train/8/a.png", "relabel", "8"),
    )
    self.assertEqual(contents(self.folder), original)
    expected = {path: path for path in original}
    for path, target in {
      "train/7/deep/b.png": None,
      "train/3/deep/b.png": "train/8/deep/3__b.png",
      "test/3/a.png": "test/7/3__a.png",
    }.items():
      expected.pop(path)
      if target:
        expected[target] = path
    self.assertEqual(self.copied(), expected)
    self.assertEqual(
      copy.counts,
      {"relabelled": 2, "dropped": 1, "kept by decision": 2, "undecided": 7},
    )
    self.assertEqual(
      texts(copy),
      {
        "Relabelled pictures whose name was taken, renamed": (
          "test/7/3__a.png",
          "train/8/deep/3__b.png",
        )
      },
    )
    self.assertEqual(os.listdir(self.top).count("corrected"), 1)

  def test_a_name_is_free_if_its_picture_goes(self):
    for path in ("1/a.png", "1/b.png", "2/a.png", "2/b.png", "2/1__b.png"):
      self.save(path)
    copy = self.copy(
      ("1/a.png", "relabel", "2"),
      ("2/a.png", "relabel", "1"),
      ("1/b.png", "relabel", "2"),
    )
    self.assertEqual(
      self.copied(),
      {
        "2/a.png": "1/a.png",
        "1/a.png": "2/a.png",
        "2/b.png": "2/b.png",
        "2/1__b.png": "2/1__b.png",
        "2/1__2__b.png": "1/b.png",
      },
    )
    self.assertIn("no test split", next(iter(texts(copy))))

  def test_an_emptied_class_is_named(self):
    for path in ("train/1/a.png", "train/2/a.png", "test/1/a.png"):
      self.save(path)
    copy = self.copy(("train/1/a.png", "drop", ""))
    self.assertEqual(
      texts(copy), {"Classes without an example now": ("train/1",)}
    )
    self.assertTrue((self.output / "train/1").is_dir())

  def test_what_is_no_picture_is_copied_and_counted(self):
    for path in ("1/a.png", "2/a.png", "README.txt", "1/.hidden", "1/x.txt"):
      self.save(path)
    (self.folder / "1/lost.png").symlink_to("nowhere")
    os.mkfifo(self.folder / "2/pipe")
    (self.folder / "2/loop").symlink_to(self.folder)
    copy = self.copy(("1/lost.png", "relabel", "2"), ("2/a.png", "drop", ""))
    self.assertEqual(
      set(self.copied()), {"1/a.png", "README.txt", "1/.hidden", "1/x.txt"}
    )
    notes = texts(copy)
    self.assertEqual(
      notes["Other files than pictures of a class, copied as they are"],
      ("1/.hidden", "1/x.txt", "README.txt"),
    )
    self.assertCountEqual(
      notes["Not copied, as they are no files that can be read"],
      ("1/lost.png", "2/loop", "2/pipe"),
    )

  def test_links_in_place_of_copies(self):
    for path in ("1/a.png", "2/b.png"):
      self.save(path)
    self.copy(("1/a.png", "relabel", "2"), links=True)
    self.assertEqual(
      self.copied(), {"2/a.png": "1/a.png", "2/b.png": "2/b.png"}
    )
    # A copy of that copy does not depend on it.
    again = self.top / "again"
    corrected_copy.write(
      f"folder:{self.output}",
      [self.decide(("2/b.png", "relabel", "1"))],
      str(again),
      links=True,
    )
    self.assertEqual(
      os.readlink(again / "1/b.png"),
      os.path.realpath(self.folder / "2/b.png"),
    )

  def test_classes_that_are_links(self):
    (self.folder / "2").mkdir(parents=True)
    self.save("1/a.png")
    self.save("2/b.png")
    linked = self.top / "linked"
    linked.mkdir()
    for label in "12":
      (linked / label).symlink_to(self.folder / label)
    corrected_copy.write(
      f"folder:{linked}",
      [self.decide(("1/a.png", "relabel", "2"))],
      str(self.output),
    )
    self.assertEqual(set(self.copied()), {"2/a.png", "2/b.png"})
    self.assert_refused(
      "outside of the dataset", f"folder:{linked}", output=self.folder / "1/x"
    )

  def test_later_decisions_are_about_the_labels_of_earlier_ones(self):
    for path in ("1/a.png", "1/b.png", "2/c.png", "3/d.png"):
      self.save(path)
    first = self.decide(
      ("1/a.png", "relabel", "2"), ("1/b.png", "relabel", "2"), name="1.csv"
    )
    second = self.decide(("1/a.png", "keep", ""), ("1/b.png", "relabel", "3"))
    copy = corrected_copy.write(
      f"folder:{self.folder}", [first, second], str(self.output)
    )
    self.assertEqual(
      set(self.copied()), {"2/a.png", "3/b.png", "2/c.png", "3/d.png"}
    )
    self.assertEqual(copy.counts["relabelled"], 2)

  def test_refusals(self):
    for path in ("1/a.png", "2/b.png"):
      self.save(path)
    dataset = f"folder:{self.folder}"
    for output, message in (
      (self.folder, "a new place.*Received: "),
      (self.top, "a new place.*Received: "),
      (self.folder / "new", "outside of the dataset"),
      (self.folder / "1" / ".." / "new", "outside of the dataset"),
      (self.top / "no" / "new", "no folder .*/no"),
    ):
      self.assert_refused(message, dataset, output=output)
    for row, message in (
      (("1/b.png", "drop", ""), "row 2: folder:.* has no example '1/b.png'"),
      (("1/a.png", "relabel", "3"), "row 2: folder:.* has no class '3'"),
      (("1/a.png", "delete", ""), "row 2: `decision` must be one of"),
    ):
      self.assert_refused(message, dataset, row)
    self.assert_refused("one's own.*Received: dataset=digits", "digits")

  def test_a_full_disk_leaves_nothing(self):
    self.save("1/a.png")
    self.save("2/b.png", "x" * 20_000)
    names = set(os.listdir(self.top))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))
    try:
      with self.assertRaisesRegex(
        errors.StorageError, "corrected cannot be written: File too large"
      ):
        self.copy(("1/a.png", "drop", ""))
    finally:
      resource.setrlimit(resource.RLIMIT_FSIZE, before)
      signal.signal(signal.SIGXFSZ, handler)
    self.assertEqual(set(os.listdir(self.top)), names | {"decisions.csv"})

  def test_an_interruption_leaves_nothing(self):
    for number in range(2000):
      self.save(f"{number % 2}/{number}.png")
    names = set(os.listdir(self.top))

    def interrupt(*_):
      if set(os.listdir(self.top)) > names | {"decisions.csv"}:
        signal.setitimer(signal.ITIMER_REAL, 0)
        raise KeyboardInterrupt  # The copy has begun.

    handler = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
    try:
      with self.assertRaises(KeyboardInterrupt):
        self.copy()
    finally:
      signal.setitimer(signal.ITIMER_REAL, 0)
      signal.signal(signal.SIGALRM, handler)
    self.assertEqual(set(os.listdir(self.top)), names | {"decisions.csv"})


class CsvTest(CopyTestCase):
  def write(self, text, name="labels.csv"):
    self.folder.mkdir(exist_ok=True)
    (self.folder / name).write_bytes(text.encode())
    return f"csv:{self.folder / name}"

  def test_rows_change_and_paths_still_lead_there(self):
    dataset = self.write(
      "\ufeffnote,path,label,split,clean_label\r\n"
      '"a, ""b""",x/1.png,cat,train,cat\r\n'
      ",2.png,cat,train,dog\r\n\r\n"
      "line\ntwo,/far/3.png,dog,test,dog\r\n"
      ",4.png,dog,train,dog\r\n".replace("line\ntwo", '"line\ntwo"')
    )
    self.output = self.top / "elsewhere" / "new.csv"
    self.output.parent.mkdir()
    copy = self.copy(
      dataset,
      ("x/1.png", "keep", ""),
      ("2.png", "relabel", "dog"),
      ("/far/3.png", "relabel", "cat"),
      ("4.png", "drop", ""),
    )
    content = self.output.read_bytes().decode()
    self.assertEqual(content[0], "\ufeff")
    self.assertEqual(
      list(csv.reader(content[1:].splitlines(keepends=True))),
      [
        ["note", "path", "label", "split", "clean_label"],
        ['a, "b"', "../pictures/x/1.png", "cat", "train", "cat"],
        ["", "../pictures/2.png", "dog", "train", "dog"],
        ["line\ntwo", "/far/3.png", "cat", "test", "dog"],
      ],
    )
    notes = texts(copy)
    self.assertIn("The column clean_label is kept as it is", notes)
    self.assertEqual(notes["Classes without an example now"], ("test/dog",))

  def test_beside_the_original(self):
    dataset = self.write("path,label\n1.png,a\n2.png,b\n")
    self.output = self.folder / "new.csv"
    self.copy(dataset, ("1.png", "relabel", "b"))
    self.assertEqual(self.output.read_text(), "path,label\n1.png,b\n2.png,b\n")

  def test_refusals(self):
    dataset = self.write("path,label\n1.png,a\n2.png,b\n")
    for output in (self.folder, self.folder / "labels.csv"):
      self.assert_refused("a new place", dataset, output=output)
    self.assert_refused("`links` is for folder", dataset, links=True)

  def test_the_copy_is_loaded(self):
    rng = np.random.default_rng(0)
    rows = ["path,label"]
    self.folder.mkdir()
    for number in range(20):
      pixels = rng.integers(0, 256, (4, 4, 3), np.uint8)
      Image.fromarray(pixels).save(self.folder / f"{number}.png")
      rows.append(f"{number}.png,{'ab'[number % 2]}")
    dataset = self.write("\n".join(rows))
    copy = self.copy(dataset, ("0.png", "relabel", "b"), ("1.png", "drop", ""))
    loaded = datasets.load(copy.dataset, cache_dir=str(self.top / "cache"))
    self.assertLen([*loaded.train_labels, *loaded.test_labels], 19)
    self.assertEqual(sum(loaded.train_labels) + sum(loaded.test_labels), 10)


class NpzTest(CopyTestCase):
  def setUp(self):
    super().setUp()
    self.output = self.top / "new.npz"

  def write(self, labels, **arrays):
    images = np.arange(len(labels) * 4, dtype=np.uint8).reshape(-1, 2, 2)
    self.file = self.top / "data.npz"
    np.savez_compressed(self.file, images=images, labels=labels, **arrays)
    return f"npz:{self.file}"

  @parameterized.named_parameters(
    ("numbers", np.array([3, 10, 3, 10], np.uint8), ("3", "10")),
    ("strings", np.array(["a", "long", "a", "long"]), ("a", "long")),
  )
  def test_labels_change_and_rows_go(self, labels, names):
    dataset = self.write(
      labels,
      split=np.array(["train", "test", "train", "test"]),
      clean_labels=labels,
      weights=np.arange(4.0),
      palette=np.arange(5),
      version=np.array(2),
    )
    copy = self.copy(
      dataset,
      ("0", "relabel", names[1]),
      ("test/1", "relabel", names[0]),
      ("2", "drop", ""),
    )
    before, after = np.load(self.file), np.load(self.output)
    self.assertEqual(after.files, before.files)
    self.assertLess(self.output.stat().st_size, 1.2 * self.file.stat().st_size)
    rest = [0, 1, 3]
    for name in ("images", "split", "clean_labels", "weights"):
      np.testing.assert_array_equal(after[name], before[name][rest])
    for name in ("palette", "version"):
      np.testing.assert_array_equal(after[name], before[name])
    self.assertEqual(after["labels"].dtype, labels.dtype)
    self.assertEqual(
      after["labels"].astype(str).tolist(), [names[1], names[0], names[1]]
    )
    notes = texts(copy)
    self.assertEqual(
      notes["Arrays of another length, copied as they are"],
      ("palette", "version"),
    )
    self.assertEqual(
      notes["Classes without an example now"], (f"train/{names[0]}",)
    )

  def test_an_archive_of_objects_is_refused(self):
    dataset = self.write(
      np.array([0, 1]), extra=np.array([{}, None], dtype=object)
    )
    self.assert_refused("numbers or strings alone.*Received: extra", dataset)

  def test_two_names_of_one_example(self):
    dataset = self.write(np.array([0, 1]))
    self.assert_refused(
      "by two of its names", dataset, ("0", "keep", ""), ("test/0", "drop", "")
    )


if __name__ == "__main__":
  absltest.main()
