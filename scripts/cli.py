"""What every script does around its work: flags, errors, silence."""

import contextlib
import errno
import logging
import os
import sys
import tempfile

from absl import app, flags, logging as absl_logging

from nct_tf import errors

_EXPECTED_ERRORS = (
  errors.InvalidInputError,
  errors.TrainingDivergedError,
  errors.StorageError,
  errors.ServerError,
)


def run(main, *flag_modules, required=(), unless=lambda: False):
  """Runs a script.

  Bad flags, stray arguments and what `nct_tf` finds wrong end it with one
  line and exit code 2, without a traceback; what goes on when it is started
  again ends with 75.

  Args:
    main: a function without arguments.
    *flag_modules: modules of `flags` that `--help` is to tell about.
    required: names of flags that must be given. Not said where a flag is
      defined, as a test that imports it need not give it.
    unless: a function without arguments that tells, when the flags are read,
      whether they need not be given.
  """
  for name in required:
    flags.register_validator(
      name,
      lambda value: value not in (None, "", []) or unless(),
      "it must be given",
    )
  for module in flag_modules:
    for flag in flags.FLAGS.get_flags_for_module(module.__name__):
      flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)
  app.run(lambda _: _guard(main), flags_parser=parse)


def parse(argv):
  """Reads the flags; ends the program if there is something wrong."""
  try:
    rest = flags.FLAGS(argv)
  except flags.Error as error:
    _fail(f"{error} (--help tells of all flags)")
  except SystemExit:  # --help has answered.
    sys.exit(0)
  if rest[1:]:
    _fail(f"takes flags alone, no arguments. Received: {' '.join(rest[1:])}")
  return rest


def flag_values(*flag_modules):
  """Returns dict from name to value of the flags of modules of `flags`."""
  return {
    flag.name: flag.value
    for module in flag_modules
    for flag in flags.FLAGS.get_flags_for_module(module.__name__)
  }


@contextlib.contextmanager
def silence():
  """Holds back what TensorFlow writes while it is imported.

  Scripts import it when their flags are read, so that `--help` and bad flags
  need not wait for it. After an error, what was held back is given out.
  """
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
  sys.stderr.flush()
  original = os.dup(2)
  with tempfile.TemporaryFile() as messages:
    os.dup2(messages.fileno(), 2)
    try:
      yield
    except BaseException:
      messages.seek(0)
      os.write(original, messages.read())
      raise
    finally:
      os.dup2(original, 2)
      os.close(original)


def _guard(main):
  absl_logging.set_verbosity(absl_logging.WARNING)
  # It tells of each repetition, where the last error says it all.
  logging.getLogger("urllib3").setLevel(logging.ERROR)
  logger = logging.getLogger("nct_tf")
  if not logger.handlers:
    logger.addHandler(logging.StreamHandler())
    logger.setLevel(logging.INFO)
    logger.propagate = False
  try:
    main()
  except _EXPECTED_ERRORS as error:
    _fail(error)
  except BrokenPipeError:  # Of `| head`: nobody wants the rest.
    _drop_output()
  except OSError as error:
    if error.errno != errno.ENOSPC:
      raise
    _drop_output()
    _fail(f"cannot write any further: {error.strerror}")
  except errors.TrainingInterrupted as error:
    _say(f"{error}; the same command goes on from there")
    # Python's own end would wait half a minute for workers that are gone.
    sys.stdout.flush()
    os._exit(errors.RESTART_CODE)
  except KeyboardInterrupt:
    _fail("interrupted")


def _drop_output():
  """Keeps Python from writing once more, at its end, what it could not."""
  os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message):
  _say(message)
  sys.exit(2)


def _say(message):
  text = " ".join(str(message).split())
  program = os.path.basename(sys.argv[0]).removesuffix(".py")
  sys.stderr.write(f"{program}: {text}\n")
  sys.stderr.flush()
