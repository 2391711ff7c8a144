"""Two workers, as two processes that talk over the loopback device.

Only `make test-long` runs it.
"""

import pathlib
import tempfile

from absl.testing import absltest, parameterized
import numpy as np
import psutil
import tensorflow as tf

from nct_tf.workdir import checkpoints
from tests.support import interrupted_runs, long_tests


@long_tests.only
class MultiWorkerTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(
      self.enter_context(tempfile.TemporaryDirectory())
    )

  def start(self, name, *flags, **options):
    process = interrupted_runs.start(self.folder / name, *flags, **options)
    self.addCleanup(process.communicate)
    self.addCleanup(process.kill)
    return process

  def run_to_the_end(self, process):
    code, text = interrupted_runs.finish(process)
    self.assertEqual(code, 0, text)
    return text

  def test_agree_with_one_worker_at_the_same_global_batch(self):
    # A batch's parts have no statistics of their own in an mlp.
    flags = (*interrupted_runs.TINY, "--network=mlp", "--num_epochs=2")
    self.run_to_the_end(
      self.start("two", *flags, script="launch_local_cluster")
    )
    self.run_to_the_end(self.start("one", *flags))
    rows = [
      interrupted_runs.read_history(self.folder / name)
      for name in ("one", "two")
    ]
    self.assertLen(rows[0], 2)
    for one, two in zip(*rows, strict=True):
      self.assertEqual(one.keys(), two.keys())
      for name, value in one.items():
        self.assertAlmostEqual(
          float(value), float(two[name]), places=4, msg=name
        )
    # Of both workers, the chief alone has written.
    self.assertEqual(*map(self.files, ("one", "two")))
    one, two = map(self.last_checkpoint, ("one", "two"))
    self.assertEqual(
      one.get_variable_to_shape_map(), two.get_variable_to_shape_map()
    )
    for name in one.get_variable_to_shape_map():
      if name.startswith("network"):
        np.testing.assert_allclose(
          one.get_tensor(name), two.get_tensor(name), atol=1e-4, err_msg=name
        )

  def files(self, name):
    return sorted(
      str(path.relative_to(self.folder / name)).partition(".tfevents")[0]
      for path in (self.folder / name).rglob("*")
    )

  def last_checkpoint(self, name):
    path = checkpoints.Checkpoints(self.folder / name / "checkpoints").last()
    return tf.train.load_checkpoint(checkpoints.prefix(path))

  def test_survive_the_loss_of_either(self):
    flags = interrupted_runs.TINY
    script = "launch_local_cluster"
    self.run_to_the_end(self.start("undisturbed", *flags, script=script))
    for victim in (0, 1):
      with self.subTest(victim=victim):
        name = f"lost{victim}"
        process = self.start(name, *flags, script=script)
        self.assertTrue(
          interrupted_runs.wait_for(
            process,
            interrupted_runs.has_checkpoint(self.folder / name, "ckpt-2"),
          )
        )
        self.worker(process, victim).kill()
        text = self.run_to_the_end(process)
        # The other may end first, as it misses this one.
        self.assertRegex(text, r"Worker \d .*: restart 1 of 3 of all workers")
        self.assertIn("Goes on from", text)
        self.assertEmpty(
          interrupted_runs.differences(
            self.folder / "undisturbed", self.folder / name
          )
        )

  def worker(self, launcher, index):
    (worker,) = [
      child
      for child in psutil.Process(launcher.pid).children()
      if f"--worker_index={index}" in child.cmdline()
    ]
    return worker


if __name__ == "__main__":
  absltest.main()
