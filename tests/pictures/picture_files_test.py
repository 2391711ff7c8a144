import itertools
import os
import pathlib
import tempfile

from absl.testing import absltest, parameterized

from nct_tf.pictures import picture_files


class WalkTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(
      self.enter_context(tempfile.TemporaryDirectory())
    )

  def write(self, *names):
    for name in names:
      path = self.folder / name
      path.parent.mkdir(parents=True, exist_ok=True)
      path.touch()

  def walk(self, name="."):
    return [
      (os.path.relpath(path, self.folder), is_picture)
      for path, is_picture in picture_files.walk(self.folder / name)
    ]

  def test_files_of_a_folder_then_of_the_folders_in_it(self):
    self.write("b/2.png", "b/1.png", "b/a/3.png", "a/4.png", "z.png", "c.png")
    expected = ["c.png", "z.png", "a/4.png", "b/1.png", "b/2.png", "b/a/3.png"]
    self.assertEqual(self.walk(), [(name, True) for name in expected])

  def test_pictures_are_told_by_their_names(self):
    self.write("a.bmp", "b.gif", "c.jpeg", "d.JPG", "e.Png", "f.webp")
    others = ["g.tiff", "h.txt", "i", "jpg", "k.png.bak"]
    self.write(*others)
    walked = self.walk()
    self.assertEqual(
      [name for name, is_picture in walked if not is_picture], others
    )
    self.assertLen(walked, 11)

  def test_hidden_names_are_no_pictures(self):
    self.write("._a.jpg", ".ipynb_checkpoints/a.jpg", "b/.c/d.jpg", "b/e.jpg")
    hidden = ("._a.jpg", ".ipynb_checkpoints", "b/.c")
    self.assertEqual(
      self.walk(), [*((name, False) for name in hidden), ("b/e.jpg", True)]
    )

  def test_a_hidden_folder_that_is_named_is_walked(self):
    self.write(".hidden/a.jpg")
    self.assertEqual(self.walk(".hidden"), [(".hidden/a.jpg", True)])

  def test_links_are_followed(self):
    self.write("elsewhere/a.png", "here/b.png")
    (self.folder / "here/link").symlink_to(self.folder / "elsewhere")
    (self.folder / "here/c.png").symlink_to("b.png")
    (self.folder / "here/d.png").symlink_to("nowhere.png")
    expected = ["here/b.png", "here/c.png", "here/d.png", "here/link/a.png"]
    self.assertEqual(self.walk("here"), [(name, True) for name in expected])

  def test_a_folder_that_two_links_lead_to_is_walked_twice(self):
    self.write("a/1.png")
    (self.folder / "b").symlink_to("a")
    self.assertEqual(self.walk(), [("a/1.png", True), ("b/1.png", True)])

  def test_links_in_a_loop_are_passed_over(self):
    self.write("a/1.png", "b/2.png")
    (self.folder / "a/self").symlink_to(".")
    (self.folder / "a/to_b").symlink_to("../b")
    (self.folder / "b/to_a").symlink_to("../a")
    (self.folder / "own").symlink_to("own")
    self.assertEqual(
      self.walk(),
      [
        ("own", False),
        ("a/1.png", True),
        ("a/self", False),
        ("a/to_b/2.png", True),
        ("a/to_b/to_a", False),
        ("b/2.png", True),
        ("b/to_a/1.png", True),
        ("b/to_a/self", False),
        ("b/to_a/to_b", False),
      ],
    )

  def test_what_cannot_be_listed_is_passed_over(self):
    self.assertEqual(self.walk("missing"), [("missing", False)])

  def test_a_pipe_is_no_picture(self):
    os.mkfifo(self.folder / "a.png")
    self.assertEqual(self.walk(), [("a.png", False)])

  def test_names_of_any_bytes(self):
    path = os.path.join(os.fsencode(self.folder), b"\xff.png")
    pathlib.Path(os.fsdecode(path)).touch()
    ((found, is_picture),) = picture_files.walk(self.folder)
    self.assertTrue(is_picture)
    self.assertEqual(os.fsencode(found), path)

  def test_files_come_before_later_folders_are_listed(self):
    self.write("a/1.png", "b/2.png")
    files = picture_files.walk(str(self.folder))
    self.assertLen(list(itertools.islice(files, 1)), 1)
    self.write("b/3.png")
    self.assertEqual(
      [os.path.basename(path) for path, _ in files], ["2.png", "3.png"]
    )


if __name__ == "__main__":
  absltest.main()
