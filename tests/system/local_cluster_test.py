import json
import os
import pathlib
import re
import select
import signal
import subprocess
import sys
import tempfile
from unittest import mock

from absl.testing import absltest, flagsaver, parameterized

from flags import option_flags, script_flags
from nct_tf import config, errors
from nct_tf.system import local_cluster
from scripts import cli, launch_local_cluster
from tests.support import long_tests, processes

_ROOT = pathlib.Path(__file__).absolute().parents[2]

# A worker that does what a plan says for its index and its attempt.
_WORKER = r"""
import json, os, pathlib, signal, socket, sys, time

stops = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
signal.pthread_sigmask(signal.SIG_BLOCK, stops)
folder, *arguments = sys.argv[1:]
flags = dict(text[2:].split("=") for text in arguments if "=" in text)
workers, index = flags["workers"].split(","), int(flags["worker_index"])
folder = pathlib.Path(folder)

def num_starts(index):
  log = folder / f"{index}.jsonl"
  return len(log.read_text().splitlines()) if log.exists() else 0

attempt = num_starts(index)
with (folder / f"{index}.jsonl").open("a") as file:
  file.write(json.dumps(arguments) + "\n")
plans = json.loads((folder / "plans.json").read_text())[index]
action, *values = plans[min(attempt, len(plans) - 1)]

host, port = workers[index].split(":")
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind((host, int(port)))

def say(text, file=sys.stdout):
  file.write(text)
  file.flush()

if action == "exit":
  # Not before all have started: what it brings upon them may come at once.
  while any(num_starts(other) <= attempt for other in range(len(workers))):
    time.sleep(0.01)
  sys.exit(values[0])
elif action == "die":
  os.kill(os.getpid(), values[0])
elif action == "serve":  # Until it is asked to end.
  say("ready\n")
  say(f"asked by {signal.Signals(signal.sigwait(stops)).name}\n")
  sys.exit(values[0])
elif action == "hold":  # Ends when told after it was asked, or asked twice.
  say("ready\n")
  signal.sigwait(stops)
  say("asked\n")
  (folder / "release").open().read()
  sys.exit(9 if signal.sigpending() else 75)
elif action == "hang":
  say("ready\n")
  while True:
    signal.pause()
elif action == "say":
  say(values[0])
  say(values[1], sys.stderr)
"""

_LAUNCHER = """
import json, logging, signal, sys
from nct_tf.system import local_cluster

# Who runs the tests may have others.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

logging.basicConfig(level=logging.INFO, format="%(message)s")
sys.exit(local_cluster.run(**json.loads(sys.argv[1])))
"""


class LocalClusterTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(
      self.enter_context(tempfile.TemporaryDirectory())
    )
    (self.folder / "worker.py").write_text(_WORKER)
    self.command = [
      sys.executable,
      str(self.folder / "worker.py"),
      str(self.folder),
    ]

  def start(self, *plans, max_restarts=3, **options):
    """Starts a launcher; a plan is a worker's actions, one an attempt."""
    (self.folder / "plans.json").write_text(json.dumps(plans))
    arguments = {
      "command": [*self.command, "--overwrite"],
      "num_workers": len(plans),
      "max_restarts": max_restarts,
      "restart_command": self.command,
      **options,
    }
    process = subprocess.Popen(
      [sys.executable, "-c", _LAUNCHER, json.dumps(arguments)],
      cwd=_ROOT,
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
      start_new_session=True,
    )
    self.addCleanup(process.wait)
    self.addCleanup(process.kill)
    return process

  def run_to_the_end(self, *plans, **options):
    process = self.start(*plans, **options)
    stdout, stderr = process.communicate(timeout=60)
    return process.returncode, stdout, stderr

  def attempts(self, index):
    """Returns the arguments of each start of a worker."""
    lines = (self.folder / f"{index}.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]

  def read_lines(self, process, number):
    return sorted(process.stdout.readline() for _ in range(number))

  def test_workers_know_each_other(self):
    code, stdout, stderr = self.run_to_the_end(*[[["exit", 0]]] * 3)
    self.assertEqual((code, stdout, stderr), (0, "", ""))
    ((_, strategy, workers, _),) = self.attempts(0)
    self.assertEqual(strategy, "--strategy=multi_worker")
    self.assertRegex(workers, r"^--workers=(127\.0\.0\.1:\d+,?){3}$")
    self.assertLen(set(re.findall(r":(\d+)", workers)), 3)
    for index in range(3):
      self.assertEqual(
        self.attempts(index),
        [["--overwrite", strategy, workers, f"--worker_index={index}"]],
      )

  @parameterized.named_parameters(
    (
      "code",
      [["exit", 75], ["exit", 75], ["exit", 0]],
      [["exit", 75], ["exit", 75], ["exit", 0]],
      "ended with code 75",
    ),
    (
      "signal",
      [["exit", 0]],
      [["die", signal.SIGKILL], ["die", signal.SIGSEGV], ["exit", 0]],
      "was ended by SIG(KILL|SEGV)",
    ),
  )
  def test_all_start_again_when_one_has_died(self, plan0, plan1, told):
    code, _, stderr = self.run_to_the_end(plan0, plan1)
    self.assertEqual(code, 0)
    self.assertLen(stderr.splitlines(), 2, stderr)
    for number, line in enumerate(stderr.splitlines(), 1):
      self.assertRegex(
        line, f"^Worker . {told}: restart {number} of 3 of all workers$"
      )
    for index in range(2):
      first, *others = self.attempts(index)
      self.assertEqual(first[0], "--overwrite")
      self.assertEqual(others, [first[1:]] * 2)  # The same ports, too.

  def test_restarts_are_limited(self):
    code, _, stderr = self.run_to_the_end(
      [["exit", 75]], [["exit", 75]], max_restarts=1
    )
    self.assertEqual(code, 75)
    self.assertLen(self.attempts(0), 2)
    self.assertRegex(stderr, "code 75; no restart is left of 1\n$")

  def test_one_that_does_not_end_is_killed(self):
    code, _, stderr = self.run_to_the_end(
      [["exit", 75], ["exit", 0]], [["hang"], ["exit", 0]], grace_seconds=0.1
    )
    self.assertEqual(code, 0)
    self.assertIn("Worker 1 is killed, as it did not end in 0.1", stderr)
    self.assertLen(self.attempts(1), 2)

  @parameterized.parameters(1, 2)
  def test_a_failure_ends_all(self, failure):
    code, _, stderr = self.run_to_the_end(
      [["serve", 75]], [["exit", failure]], [["exit", 75]]
    )
    self.assertEqual(code, failure)
    self.assertIn(f"Worker 1 ended with code {failure}\n", stderr)
    self.assertNotIn("restart", stderr)
    self.assertLen(self.attempts(0), 1)

  @parameterized.parameters(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
  def test_a_signal_ends_all_and_starts_none(self, number):
    process = self.start([["serve", 75]], [["serve", 75]])
    self.assertEqual(
      self.read_lines(process, 2), ["[worker 1] ready\n", "ready\n"]
    )
    # As a terminal does, to all of the foreground.
    os.killpg(process.pid, number)
    stdout, stderr = process.communicate(timeout=60)
    self.assertEqual(process.returncode, 75, stderr)
    self.assertEqual(
      sorted(stdout.splitlines()),
      ["[worker 1] asked by SIGTERM", "asked by SIGTERM"],
    )
    self.assertEqual(stderr, "Waiting for the workers to end\n")
    self.assertLen(self.attempts(0), 1)

  def test_a_second_signal_is_not_passed_on(self):
    os.mkfifo(self.folder / "release")
    process = self.start([["hold"]])
    self.assertEqual(self.read_lines(process, 1), ["ready\n"])
    process.send_signal(signal.SIGTERM)
    self.assertEqual(self.read_lines(process, 1), ["asked\n"])
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    # Long enough for a launcher that polls ten times a second.
    self.assertEqual(select.select([process.stdout], [], [], 0.5)[0], [])
    (self.folder / "release").write_text("")
    self.assertEqual(process.wait(60), 75)

  def test_after_a_signal_the_code_is_0_if_all_was_done(self):
    process = self.start([["serve", 0]], [["serve", 0]])
    self.read_lines(process, 2)
    process.terminate()
    self.assertEqual(process.wait(60), 0)

  def test_output_of_others_has_their_name(self):
    code, stdout, stderr = self.run_to_the_end(
      [["say", "result\rof the chief\n", "its log"]],
      [["say", "one\ntwo\n\n  three", "1 %\r50 %\r100 %\nlog\r\n"]],
    )
    self.assertEqual(code, 0)
    # The two write at the same time. \r is read as \n.
    prefixed = re.findall(r"\[worker 1\] (.*)\n", stdout)
    self.assertEqual(prefixed, ["one", "two", "", "  three"])
    rest = re.sub(r"\[worker 1\] .*\n", "", stdout)
    self.assertEqual(rest, "result\nof the chief\n")
    self.assertIn("its log", stderr)
    self.assertIn("[worker 1] 100 %\n", stderr)
    self.assertIn("[worker 1] log\n", stderr)
    self.assertNotIn("50 %", stderr)

  def test_nobody_waits_for_a_reader_who_is_gone(self):
    process = self.start([["exit", 0]], [["say", "line\n" * 100_000, ""]])
    process.stdout.close()
    self.assertEqual(process.wait(60), 0)


class ScriptTest(parameterized.TestCase):
  def called(self, *arguments):
    """Returns what `local_cluster.run` is called with."""
    argv = ["launch_local_cluster", "--workdir=runs/x", *arguments]
    with (
      flagsaver.flagsaver(),
      mock.patch.object(sys, "argv", argv),
      mock.patch.object(local_cluster, "run", return_value=7) as run,
    ):
      for group in (script_flags.Cluster, config.TrainConfig):
        option_flags.define(group)
      cli.parse(argv)
      with self.assertRaises(SystemExit) as caught:
        launch_local_cluster.main(option_flags.read(script_flags.Cluster))
    self.assertEqual(caught.exception.code, 7)
    return run.call_args

  def test_flags_reach_the_workers(self):
    call = self.called(
      "--num_workers=3",
      "--max_restarts=0",
      "--overwrite",
      "--lr_decay_epochs=",
      "--notarget_variability_exclude_true",
      "--learning_rate",
      "0.1",
    )
    command, *numbers = call.args
    self.assertEqual(numbers, [3, 0])
    self.assertEqual(command[:3], [sys.executable, "-m", "scripts.train"])
    self.assertCountEqual(
      command[3:],
      [
        "--workdir=runs/x",
        "--overwrite",
        "--lr_decay_epochs=",
        "--notarget_variability_exclude_true",
        "--learning_rate=0.1",
      ],
    )
    self.assertEqual(
      call.kwargs["restart_command"],
      [argument for argument in command if argument != "--overwrite"],
    )

  def test_a_flag_file_of_any_run_will_do(self):
    file = self.folder() / "flags.txt"
    file.write_text("--strategy=mirrored\n--width=8\n")
    call = self.called(f"--flagfile={file}")
    self.assertCountEqual(call.args[0][3:], ["--workdir=runs/x", "--width=8"])

  @parameterized.parameters(
    "--strategy=multi_worker", "-strategy=mirrored", "--worker_index=0"
  )
  def test_refuses_what_it_sets_itself(self, argument):
    with (
      mock.patch.object(sys, "argv", ["launch_local_cluster", argument]),
      self.assertRaisesRegex(errors.InvalidInputError, f"Received: {argument}"),
    ):
      launch_local_cluster.main(script_flags.Cluster())

  def test_help(self):
    process = self.launch("--help")
    self.assertEqual(process.returncode, 0)
    for flag in ("--num_workers:", "--max_restarts:", "--noise_rate:"):
      self.assertIn(flag, process.stdout)

  def test_a_mistake_ends_it_in_one_line(self):
    for arguments, pattern in (
      (["--workdir=x", "--num_workers=0"], "--num_workers=0"),
      (["--workdir=x", "--noise_rate=2"], "--noise_rate=2"),
      (["--workdir=x", "--workers=a:1"], "--workers is given to each worker"),
      (["--workdir=x", "--dataset=folder:y"], "must be given with --strategy"),
      (["--workdir=x", "--noise_rate=0.5"], "`noise_rate` must be 0"),
      ([], "--workdir: it must be given"),
    ):
      process = self.launch(*arguments)
      self.assertEqual(process.returncode, 2)
      self.assertLen(process.stderr.splitlines(), 1)
      self.assertRegex(process.stderr, f"^launch_local_cluster: .*{pattern}")

  @long_tests.only
  def test_a_mistake_that_workers_find_ends_it(self):
    folder = self.folder() / "run"
    process = self.launch(f"--workdir={folder}", "--dataset=nowhere")
    self.assertEqual(process.returncode, 2)
    self.assertRegex(process.stderr, r"(?m)train: .*'nowhere' is unknown")
    self.assertRegex(process.stderr, r"Worker \d ended with code 2\n$")
    self.assertFalse(folder.exists())

  def folder(self):
    return pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))

  def launch(self, *arguments):
    return processes.run_python(
      "-m", "scripts.launch_local_cluster", *arguments
    )


if __name__ == "__main__":
  absltest.main()
