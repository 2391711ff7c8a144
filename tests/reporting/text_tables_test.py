from absl.testing import absltest

from nct_tf.reporting import text_tables


class TablesTest(absltest.TestCase):
  def test_columns_line_up(self):
    text = text_tables.format_table([("a", "1.50"), ("bbb", 22)], ("x", "long"))
    self.assertEqual(
      text.splitlines(),
      [
        "x    long",
        "---  ----",
        "a    1.50",
        "bbb    22",
      ],
    )

  def test_markdown(self):
    text = text_tables.format_markdown(
      [("a", "b", "1.50"), ("c", "", 22)], ("", "x", "long"), alignments="ll"
    )
    self.assertEqual(
      text.splitlines(),
      [
        "|   | x | long |",
        "|:--|:--|-----:|",
        "| a | b | 1.50 |",
        "| c |   |   22 |",
      ],
    )

  def test_percent(self):
    self.assertEqual(text_tables.percent(0.1234), "12.3 %")
    self.assertEqual(text_tables.percent(None), "-")


if __name__ == "__main__":
  absltest.main()
