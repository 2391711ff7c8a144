import errno
import itertools
import os
import pathlib
import tempfile
from unittest import mock

from absl.testing import absltest, parameterized

from nct_tf import errors
from nct_tf.serving.clients import image_files, refusals


def refuse(function, name):
  """Returns a function that may not read folders of a name."""

  def refusing(path):
    if os.path.basename(path) == name:
      raise PermissionError(errno.EACCES, "Permission denied", path)
    return function(path)

  return refusing


class Client:
  """Takes images that begin with an i; counts what it is asked."""

  def __init__(self):
    self.sizes = []

  def predict(self, image_bytes):
    self.sizes.append(len(image_bytes))
    for contents in image_bytes:
      if not contents.startswith(b"i"):
        raise refusals.RefusedError(f"{contents[:3]} is no image")
    return {
      "class_id": [len(contents) for contents in image_bytes],
      "class_name": [b"name"] * len(image_bytes),
      "score": [0.5] * len(image_bytes),
      "disagreement": [0.1] * len(image_bytes),
      "probabilities": [[0.5, 0.5]] * len(image_bytes),
    }


class ImageFilesTestCase(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(
      self.enter_context(tempfile.TemporaryDirectory())
    )

  def write(self, name, contents=b"i"):
    path = self.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(contents)
    return str(path)


class FindTest(ImageFilesTestCase):
  def find(self, *patterns):
    paths = image_files.find([str(self.folder / name) for name in patterns])
    return [str(pathlib.Path(path).relative_to(self.folder)) for path in paths]

  def setUp(self):
    super().setUp()
    for name in ("b.png", "a.JPG", "sub/c.jpeg", "sub/deep/d.png", "notes.txt"):
      self.write(name)

  @parameterized.parameters(
    ([""], ["a.JPG", "b.png", "sub/c.jpeg", "sub/deep/d.png"]),
    (["sub"], ["sub/c.jpeg", "sub/deep/d.png"]),
    (["notes.txt", "b.png"], ["notes.txt", "b.png"]),
    (["*.png"], ["b.png"]),
    (["**/*.png"], ["b.png", "sub/deep/d.png"]),
    (["[ab].*"], ["a.JPG", "b.png"]),
    (["*"], ["a.JPG", "b.png", "notes.txt"]),
  )
  def test_files_folders_and_patterns(self, patterns, expected):
    self.assertEqual(self.find(*patterns), expected)

  @parameterized.parameters("nothing.png", "*.gif", "empty", "su?")
  def test_what_leads_nowhere_is_said_before_anything_is_read(self, pattern):
    (self.folder / "empty").mkdir()
    with self.assertRaisesRegex(errors.InvalidInputError, "is no file, no fol"):
      image_files.find([str(self.folder), str(self.folder / pattern)])


class ClassifyTest(ImageFilesTestCase):
  def test_an_answer_for_each_in_order(self):
    client = Client()
    paths = [self.write(str(n), b"i" * (n + 1)) for n in range(70)]
    rows = list(image_files.classify(client, paths))
    self.assertEqual([row["path"] for row in rows], paths)
    self.assertEqual([row["class_id"] for row in rows], list(range(1, 71)))
    self.assertEqual(
      rows[0],
      {
        "path": paths[0],
        "class_id": 1,
        "class_name": "name",
        "score": 0.5,
        "disagreement": 0.1,
      },
    )
    self.assertEqual(client.sizes, [64, 6])

  def test_bad_ones_are_told_apart(self):
    paths = [self.write(str(n)) for n in range(8)]
    paths[2] = self.write("bad", b"text")
    paths[5] = str(self.folder / "missing")
    paths[6] = str(self.folder)
    rows = list(image_files.classify(Client(), paths))
    messages = {
      index: row["error"] for index, row in enumerate(rows) if "error" in row
    }
    self.assertEqual(
      messages,
      {
        2: "b'tex' is no image",
        5: "cannot be read: No such file or directory",
        6: "cannot be read: Is a directory",
      },
    )
    self.assertEqual([row["path"] for row in rows], paths)

  def test_a_bad_one_is_found_by_halves(self):
    client = Client()
    paths = [self.write(str(n)) for n in range(64)]
    self.write("40", b"text")
    rows = list(image_files.classify(client, paths))
    self.assertEqual([n for n, row in enumerate(rows) if "error" in row], [40])
    self.assertEqual(len(client.sizes), 1 + 2 * 6)

  @parameterized.parameters(
    {"class_id": [1], "class_name": ["a"]},
    {"class_id": [1], "class_name": ["a"], "score": 0.5},
    {"class_id": [1], "class_name": ["a"], "score": [0.5, 0.5]},
  )
  def test_a_model_of_somebody_else(self, **answer):
    client = Client()
    client.predict = lambda _: answer
    with self.assertRaisesRegex(errors.ServerError, "with a score for each"):
      list(image_files.classify(client, [self.write("one")]))

  def test_a_folder_that_cannot_be_searched(self):
    self.write("a/one.png")
    with mock.patch("os.scandir", side_effect=refuse(os.scandir, "b")):
      self.write("b/two.png")
      (first, second) = image_files.find([str(self.folder)])
    self.assertTrue(first.endswith("a/one.png"))
    self.assertEqual(second, str(self.folder / "b"))

  def test_nothing_but_unreadable_ones_asks_nobody(self):
    client = Client()
    rows = list(image_files.classify(client, ["/no/such/file"]))
    self.assertIn("error", rows[0])
    self.assertEmpty(client.sizes)

  def test_large_files_make_small_batches(self):
    client = Client()
    path = self.write("large", b"i" * 2**23)
    list(image_files.classify(client, [path] * 5))
    self.assertEqual(client.sizes, [2, 2, 1])

  def test_a_file_that_is_no_picture_by_its_size(self):
    path = self.write("sparse")
    os.truncate(path, 2**30)
    (row,) = image_files.classify(Client(), [path])
    self.assertRegex(row["error"], "is larger than 268435456 bytes")

  def test_a_million_files_are_read_as_they_are_answered(self):
    num_read = 0
    path = self.write("one")

    def paths():
      nonlocal num_read
      for _ in range(1_000_000):
        num_read += 1
        yield path

    rows = image_files.classify(Client(), paths())
    self.assertLen(list(itertools.islice(rows, 100)), 100)
    self.assertLessEqual(num_read, 128)


if __name__ == "__main__":
  absltest.main()
