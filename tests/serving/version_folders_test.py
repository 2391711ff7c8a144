import multiprocessing
import os
import pathlib
import random
import signal
import sys
import tempfile
from unittest import mock

from absl.testing import absltest, parameterized

from nct_tf import errors
from nct_tf.serving import version_folders

_NUM_FILES = 30
_NUM_KILLS = 40


def write_files(path, version):
  path.mkdir()
  (path / "variables").mkdir()
  for number in range(_NUM_FILES):
    (path / "variables" / str(number)).write_text(f"{version} " * 1000)


# Forks of a process that has no threads: others of this one's might have.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["__main__", __name__])


def publish_once(base):
  with version_folders.lock(base):
    version_folders.publish(base, write_files)


def publish_forever(base, keep, num_calls):
  """Publishes versions, and removes the oldest, until it is killed.

  Args:
    base: `pathlib.Path`.
    keep: int, how many versions stay.
    num_calls: int, how many calls that have to do with files it lives for.
  """

  def count(event, arguments):
    nonlocal num_calls
    if event == "open" or event.startswith(("os.", "fcntl.")):
      num_calls -= 1
      if num_calls == 0:
        os.kill(os.getpid(), signal.SIGKILL)

  sys.addaudithook(count)
  while True:
    with version_folders.lock(base):
      version_folders.publish(base, write_files)
      for path in list(version_folders.find(base).values())[:-keep]:
        version_folders.remove(path)


class VersionFoldersTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.base = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))

  def publish(self, version=None):
    with version_folders.lock(self.base):
      return version_folders.publish(self.base, write_files, version)

  def assert_whole(self, path):
    contents = {file.name: file.read_text() for file in path.glob("*/*")}
    self.assertLen(contents, _NUM_FILES, path)
    self.assertEqual(set(contents.values()), {f"{path.name} " * 1000})

  def test_the_next_free_version(self):
    for name in ("0007", "notes", "8.tmp", "-9", "²"):
      (self.base / name).mkdir()
    self.assertEqual(self.publish(), 8)
    self.assertEqual(self.publish(version=3), 3)
    self.assertEqual(self.publish(), 9)
    self.assertEqual(list(version_folders.find(self.base)), [3, 7, 8, 9])
    self.assert_whole(self.base / "9")

  @parameterized.parameters(7, 12)
  def test_a_version_is_never_overwritten(self, version):
    (self.base / "0007").mkdir()
    (self.base / "12").write_text("a file in the way")
    with self.assertRaisesRegex(errors.InvalidInputError, f"{version} exists"):
      self.publish(version)
    self.assertEqual((self.base / "12").read_text(), "a file in the way")

  def test_nothing_stays_of_what_fails(self):
    def write(path, version):
      write_files(path, version)
      raise OSError("No space left on device")

    with self.assertRaises(OSError), version_folders.lock(self.base):
      version_folders.publish(self.base, write)
    self.assertEqual(
      [path.name for path in self.base.iterdir()], [".export.lock"]
    )

  def test_what_is_not_its_own_stays(self):
    for name in (".tmp-mine", ".tmp-", ".tmp-3.bak"):
      (self.base / name).mkdir()
    self.publish()
    self.assertLen(list(self.base.glob(".tmp-*")), 3)

  def test_versions_that_are_no_folders_are_removed(self):
    self.publish()
    (self.base / "2").write_text("")
    (self.base / "3").symlink_to("1")
    with version_folders.lock(self.base):
      for version in (2, 3):
        version_folders.remove(version_folders.find(self.base)[version])
    self.assertEqual(list(version_folders.find(self.base)), [1])
    self.assert_whole(self.base / "1")

  def test_a_number_too_large_for_a_server_is_no_version(self):
    (self.base / str(2**63)).mkdir()
    self.assertEqual(self.publish(), 1)

  def test_all_is_on_the_disk_before_it_appears(self):
    events = []

    def fsync(descriptor):
      events.append(os.readlink(f"/proc/self/fd/{descriptor}"))

    def rename(source, target):
      events.append("rename")
      original(source, target)

    original = os.rename
    with mock.patch.multiple(os, fsync=fsync, rename=rename):
      self.publish()
    at = events.index("rename")
    temporary = str(self.base / ".tmp-1")
    synced = {path.removeprefix(temporary) for path in events[:at]}
    wanted = {f"/variables/{number}" for number in range(_NUM_FILES)}
    self.assertEqual(synced, {"", "/variables", *wanted})
    self.assertEqual(events[at + 1 :], [str(self.base)])

  def test_killed_at_any_instant_no_version_is_half_there(self):
    rng = random.Random(0)
    num_leftovers = num_versions = 0
    for _ in range(_NUM_KILLS):
      # A version more, and one less, are about four calls a file.
      num_calls = rng.randint(1, 8 * _NUM_FILES)
      process = _PROCESSES.Process(
        target=publish_forever, args=(self.base, 2, num_calls)
      )
      process.start()
      process.join()
      self.assertEqual(process.exitcode, -signal.SIGKILL)
      versions = version_folders.find(self.base)
      for path in versions.values():
        self.assert_whole(path)
      self.assertLessEqual(len(versions), 3)
      num_leftovers += bool(list(self.base.glob(".tmp-*")))
      num_versions = max(versions, default=0)
    # They did come in the middle of something.
    self.assertGreater(num_leftovers, _NUM_KILLS // 4)
    self.assertGreater(num_versions, 10)
    self.publish()
    self.assertEmpty(list(self.base.glob(".tmp-*")))

  def test_processes_wait_for_each_other(self):
    processes = [
      _PROCESSES.Process(target=publish_once, args=(self.base,))
      for _ in range(8)
    ]
    for process in processes:
      process.start()
    for process in processes:
      process.join()
      self.assertEqual(process.exitcode, 0)
    versions = version_folders.find(self.base)
    self.assertEqual(list(versions), list(range(1, 9)))
    for path in versions.values():
      self.assert_whole(path)


if __name__ == "__main__":
  absltest.main()
