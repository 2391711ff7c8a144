import os
import pathlib
import tempfile
from unittest import mock

from absl.testing import absltest, parameterized
import tensorflow as tf

from nct_tf.system import xla_cache
from tests.support import interrupted_runs, long_tests

CAN_KEEP = not tf.__version__.startswith("2.15")
KEPT = "*/*/xla_compile_cache__*"


class XlaCacheTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    folder = self.enter_context(tempfile.TemporaryDirectory())
    self.folder = pathlib.Path(folder)
    self.enter_context(mock.patch.dict(os.environ))
    os.environ.pop("TF_XLA_FLAGS", None)

  def enabled(self, *arguments):
    xla_cache.enable(*arguments)
    return os.environ.get("TF_XLA_FLAGS")

  @absltest.skipUnless(CAN_KEEP, "TensorFlow 2.15 cannot keep anything")
  def test_names_a_folder_of_this_tensorflow_once(self):
    flags = self.enabled("auto", str(self.folder))
    self.assertStartsWith(
      flags,
      "--tf_xla_persistent_cache_directory="
      f"{self.folder}/xla/tensorflow-{tf.__version__}-",
    )
    self.assertEqual(self.enabled("true", "/elsewhere"), flags)
    self.assertEmpty(list(self.folder.iterdir()))

  @absltest.skipIf(CAN_KEEP, "TensorFlow 2.21 keeps it")
  def test_keeps_nothing_on_tensorflow_2_15(self):
    self.assertIsNone(self.enabled("true", str(self.folder)))

  def test_does_nothing_without_xla(self):
    self.assertIsNone(self.enabled("false", str(self.folder)))

  @absltest.skipUnless(CAN_KEEP, "TensorFlow 2.15 cannot keep anything")
  def test_warns_of_a_folder_that_cannot_be_written(self):
    file = self.folder / "file"
    file.touch()
    with self.assertLogs(xla_cache.__name__, "WARNING") as logged:
      self.assertIsNone(self.enabled("auto", str(file / "cache")))
    self.assertIn(f"{file}/cache", logged.output[0])

  @absltest.skipUnless(CAN_KEEP, "TensorFlow 2.15 cannot keep anything")
  def test_empties_it(self):
    self.assertFalse(xla_cache.empty())
    kept = pathlib.Path(self.enabled("auto", str(self.folder)).split("=")[1])
    self.assertFalse(xla_cache.empty())
    kept.mkdir(parents=True)
    (kept / "xla_compile_cache__1").touch()
    (kept / "other").touch()
    self.assertTrue(xla_cache.empty())
    self.assertEqual([path.name for path in kept.iterdir()], ["other"])

  @long_tests.only
  @absltest.skipUnless(CAN_KEEP, "TensorFlow 2.15 cannot keep anything")
  def test_a_second_start_compiles_nothing_and_a_broken_one_anew(self):
    histories = []

    def train(name):
      workdir = self.folder / name
      process = interrupted_runs.start(
        workdir,
        *interrupted_runs.TINY,
        "--num_epochs=2",
        "--jit_compile=true",
        f"--cache_dir={self.folder}/cache",
      )
      code, log = interrupted_runs.finish(process)
      self.assertEqual(code, 0, log)
      histories.append(interrupted_runs.read_history(workdir))
      kept = sorted((self.folder / "cache").glob(KEPT))
      return log, {path: path.stat().st_mtime_ns for path in kept}

    _, first = train("first")
    self.assertLen(first, 2)  # A training batch, and one of evaluation.
    _, second = train("second")
    self.assertEqual(second, first)
    for path in first:
      os.truncate(path, path.stat().st_size // 2)
    log, third = train("third")
    self.assertIn("What XLA has kept on disk is deleted: Read less", log)
    self.assertLen(third, 2)
    self.assertEqual(histories, histories[:1] * 3)


if __name__ == "__main__":
  absltest.main()
