import os
import shlex
import sys
import tempfile
from unittest import mock

from absl.testing import absltest

from nct_tf.system import command_line


class CommandLineTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.addCleanup(os.chdir, os.getcwd())
    self.folder = os.path.realpath(
      self.enter_context(tempfile.TemporaryDirectory())
    )
    os.chdir(self.folder)

  def test_python_is_relative_below_the_current_folder(self):
    path = os.path.join(self.folder, ".venv", "bin", "python")
    with mock.patch.object(sys, "executable", path):
      self.assertEqual(command_line.python(), ".venv/bin/python")

  def test_python_elsewhere_is_the_whole_path(self):
    self.assertEqual(command_line.python(), sys.executable)

  def test_a_shell_reads_what_was_meant(self):
    arguments = ["--workdir=my runs/$it's", "--images=*.png"]
    command = command_line.module("scripts.train", *arguments)
    self.assertEqual(
      shlex.split(command), [sys.executable, "-m", "scripts.train", *arguments]
    )


if __name__ == "__main__":
  absltest.main()
