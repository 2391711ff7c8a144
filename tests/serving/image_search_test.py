import errno
import os
import pathlib
import tempfile
from unittest import mock

from absl.testing import absltest, parameterized

from nct_tf import errors
from nct_tf.serving.clients import image_search


def refuse(function, name):
  """Returns a function that may not read folders of a name."""

  def refusing(path):
    if os.path.basename(path) == name:
      raise PermissionError(errno.EACCES, "Permission denied", path)
    return function(path)

  return refusing


class FindTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(
      self.enter_context(tempfile.TemporaryDirectory())
    )
    self.write("b.png", "a.JPG", "sub/c.webp", "sub/deep/d.gif", "notes.txt")

  def write(self, *names):
    for name in names:
      path = self.folder / name
      path.parent.mkdir(parents=True, exist_ok=True)
      path.touch()

  def search(self, *patterns):
    """Returns what is found, and a line on the others."""
    found = image_search.find([str(self.folder / name) for name in patterns])
    paths = [
      pathlib.Path(path).relative_to(self.folder).as_posix() for path in found
    ]
    return paths, found.describe_others().replace(f"{self.folder}/", "")

  @parameterized.parameters(
    ([""], ["a.JPG", "b.png", "sub/c.webp", "sub/deep/d.gif"]),
    (["sub"], ["sub/c.webp", "sub/deep/d.gif"]),
    (["notes.txt", "b.png"], ["notes.txt", "b.png"]),
    (["*.png"], ["b.png"]),
    (["**/*.gif"], ["sub/deep/d.gif"]),
    (["[ab].*"], ["a.JPG", "b.png"]),
    (["*"], ["a.JPG", "b.png", "notes.txt"]),
  )
  def test_files_folders_and_patterns(self, patterns, expected):
    self.assertEqual(self.search(*patterns)[0], expected)

  @parameterized.parameters("nothing.png", "*.bmp", "empty", "su?", "b.png,x")
  def test_what_leads_nowhere_is_said_before_anything_is_read(self, pattern):
    self.write("empty/notes.txt")
    with self.assertRaisesRegex(errors.InvalidInputError, "is no file, no fol"):
      image_search.find([str(self.folder), str(self.folder / pattern)])

  def test_commas(self):
    self.write("one,two.png", "one")
    path = str(self.folder)
    found = image_search.find([f"{path}/one,two.png"])
    self.assertEqual(list(found), [f"{path}/one,two.png"])
    found = image_search.find([f"{path}/one,{path}/*.JPG"])
    self.assertEqual(list(found), [f"{path}/one", f"{path}/a.JPG"])

  def test_what_is_no_picture_is_counted_and_named(self):
    self.assertEqual(self.search("sub")[1], "")
    what = "No pictures (.bmp, .gif, .jpeg, .jpg, .png, .webp), passed over"
    self.assertEqual(self.search("")[1], f"{what} (1): notes.txt")
    self.write("._a.jpg", ".ipynb_checkpoints/a.png", "b.tif", "c", "d")
    self.write("sub/e\nf")
    paths, others = self.search("", "b.tif")
    self.assertEqual(
      paths, ["a.JPG", "b.png", "sub/c.webp", "sub/deep/d.gif", "b.tif"]
    )
    self.assertEqual(
      others,
      f"{what} (7): ._a.jpg, .ipynb_checkpoints, b.tif, c, d and 2 more",
    )
    self.assertEqual(self.search("sub")[1], f"{what} (1): sub/e\\nf")

  def test_folders_that_a_pattern_matches(self):
    self.assertIn("passed over (1): sub", self.search("*")[1])
    self.assertEqual(self.search("**")[1], "")

  def test_a_folder_that_cannot_be_listed_is_to_be_told_of(self):
    self.write("hidden/two.png", "sub/notes.txt")
    with mock.patch("os.scandir", side_effect=refuse(os.scandir, "hidden")):
      paths, others = self.search("")
    self.assertIn("hidden", paths)
    self.assertIn("(2): notes.txt, sub/notes.txt", others)

  def test_a_loop_is_passed_over(self):
    (self.folder / "sub/loop").symlink_to("..")
    self.assertIn("(2): notes.txt, sub/loop", self.search("")[1])


if __name__ == "__main__":
  absltest.main()
