import pathlib
import tempfile

from absl.testing import absltest

from nct_tf import errors
from nct_tf.evaluation import information_compression
from nct_tf.workdir import layout
from tests.support import long_tests, tiny_run


@long_tests.only
class InformationCompressionTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.measured = {
      width: information_compression.measure(
        tiny_run.shared(width=width), num_examples=100, num_epochs=30
      )
      for width in (2, 64)
    }

  def test_features_of_more_units_tell_more_images_apart(self):
    for measured in self.measured.values():
      self.assertEqual(measured["method"], "nct")
      self.assertEqual(measured["noise_type"], "pair_flip")
      self.assertEqual(measured["num_examples"], 100)
      self.assertLen(measured["training_error"], 30)
      standardised = measured["training_error_standardised"]
      self.assertLen(standardised, 30)
      self.assertBetween(standardised[0], 0.2, 0.6)
    # Two numbers an image leave it to chance; 64 do not.
    few, many = (
      measured["training_error_standardised"][-1]
      for measured in self.measured.values()
    )
    self.assertGreater(few, 0.2)
    self.assertLess(many, 0.1)

  def test_is_the_same_when_measured_again(self):
    again = information_compression.measure(
      tiny_run.shared(width=2), num_examples=100, num_epochs=2
    )
    for name, value in self.measured[2].items():
      is_of_epochs = isinstance(value, list)
      self.assertEqual(again[name], value[:2] if is_of_epochs else value)

  def test_run_must_be_there(self):
    folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    with self.assertRaisesRegex(errors.InvalidInputError, "there is no run"):
      information_compression.measure(layout.Workdir(folder / "none"))


if __name__ == "__main__":
  absltest.main()
