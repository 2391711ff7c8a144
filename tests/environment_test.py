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

_TWO_GPUS = """\
GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-1c2f0b6e-0000-0000-0000-000000000000)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-2d3f0b6e-0000-0000-0000-000000000000)
"""


class EnvironmentTest(absltest.TestCase):
  """`tools/environment.sh`, on which `make train` and `make test` stand."""

  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(
      self.enter_context(tempfile.TemporaryDirectory())
    )
    self.venv = self.folder / "venv"

  def assert_fails(self, pattern, python="", gpu="", **environment):
    """Returns what the script said before it failed."""
    process = subprocess.run(
      [shutil.which("sh"), str(_SCRIPT), str(self.venv), str(python), gpu],
      env={**os.environ, **environment},
      capture_output=True,
      text=True,
      check=False,
    )
    self.assertEqual(process.returncode, 1)
    self.assertLen(process.stderr.splitlines(), 1, process.stderr)
    self.assertRegex(process.stderr, pattern)
    return process.stdout

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

  def say(self, lines):
    """Makes an nvidia-smi that prints lines; returns the PATH that has it."""
    path = self.folder / "nvidia-smi"
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{lines}\nEND\n")
    path.chmod(0o755)
    return f"{self.folder}:{os.environ['PATH']}"

  def decide(self, lines, gpu="", before=""):
    """Returns what is to be installed; nothing is, as the folder is not ours.

    Args:
      lines: str, what nvidia-smi prints.
      gpu: str, the third argument.
      before: str, what the environment was made with.
    """
    self.venv.mkdir(exist_ok=True)
    stamp = self.venv / "installed-requirements"
    stamp.write_text(f"3.11 1 2 GPU={before}\n" if before else "")
    return self.assert_fails(
      "is not an environment", sys.executable, gpu, PATH=self.say(lines)
    )

  def test_a_gpu_gets_cuda_libraries(self):
    said = self.decide(_TWO_GPUS)
    self.assertIn("with CUDA libraries (for NVIDIA H100 80GB HBM3;", said)
    for lines in ("", "No devices were found", "Failed to initialize NVML"):
      said = self.decide(lines)
      self.assertIn("no CUDA libraries (nvidia-smi shows no GPU)", said)

  def test_one_may_say_whether_there_are_cuda_libraries(self):
    self.assertIn("no CUDA libraries (as GPU=no", self.decide(_TWO_GPUS, "no"))
    self.assertIn("with CUDA libraries (as GPU=yes", self.decide("", "yes"))
    self.assert_fails("GPU=maybe must be auto, yes or no", gpu="maybe")

  def test_a_gpu_may_appear_but_what_was_told_stays(self):
    said = self.decide(_TWO_GPUS, before="none")
    self.assertIn("with CUDA libraries (for NVIDIA", said)
    said = self.decide(_TWO_GPUS, before="no")
    self.assertIn("no CUDA libraries (as before)", said)
    self.assertIn("with CUDA libraries (as bef", self.decide("", before="yes"))

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
