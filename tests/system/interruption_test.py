"""Signals, locks, full disks and damaged files, with real processes."""

import pathlib
import signal
import subprocess
import tempfile
import time

from absl.testing import absltest, parameterized

from nct_tf import errors
from nct_tf.system import interruption
from nct_tf.workdir import layout
from tests.support import command_lines, interrupted_runs, long_tests

_TINY = (*interrupted_runs.TINY, "--network=mlp", "--monitor_every_epochs=0")
# Epochs enough that no test waits for the end.
_LONG = (*_TINY, "--num_epochs=500")


class InterruptionTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.lines = command_lines.CommandLines()
    cls.addClassCleanup(cls.lines.close)

  def setUp(self):
    super().setUp()
    folder = self.enter_context(tempfile.TemporaryDirectory())
    self.workdir = pathlib.Path(folder) / "run"

  def start(self, *flags):
    """Starts a run in the workdir, once the one before has ended."""
    return self.lines.start("train", *flags, f"--workdir={self.workdir}")

  def names(self):
    return sorted(
      path.name for path in (self.workdir / "checkpoints").iterdir()
    )

  def assert_saves_at(self, number, process):
    """Signals to a run that trains."""
    begin = time.monotonic()
    process.send_signal(number)
    code, text = interrupted_runs.finish(process)
    self.assertEqual(code, 75, text)
    self.assertLess(time.monotonic() - begin, 10)
    last = text.splitlines()[-1]
    self.assertRegex(
      last, r"^train: stopped after the step; ckpt-\d+-\d+ is saved; the same "
    )
    # What was saved is what it goes on from.
    self.assertIn(last.split()[5], self.names())

  def test_ctrl_c_saves_and_says_start_me_again(self):
    process = self.start(*_LONG, "--checkpoint_every_epochs=500")
    history = self.workdir / "history.csv"
    self.assertTrue(interrupted_runs.wait_for(process, history.exists))
    self.assert_saves_at(signal.SIGINT, process)

  @long_tests.only
  def test_a_signal_before_the_first_step(self):
    process = self.start(*_LONG)
    flags = self.workdir / "flags.txt"
    self.assertTrue(interrupted_runs.wait_for(process, flags.exists))
    process.send_signal(signal.SIGTERM)
    code, text = interrupted_runs.finish(process)
    self.assertEqual(code, 75, text)
    self.assertNotIn("Traceback", text)

  def test_what_a_signal_breaks_is_no_other_error(self):
    with (
      self.assertRaisesRegex(errors.TrainingInterrupted, "SIGTERM"),
      interruption.catch(),
    ):
      try:
        signal.raise_signal(signal.SIGTERM)
      finally:
        raise ValueError("a file has a writer")
    with self.assertRaisesRegex(ValueError, "no signal"), interruption.catch():
      raise ValueError("no signal")

  def test_a_closed_terminal_stops_what_nohup_does_not_protect(self):
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    self.addCleanup(signal.signal, signal.SIGHUP, before)
    with (
      self.assertRaisesRegex(errors.TrainingInterrupted, "SIGHUP"),
      interruption.catch(),
    ):
      signal.raise_signal(signal.SIGHUP)
    # The shell sends one, and then the system another.
    with interruption.catch() as requests:
      requests.deferred = True
      signal.raise_signal(signal.SIGHUP)
      signal.raise_signal(signal.SIGHUP)
      self.assertTrue(requests.requested)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with interruption.catch():
      signal.raise_signal(signal.SIGHUP)

  def test_what_is_held_ends_before_a_signal_is_heard(self):
    done = False
    with (
      self.assertRaises(errors.TrainingInterrupted),
      interruption.catch() as requests,
      requests.hold(),
    ):
      signal.raise_signal(signal.SIGINT)
      done = True
    self.assertTrue(done)

  @long_tests.only
  def test_two_runs_in_one_workdir(self):
    first = interrupted_runs.start(self.workdir, *_LONG)
    self.addCleanup(first.communicate)
    self.addCleanup(first.kill)
    self.assertTrue(
      interrupted_runs.wait_for(
        first, interrupted_runs.has_checkpoint(self.workdir, "ckpt-1")
      )
    )
    # It holds its lock, and leaves the processor to the others.
    first.send_signal(signal.SIGSTOP)
    for flags in (_LONG, (*_LONG, "--overwrite")):
      code, text = interrupted_runs.finish(self.start(*flags))
      self.assertEqual(code, 2)
      self.assertRegex(text, "^train: Workdir .*run is in use: another process")
      self.assertLen(text.splitlines(), 1)
    # A dead process holds no lock.
    first.kill()
    first.wait()
    with layout.Workdir(self.workdir).lock():
      self.assertNotEmpty(self.names())

  @long_tests.only
  def test_a_full_disk_ends_it_in_one_line_and_space_lets_it_go_on(self):
    disk = self.mount("100k")
    flags = (*_TINY, "--keep_checkpoints=99")
    self.assert_full(
      flags, "Checkpoint .*ckpt-2 cannot be written", "one is .*ckpt-1"
    )
    self.resize(disk, "9m")
    code, text = interrupted_runs.finish(self.start(*flags))
    self.assertEqual(code, 0, text)
    self.assertIn("Goes on from", text)
    stopped = self.workdir
    self.workdir = self.workdir.parent / "undisturbed"
    code, text = interrupted_runs.finish(self.start(*flags))
    self.assertEqual(code, 0, text)
    self.assertEmpty(interrupted_runs.differences(self.workdir, stopped))

  @long_tests.only
  def test_a_disk_that_the_history_fills(self):
    self.mount("124k")
    self.assert_full(
      # Nothing is learned, so that no later epoch is the best one.
      (*_LONG, "--learning_rate=1e-9")
      + ("--target_variability_max=0.3", "--checkpoint_every_epochs=500"),
      "Workdir .*run cannot be written to",
      "checkpoint is .*ckpt-1",
    )

  def mount(self, size):
    """Moves the workdir to a disk of its own, which is returned."""
    disk = self.workdir.parent / "disk"
    disk.mkdir()
    mounted = subprocess.run(
      ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)],
      capture_output=True,
      check=False,
    )
    if mounted.returncode:
      self.skipTest("needs the right to mount")
    self.addCleanup(subprocess.run, ["umount", "-l", str(disk)], check=True)
    self.workdir = disk / "run"
    return disk

  def assert_full(self, flags, told, last):
    code, text = interrupted_runs.finish(self.start(*flags))
    self.assertEqual(code, 2, text)
    self.assertRegex(
      text.splitlines()[-1],
      f"^train: {told}: No space left on device. The last whole {last}$",
    )
    self.assertNotIn("Traceback", text)
    self.assertEmpty([name for name in self.names() if name[0] == "."])

  def resize(self, disk, size):
    subprocess.run(
      ["mount", "-o", f"remount,size={size}", str(disk)], check=True
    )


if __name__ == "__main__":
  absltest.main()
