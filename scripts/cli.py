"""What all scripts share: flags, errors, and silence while importing."""

import contextlib
import difflib
import errno
import logging
import os
import re
import sys
import warnings

from absl import app, flags, logging as absl_logging

from flags import option_flags
from nct_tf import errors
from nct_tf.system import quiet

# Scripts import TensorFlow after their flags are read, so that `--help` and bad
# flags need not wait for it, and in silence.
silence = quiet.silence

# What other programs call some flags.
_ELSEWHERE = {
  "arch": ["network"],
  "batch": ["batch_size"],
  "bs": ["batch_size"],
  "data": ["dataset"],
  "epochs": ["num_epochs"],
  "log_dir": ["workdir"],
  "lr": ["learning_rate"],
  "model": ["network", "model_name"],
  "output": ["workdir"],
  "output_dir": ["workdir"],
  "wd": ["weight_decay"],
}

_EXPECTED_ERRORS = (
  errors.InvalidInputError,
  errors.TrainingDivergedError,
  errors.DeviceError,
  errors.StorageError,
  errors.ServerError,
)


def run(main, *groups, passed_on=(), required=(), unless=None, without=()):
  """Runs a script.

  Bad flags, stray arguments and the errors of `nct_tf` end it with one line and
  exit code 2, without a traceback. If the work goes on when the script is
  started again, the exit code is 75.

  Args:
    main: a function that takes an instance of each group.
    *groups: classes of `fields.Options`, whose options are the script's flags.
    passed_on: more such classes, which `main` does not take.
    required: names of flags that must be given. The definition of an option
      does not say so, because a caller of the library may not need it.
    unless: name of a flag; if it is given, `required` need not be.
    without: names of options that get no flag.
  """
  app.define_help_flags()
  word = f"required unless --{unless}" if unless else "required"
  flags.DEFINE_flag(
    _HelpFlag([*groups, *passed_on], without, dict.fromkeys(required, word))
  )
  for group in (*groups, *passed_on):
    option_flags.define(group, without)
  for name in required:
    flags.register_validator(
      name,
      lambda value: value not in (None, "", ()) or _is_on(unless),
      "it must be given",
    )
  try:
    app.run(
      lambda _: _guard(
        lambda: main(*(option_flags.read(group, without) for group in groups))
      ),
      flags_parser=parse,
    )
  except BrokenPipeError:  # For example of `| head`, which wants no more.
    _drop_output()


def _is_on(name):
  return name is not None and flags.FLAGS[name].value


def parse(argv):
  """Reads the flags; ends the program if there is something wrong."""
  try:
    rest = flags.FLAGS(argv)
  except flags.UnrecognizedFlagError:
    _fail(f"{_describe_unknown(argv)} (--help tells of all flags)")
  except flags.Error as error:
    text = str(error).replace("=None: it must be given", ": it must be given")
    _fail(f"{text} (--help tells of all flags)")
  except SystemExit:  # --help, or --method=help, has answered.
    sys.exit(0)
  if rest[1:]:
    _fail(
      "takes flags alone, no arguments (quote a value that has spaces). "
      f"Received: {' '.join(rest[1:])}"
    )
  return rest


def _describe_unknown(argv):
  """Returns which flags there are none of, and which may have been meant."""
  known = list(flags.FLAGS)
  names = [
    argument.lstrip("-").partition("=")[0]
    for argument in argv[1:]
    if re.match("--?[A-Za-z]", argument)
  ]
  names = [
    name
    for name in names
    if name not in known and name.removeprefix("no") not in known
  ]
  described = []
  for name in names:
    similar = difflib.get_close_matches(name, known, n=1)
    meant = [
      each for each in (*_ELSEWHERE.get(name, ()), *similar) if each in known
    ]
    hint = f" (do you mean --{meant[0]}?)" if meant else ""
    described.append(f"--{name}{hint}")
  word = "flag" if len(names) == 1 else "flags"
  return f"There is no {word} {', '.join(described)}"


class _HelpFlag(app.HelpFlag):
  """Prints what the script does, and its flags by group."""

  def __init__(self, groups, without, required):
    super().__init__()
    self.allow_override = True
    self._groups = groups
    self._without = without
    self._required = required

  def parse(self, arg):
    if not self._parse(arg):
      return
    print(sys.modules["__main__"].__doc__.strip())
    print("\nFlags:\n")
    for group in self._groups:
      print(option_flags.describe(group, self._without, self._required))
    print("any script:")
    print(
      "  --flagfile: A file of flags, one a line, such as a run's flags.txt."
    )
    print("  --helpfull: The flags of all libraries, too.")
    sys.exit(0)


def _guard(main):
  absl_logging.set_verbosity(absl_logging.WARNING)
  # TensorFlow would take all of a GPU's memory, and leave other programs none.
  os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
  # It logs each retry, but the last error is enough.
  logging.getLogger("urllib3").setLevel(logging.ERROR)
  # What is wrong with a picture is told as the reason that it is left out. Set
  # once, as pictures are decoded in threads.
  warnings.filterwarnings("ignore", module=r"PIL\.")
  logger = logging.getLogger("nct_tf")
  if not logger.handlers:
    logger.addHandler(logging.StreamHandler())
    logger.setLevel(logging.INFO)
    logger.propagate = False
  try:
    main()
  except _EXPECTED_ERRORS as error:
    _fail(error)
  except OSError as error:
    if error.errno != errno.ENOSPC:
      raise
    _drop_output()
    _fail(f"cannot write any further: {error.strerror}")
  except errors.TrainingInterrupted as error:
    advice = "the same command goes on from there"
    if "overwrite" in flags.FLAGS and _is_on("overwrite"):
      advice = (
        "the same command begins anew; without --overwrite, it goes on with "
        "the run that is there"
      )
    with contextlib.suppress(OSError):  # The terminal may be closed.
      _say(f"{error}; {advice}")
    # Python's normal exit would wait half a minute for workers that are gone.
    sys.stdout.flush()
    os._exit(errors.RESTART_CODE)
  except KeyboardInterrupt:
    _fail("interrupted")
  except Exception as error:
    failure = _explain(error)
    if failure is None:
      raise
    _fail(failure.text)


def _explain(error):
  """Returns the `device_errors.Failure` of an error, or None."""
  if "tensorflow" not in sys.modules:
    return None
  from nct_tf.system import device_errors

  return device_errors.explain(error)


def _drop_output():
  """Keeps Python from trying again, at exit, to write its output."""
  os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message):
  _say(message)
  sys.exit(2)


def _say(message):
  text = _escape_controls(str(message).strip("\n"))
  program = os.path.basename(sys.argv[0]).removesuffix(".py")
  sys.stderr.write(f"{program}: {text}\n")
  sys.stderr.flush()


def _escape_controls(text):
  """Returns text as one line, with escapes for unprintable characters."""
  return "".join(
    character
    if character.isprintable()
    else character.encode("unicode_escape").decode()
    for character in text
  )
