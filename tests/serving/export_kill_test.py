"""Exports that are killed, and what is left where servers look.

Only `make test-long` runs it.
"""

import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

from absl.testing import absltest
import numpy as np

from nct_tf.serving import server_config, session, version_folders
from tests.support import long_tests, tiny_run

_ROOT = pathlib.Path(__file__).absolute().parents[2]
_NUM_RANDOM_KILLS = 40

# What an export writes, in this order.
_MARKS = (
  ".tmp-{version}",
  ".tmp-{version}/saved_model.pb",
  ".tmp-{version}/assets.extra",
  "{version}",
)


@long_tests.only
class ExportKillTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(
      self.enter_context(tempfile.TemporaryDirectory())
    )
    self.workdir = self.folder / "run"
    self.base = self.folder / "exports"
    self.base.mkdir()
    tiny_run.train(self.workdir)

  def start(self):
    return subprocess.Popen(
      [
        sys.executable,
        "-m",
        "scripts.export",
        f"--workdir={self.workdir}",
        f"--export_dir={self.base}",
        "--keep=2",
      ],
      cwd=_ROOT,
      stderr=subprocess.DEVNULL,
    )

  def next_version(self):
    return max(version_folders.find(self.base), default=0) + 1

  def wait_for(self, mark, process):
    """Waits until a file of a new version appears."""
    path = self.base / mark.format(version=self.next_version())
    while not path.exists():
      self.assertIsNone(process.poll(), f"ended before {path} was there")

  def kill_at(self, mark, delay_seconds):
    """Kills an export a while after a file of its own appears."""
    process = self.start()
    self.wait_for(mark, process)
    time.sleep(delay_seconds)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()

  def check(self):
    """Loads and asks all that a server would see."""
    images = np.load(self.workdir / "warmup_images.npy")
    versions = version_folders.find(self.base)
    for path in versions.values():
      with session.SavedModelSession(path) as model:
        self.assertLen(model.signatures, 3)
        answer = model.run("serving_default", images)["score"]
        self.assertLen(answer, len(images))
      for name in (
        "MODEL_CARD.md",
        "assets/labels.txt",
        "assets.extra/tf_serving_warmup_requests",
      ):
        self.assertGreater((path / name).stat().st_size, 0)
    return versions

  def test_whenever_it_is_killed(self):
    rng = random.Random(0)
    for mark in _MARKS:
      self.kill_at(mark, 0)
      self.check()
    # One that is left alone: how long it writes, and that it cleans up.
    process = self.start()
    self.wait_for(_MARKS[0], process)
    begin = time.monotonic()
    self.assertEqual(process.wait(), 0)
    seconds = time.monotonic() - begin
    self.assertEmpty(list(self.base.glob(".tmp-*")))
    self.assertLen(self.check(), 2)
    num_leftovers = 0
    for _ in range(_NUM_RANDOM_KILLS):
      self.kill_at(_MARKS[0], seconds * rng.uniform(0, 1.1))
      num_leftovers += bool(list(self.base.glob(".tmp-*")))
      self.assertIn(len(self.check()), (2, 3))
    self.assertGreaterEqual(num_leftovers, _NUM_RANDOM_KILLS // 4)
    self.assertEqual(self.start().wait(), 0)
    versions = self.check()
    self.assertLen(versions, 2)
    self.assertEqual(
      sorted(path.name for path in self.base.iterdir()),
      sorted(
        [
          *map(str, versions),
          ".export.lock",
          server_config.MODELS_FILE,
          server_config.BATCHING_FILE,
          server_config.MONITORING_FILE,
        ]
      ),
    )
    text = (self.base / server_config.MODELS_FILE).read_text()
    self.assertIn(f'key: "canary" value: {max(versions)}', text)


if __name__ == "__main__":
  absltest.main()
