import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from absl.testing import absltest

from tests.support import long_tests

_SCRIPT = (
  pathlib.Path(__file__).absolute().parents[1] / "tools" / "environment.sh"
)


class EnvironmentTest(absltest.TestCase):
  """`tools/environment.sh`, on which `make train` and `make test` stand."""

  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(
      self.enter_context(tempfile.TemporaryDirectory())
    )
    self.venv = self.folder / "venv"

  def assert_fails(self, pattern, python="", **environment):
    process = subprocess.run(
      [shutil.which("sh"), str(_SCRIPT), str(self.venv), str(python)],
      env={**os.environ, **environment},
      capture_output=True,
      text=True,
      check=False,
    )
    self.assertEqual(process.returncode, 1)
    self.assertLen(process.stderr.splitlines(), 1, process.stderr)
    self.assertRegex(process.stderr, pattern)
    self.assertFalse((self.venv / "installed-requirements").exists())

  def interpreter(self, name, version):
    path = self.folder / name
    path.write_text(f"#!/bin/sh\necho {version}\n")
    path.chmod(0o755)
    return path

  def tools(self):
    """A folder for PATH with what a shell script needs, but no Python."""
    for name in ("cat", "cksum", "dirname", "grep", "rm", "tail"):
      (self.folder / name).symlink_to(shutil.which(name))
    return str(self.folder)

  def test_an_interpreter_that_does_not_run(self):
    self.assert_fails("PYTHON=/no/python does not run", "/no/python")

  def test_an_unsupported_interpreter(self):
    python = self.interpreter("old", "3.9")
    self.assert_fails("is Python 3.9; needed is 3.10, 3.11, 3.12", python)

  def test_no_interpreter(self):
    self.assert_fails("no python3 at all", PATH=self.tools())

  def test_none_that_is_supported(self):
    self.interpreter("python3", "3.9")
    self.assert_fails("python3 is 3.9", PATH=self.tools())

  def test_a_folder_of_somebody_else_is_left_alone(self):
    self.venv.mkdir()
    (self.venv / "mine").write_text("")
    self.assert_fails("is there and is not an environment", sys.executable)
    self.assertTrue((self.venv / "mine").exists())

  @long_tests.only
  def test_what_cannot_be_installed(self):
    self.assert_fails(
      r"installing failed: \S.*install.log",
      sys.executable,
      PIP_NO_INDEX="1",
      PIP_FIND_LINKS=str(self.folder),
      PIP_EXTRA_INDEX_URL="",
      PIP_CONFIG_FILE=os.devnull,
    )


if __name__ == "__main__":
  absltest.main()
