import pathlib
import tempfile

from absl.testing import absltest

from nct_tf import errors
from nct_tf.evaluation import information_compression
from nct_tf.workdir import layout
from tests.support import long_tests, tiny_run


def measure(width, num_epochs):
  return information_compression.measure(
    tiny_run.shared(width=width), num_examples=100, num_epochs=num_epochs
  )


class InformationCompressionTest(absltest.TestCase):
  def test_describes_what_was_measured(self):
    measured = measure(width=2, num_epochs=2)
    self.assertEqual(measured["method"], "nct")
    self.assertEqual(measured["noise_type"], "pair_flip")
    self.assertEqual(measured["num_examples"], 100)
    self.assertLen(measured["training_error"], 2)
    self.assertLen(measured["training_error_standardised"], 2)

  @long_tests.only
  def test_features_of_more_units_tell_more_images_apart(self):
    few, many = (
      measure(width, num_epochs=30)["training_error_standardised"]
      for width in (2, 64)
    )
    for errors_ in (few, many):
      self.assertLen(errors_, 30)
      self.assertBetween(errors_[0], 0.2, 0.6)
    # Two numbers an image leave it to chance; 64 do not.
    self.assertGreater(few[-1], 0.2)
    self.assertLess(many[-1], 0.1)

  @long_tests.only
  def test_is_the_same_when_measured_again(self):
    measured, again = (measure(2, num_epochs) for num_epochs in (30, 2))
    for name, value in measured.items():
      is_of_epochs = isinstance(value, list)
      self.assertEqual(again[name], value[:2] if is_of_epochs else value)

  def test_run_must_be_there(self):
    folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    with self.assertRaisesRegex(errors.InvalidInputError, "there is no run"):
      information_compression.measure(layout.Workdir(folder / "none"))


if __name__ == "__main__":
  absltest.main()
