"""The examples as a reader runs them.

`make test-long` runs them to their end.
"""

import contextlib
import io
import re
import sys
from unittest import mock

from absl.testing import absltest

from examples import text
from tests.support import long_tests, processes


def read_table(output):
  """Returns dict from method to accuracy and precision, both in percent."""
  lines = re.findall(
    r"^(standard|nct) +([\d.]+) % +\d+, ([\d.]+) %$", output, re.M
  )
  return {
    method: (float(accuracy), float(precision))
    for method, accuracy, precision in lines
  }


class ExamplesTest(absltest.TestCase):
  def run_example(self, name):
    process = processes.run_python("-m", f"examples.{name}")
    self.assertEqual(process.returncode, 0, process.stderr)
    self.assertEqual(process.stderr, "")
    figures = read_table(process.stdout)
    self.assertCountEqual(figures, ["standard", "nct"], process.stdout)
    suspects = process.stdout.split("---\n")[-1].splitlines()
    self.assertLen(suspects, 10, process.stdout)
    return figures, suspects

  @long_tests.only
  def test_tabular(self):
    figures, suspects = self.run_example("tabular")
    # Of labels that are chosen blindly, 30 % are wrong.
    self.assertGreater(figures["nct"][1], 70)
    self.assertGreater(figures["nct"][0], figures["standard"][0])
    self.assertRegex(suspects[0], r"^tumour \d+, mean radius [\d.]+ ")

  @long_tests.only
  def test_text(self):
    figures, suspects = self.run_example("text")
    self.assertGreater(figures["nct"][1], 70)
    self.assertGreater(figures["nct"][0], figures["standard"][0] + 3)
    self.assertRegex(suspects[0], r"^\w+ +[A-Z][a-z]+ +[A-Z][a-z]+ +[A-Z]")

  def test_text_says_what_to_install(self):
    stdout = io.StringIO()
    with (
      mock.patch.dict(sys.modules, spellchecker=None),  # Is not installed.
      contextlib.redirect_stdout(stdout),
      self.assertRaisesRegex(SystemExit, "pip install pyspellchecker$"),
    ):
      text.main()
    self.assertEqual(stdout.getvalue(), "")


if __name__ == "__main__":
  absltest.main()
