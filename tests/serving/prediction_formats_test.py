import csv
import io
import json

from absl.testing import absltest, parameterized

from nct_tf import errors
from nct_tf.serving.clients import prediction_formats

_GOOD = {
  "path": 'a "b", c.png',
  "class_id": 3,
  "class_name": "cat, black",
  "score": 0.875,
  "disagreement": 0.25,
}
_ALONE = {**_GOOD, "disagreement": None}
_BAD = {"path": "bad.png", "error": "is no picture"}


class PredictionFormatsTest(parameterized.TestCase):
  def write(self, form, *rows):
    file = io.StringIO()
    prediction_formats.write(rows, form, file)
    return file.getvalue()

  def test_csv(self):
    rows = list(csv.DictReader(io.StringIO(self.write("csv", _GOOD, _ALONE))))
    self.assertEqual(
      rows[0],
      {**{key: str(value) for key, value in _GOOD.items()}, "error": ""},
    )
    self.assertEqual(rows[1]["disagreement"], "")

  def test_jsonl(self):
    lines = self.write("jsonl", _GOOD, _ALONE).splitlines()
    self.assertEqual([json.loads(line) for line in lines], [_GOOD, _ALONE])

  def test_table(self):
    self.assertEqual(
      self.write("table", _GOOD, _ALONE).splitlines()[2:],
      [
        '  87.5%        0.2500  cat, black        a "b", c.png',
        '  87.5%             -  cat, black        a "b", c.png',
      ],
    )

  @parameterized.parameters(*prediction_formats.FORMATS)
  def test_errors_stand_in_line_and_are_counted_at_the_end(self, form):
    file = io.StringIO()
    with self.assertRaisesRegex(errors.InvalidInputError, "1 of 3 images"):
      prediction_formats.write([_GOOD, _BAD, _GOOD], form, file)
    lines = file.getvalue().splitlines()
    self.assertIn("is no picture", lines[-2])
    self.assertIn("cat, black", lines[-1])

  @parameterized.parameters(*prediction_formats.FORMATS)
  def test_rows_are_written_as_they_come(self, form):
    file = io.StringIO()

    def rows():
      yield _GOOD
      self.assertIn("cat", file.getvalue())
      yield _GOOD

    prediction_formats.write(rows(), form, file)


if __name__ == "__main__":
  absltest.main()
