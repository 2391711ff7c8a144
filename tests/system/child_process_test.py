import os

from absl.testing import absltest

from nct_tf import errors
from nct_tf.system import child_process


class RunEachTest(absltest.TestCase):
  def test_each_call_has_a_process_of_its_own(self):
    first, second = child_process.run_each(os.getpid, [(), ()])
    self.assertLen({first, second, os.getpid()}, 3)

  def test_an_error_is_that_of_the_call(self):
    with self.assertRaisesRegex(errors.InvalidInputError, "must be one of a"):
      child_process.run_each(errors.check_choice, [("x", "b", ("a",))])


if __name__ == "__main__":
  absltest.main()
