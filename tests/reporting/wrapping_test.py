from absl.testing import absltest, parameterized

from nct_tf.reporting import wrapping


class WrapTest(parameterized.TestCase):
  @parameterized.parameters(
    ("short", 10, "short"),
    ("", 5, ""),
    ("one two three", 8, "one two\nthree"),
    ("runs/own_relabelled_twice", 12, "runs/own_\nrelabelled_\ntwice"),
    ("abcdefghij", 4, "abcd\nefgh\nij"),
    ("ab cdefghij k", 4, "ab\ncdef\nghij\nk"),
    ("a line\nand a longer line", 8, "a line\nand a\nlonger\nline"),
  )
  def test_breaks_at_joints(self, text, width, wrapped):
    self.assertEqual(wrapping.wrap(text, width), wrapped)

  @parameterized.parameters(1, 2, 3, 7, 20)
  def test_nothing_is_lost_and_no_line_is_too_long(self, width):
    text = "folder:/home/me/my_pictures-of/Very_long_class_name,x"
    lines = wrapping.wrap(text, width).split("\n")
    self.assertLessEqual(max(map(len, lines)), width)
    self.assertEqual("".join(lines), text)


if __name__ == "__main__":
  absltest.main()
