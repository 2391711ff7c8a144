"""Runs processes on this machine in place of the workers of a cluster."""

import contextlib
import logging
import os
import signal
import socket
import subprocess
import threading
import time

from nct_tf import errors

_POLL_SECONDS = 0.1
_OUTPUT_SECONDS = 5
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

_logger = logging.getLogger(__name__)


def run(
  command,
  num_workers,
  max_restarts,
  restart_command=None,
  grace_seconds=60.0,
):
  """Runs workers until all are done; starts all again when one has died.

  A worker has died if a signal ended it or if its exit code is
  `errors.RESTART_CODE`. The others cannot go on without it, so this waits until
  they have ended, too. Any other exit code but 0 ends the whole run. After
  SIGTERM, Ctrl-C or the closing of the terminal, each worker gets one SIGTERM,
  and nothing is started again.

  The first worker, the chief, writes where this process does. Lines of the
  others begin with their number, as in `[worker 1] `. Call this from the main
  thread.

  Args:
    command: list of str, to which `--strategy=multi_worker`, `--workers` and
      `--worker_index` are appended.
    num_workers: int, at least 1.
    max_restarts: int, at least 0.
    restart_command: list of str, which replaces `command` from the first
      restart on; None for `command` itself.
    grace_seconds: float, how long the other workers may take to end before they
      are killed.

  Returns:
    int, the exit code: 0 if all workers succeeded; that of the first worker
    that failed for another reason; `errors.RESTART_CODE` if the run can be
    started again, after a signal or when `max_restarts` are used up.
  """
  # The ports stay, because a restarted run has the same workers.
  workers = ",".join(f"127.0.0.1:{port}" for port in _free_ports(num_workers))
  num_restarts = 0
  with _stop_request() as stop:
    while True:
      codes = _run_once(
        [
          [
            *command,
            "--strategy=multi_worker",
            f"--workers={workers}",
            f"--worker_index={index}",
          ]
          for index in range(num_workers)
        ],
        stop,
        grace_seconds,
      )
      for index, code in codes.items():
        if _is_failure(code):
          _logger.info("Worker %d %s", index, _how_it_ended(code))
          return code
      died = [index for index, code in codes.items() if code]
      if not died:
        return 0
      if stop.is_set():
        return errors.RESTART_CODE
      told = f"Worker {died[0]} {_how_it_ended(codes[died[0]])}"
      if num_restarts == max_restarts:
        _logger.info("%s; no restart is left of %d", told, max_restarts)
        return errors.RESTART_CODE
      num_restarts += 1
      _logger.info(
        "%s: restart %d of %d of all workers", told, num_restarts, max_restarts
      )
      command = restart_command or command


def _run_once(commands, stop, grace_seconds):
  """Returns dict from worker to exit code, in the order in which they ended."""
  codes = {}
  deadline = None
  asked = False
  with contextlib.ExitStack() as stack:
    processes = [
      stack.enter_context(_start(command, index))
      for index, command in enumerate(commands)
    ]
    while True:
      for index, process in enumerate(processes):
        if index not in codes and process.poll() is not None:
          codes[index] = process.returncode
      if len(codes) == len(processes):
        return codes
      running = [i for i in range(len(processes)) if i not in codes]
      failed = any(map(_is_failure, codes.values()))
      if (failed or stop.is_set()) and not asked:
        asked = True
        _logger.info("Waiting for the workers to end")
        for index in running:
          processes[index].terminate()
      if deadline is None and (asked or any(codes.values())):
        deadline = time.monotonic() + grace_seconds
      if deadline is not None and time.monotonic() > deadline:
        deadline = float("inf")
        for index in running:
          _logger.info(
            "Worker %d is killed, as it did not end in %g seconds",
            index,
            grace_seconds,
          )
          processes[index].kill()
      time.sleep(_POLL_SECONDS)


@contextlib.contextmanager
def _start(command, index):
  """Yields the process of a worker; kills it if it still runs in the end."""
  output = None if index == 0 else subprocess.PIPE
  # In a session of its own, a worker does not get the terminal's Ctrl-C. Beside
  # the SIGTERM from here, that would be a second request, which would end it
  # before it has saved its state.
  process = subprocess.Popen(
    command,
    stdin=subprocess.DEVNULL,
    stdout=output,
    stderr=output,
    start_new_session=True,
  )
  threads = [
    threading.Thread(target=_prefix, args=(*pair, index), daemon=True)
    for pair in ((process.stdout, 1), (process.stderr, 2))
    if pair[0]
  ]
  try:
    for thread in threads:
      thread.start()
    yield process
  finally:
    process.kill()  # Does nothing to one that has ended.
    process.wait()
    for thread in threads:
      thread.join(_OUTPUT_SECONDS)


def _prefix(source, target, index):
  """Copies lines of a file to a file descriptor, with the worker's name."""
  prefix = f"[worker {index}] ".encode()
  for line in source:
    # A progress bar returns to the start of its line: take its last state.
    text = line.rstrip(b"\r\n").rpartition(b"\r")[2]
    # Go on if the output is closed, or the worker would block on a full pipe.
    with contextlib.suppress(OSError):
      os.write(target, prefix + text + b"\n")


@contextlib.contextmanager
def _stop_request():
  """Yields a `threading.Event` that is set when a signal asks to stop."""
  stop = threading.Event()

  def handle(number, frame):
    del number, frame
    stop.set()

  before = {number: signal.getsignal(number) for number in _SIGNALS}
  for number, handler in before.items():
    if handler is not signal.SIG_IGN:  # nohup ignores signals.
      signal.signal(number, handle)
  try:
    yield stop
  finally:
    for number, handler in before.items():
      signal.signal(number, handler)


def _free_ports(number):
  """Returns ports of the loopback device that nobody listens on."""
  with contextlib.ExitStack() as stack:
    sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
    for each in sockets:
      each.bind(("127.0.0.1", 0))
    return [each.getsockname()[1] for each in sockets]


def _is_failure(code):
  """Returns whether an exit code, negative for a signal, forbids a restart."""
  return code > 0 and code != errors.RESTART_CODE


def _how_it_ended(code):
  if code < 0:
    return f"was ended by {signal.Signals(-code).name}"
  return f"ended with code {code}"
