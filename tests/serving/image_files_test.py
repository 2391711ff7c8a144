import itertools
import os
import pathlib
import tempfile
from unittest import mock

from absl.testing import absltest, parameterized
import numpy as np

from nct_tf import errors
from nct_tf.pictures import decoding, pixels
from nct_tf.serving.clients import image_files, refusals
from tests.support import pictures

# What each picture ends with, if it is to be refused.
_REFUSED = b"refuse me"


class Client:
  """Says how wide pictures are; counts what it is asked."""

  def __init__(self):
    self.sizes = []
    self.contents = []

  def predict(self, image_bytes):
    self.sizes.append(len(image_bytes))
    self.contents += image_bytes
    for contents in image_bytes:
      if contents.endswith(_REFUSED):
        raise refusals.RefusedError("that is no image")
    return {
      "class_id": [
        decoding.decode_bytes(contents).shape[1] for contents in image_bytes
      ],
      "class_name": [b"name"] * len(image_bytes),
      "score": [0.5] * len(image_bytes),
      "disagreement": [0.1] * len(image_bytes),
      "probabilities": [[0.5, 0.5]] * len(image_bytes),
    }


def png(width=1):
  return pixels.to_png(np.zeros((1, width, 1), np.uint8))


class ClassifyTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(
      self.enter_context(tempfile.TemporaryDirectory())
    )

  def write(self, name, contents=None):
    path = self.folder / name
    path.write_bytes(png() if contents is None else contents)
    return str(path)

  def test_an_answer_for_each_in_order(self):
    client = Client()
    paths = [self.write(str(n), png(n + 1)) for n in range(70)]
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
        2: "cannot identify image file",
        5: "No such file or directory",
        6: "Is a directory",
      },
    )
    self.assertEqual([row["path"] for row in rows], paths)

  def test_plain_files_are_sent_as_they_are_and_others_by_their_pixels(self):
    for kinds, is_sent in (
      (pictures.plain_kinds(), True),
      (pictures.other_kinds(), False),
    ):
      for name, contents in kinds.items():
        client = Client()
        list(image_files.classify(client, [self.write(name, contents)]))
        (sent,) = client.contents
        self.assertEqual(sent == contents, is_sent, name)
        np.testing.assert_array_equal(
          decoding.decode_bytes(sent), decoding.decode_bytes(contents), name
        )

  def test_a_refused_one_is_found_by_halves_and_sent_by_its_pixels(self):
    client = Client()
    paths = [self.write(str(n)) for n in range(64)]
    self.write("40", png(5) + _REFUSED)
    rows = list(image_files.classify(client, paths))
    self.assertEqual(
      [row["class_id"] for row in rows], [1] * 40 + [5] + [1] * 23
    )
    self.assertLen(client.sizes, 1 + 2 * 6 + 1)

  def test_the_reason_is_that_of_training(self):
    path = self.write("cut.png", pictures.png(20, 20)[:-60] + _REFUSED)
    with self.assertRaises(decoding.UnreadableError) as raised:
      decoding.decode(path)
    (row,) = image_files.classify(Client(), [path])
    self.assertEqual(row, {"path": path, "error": str(raised.exception)})

  def test_a_model_that_refuses_everything(self):
    client = Client()
    client.predict = mock.Mock(side_effect=refusals.RefusedError("too hot"))
    (row,) = image_files.classify(client, [self.write("one")])
    self.assertEqual(row["error"], "too hot")

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

  def test_nothing_but_unreadable_ones_asks_nobody(self):
    client = Client()
    rows = list(image_files.classify(client, ["/no/such/file"]))
    self.assertIn("error", rows[0])
    self.assertEmpty(client.sizes)

  def test_large_files_make_small_batches(self):
    client = Client()
    path = self.write("large", png() + bytes(2**23))
    list(image_files.classify(client, [path] * 5))
    self.assertEqual(client.sizes, [2, 2, 1])

  def test_a_file_that_is_no_picture_by_its_size(self):
    path = self.write("sparse")
    os.truncate(path, 2**30)
    (row,) = image_files.classify(Client(), [path])
    self.assertEqual(row["error"], "has more than 268435456 bytes")

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
