import pathlib
import tempfile

from absl.testing import absltest

from nct_tf import errors
from nct_tf.evaluation import information_compression
from nct_tf.workdir import layout
from tests.support import tiny_run


class InformationCompressionTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    folder = self.enter_context(tempfile.TemporaryDirectory())
    self.folder = pathlib.Path(folder)

  def test_features_of_more_units_tell_more_images_apart(self):
    final = {}
    for width in (2, 64):
      directory = tiny_run.train(self.folder / str(width), width=width)
      measured = information_compression.measure(
        directory, num_examples=200, num_epochs=40
      )
      self.assertEqual(measured["method"], "nct")
      self.assertEqual(measured["noise_type"], "pair_flip")
      self.assertEqual(measured["num_examples"], 200)
      self.assertLen(measured["training_error"], 40)
      standardised = measured["training_error_standardised"]
      self.assertLen(standardised, 40)
      self.assertBetween(standardised[0], 0.2, 0.6)
      final[width] = standardised[-1]
    # Two numbers an image leave it to chance; 64 do not.
    self.assertGreater(final[2], 0.2)
    self.assertLess(final[64], 0.1)

  def test_is_the_same_when_measured_again(self):
    directory = tiny_run.train(self.folder / "run")
    first, second = (
      information_compression.measure(directory, 50, 2) for _ in range(2)
    )
    self.assertEqual(first, second)

  def test_run_must_be_there(self):
    with self.assertRaisesRegex(errors.InvalidInputError, "there is no run"):
      information_compression.measure(layout.Workdir(self.folder / "none"))


if __name__ == "__main__":
  absltest.main()
