"""README.md and docs/: code runs, commands have their flags, links lead on."""

import collections
import contextlib
import functools
import importlib.util
import io
import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import tempfile
import typing
import unittest

from absl.testing import absltest, parameterized
import yaml

import nct_tf
from tests.support import processes

_ROOT = pathlib.Path(__file__).absolute().parents[1]
_README = _ROOT / "README.md"
_PAGES = (_README, *sorted((_ROOT / "docs").glob("*.md")))
_NAMED_PAGES = [(page.stem, page) for page in _PAGES]

# `python no-run` is compiled, but not run: it asks a server (the tests of
# serving run it), or reads files that are not at hand.
_LANGUAGES = ("shell", "python", "python no-run", "text", "bibtex")

_BASH = shutil.which("bash")

# Flags of other programs and of absl.
_OTHER_FLAGS = ("enable_batching", "flagfile", "help", "logdir")

# Stands for a program: notes down how it was called, and does nothing.
_RECORDER = """#!{bash}
printf '%s\\0' "$(($# + 1))" {name} "$@" >>"$RECORD"
"""

# Reads command lines, JSON from stdin, as a script does, without its work.
# Prints the names of all flags.
_READ_FLAGS = """
import json
import runpy
import sys

from absl import app, flags
from absl.testing import flagsaver

module = sys.argv[1]
app.run = lambda *args, **kwargs: None
runpy.run_module(module, run_name="__main__")
for arguments in json.load(sys.stdin):
  with flagsaver.flagsaver():
    try:
      _, *rest = flags.FLAGS([module, *arguments])
    except flags.Error as error:
      sys.exit(f"{module} {arguments}: {error}")
  if rest:
    sys.exit(f"{module} takes flags alone. Received: {rest}")
print(json.dumps(list(flags.FLAGS)))
"""


class Block(typing.NamedTuple):
  """A fenced block of code."""

  language: str
  code: str


def read(page):
  return page.read_text(encoding="utf-8")


def blocks(page, *languages):
  """Returns a page's `Block`s of these languages."""
  found = re.findall(r"^```(.*)\n((?:.*\n)*?)^```$", read(page), re.MULTILINE)
  return [Block(*block) for block in found if block[0] in languages]


def prose(page):
  """Returns a page's text without its blocks."""
  return re.sub(r"^```(?:.*\n)*?^```$", "", read(page), flags=re.MULTILINE)


def inline_code(page):
  """Returns what stands between backticks in a page's prose: list of str."""
  return [
    " ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose(page))
  ]


def links(page):
  """Yields file and anchor of each link that stays in the checkout."""
  targets = re.findall(r"\]\((?!https?:)([^)]+)\)", prose(page))
  for target in targets:
    path, _, anchor = target.partition("#")
    file = os.path.normpath(page.parent / path)  # Bazel links to each file.
    yield pathlib.Path(file) if path else page, anchor


def anchors(page):
  """Returns the anchors that GitHub gives a page's headings."""
  headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
  return [
    re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
    for heading in headings
  ]


class PythonTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    folder = self.enter_context(tempfile.TemporaryDirectory())
    self.addCleanup(os.chdir, os.getcwd())
    os.chdir(folder)

  def run_blocks(self, page):
    """Runs a page's blocks one after another; returns what they print."""
    printed = io.StringIO()
    variables = {"__name__": page.stem}
    with contextlib.redirect_stdout(printed):
      for block in blocks(page, "python"):
        exec(compile(block.code, str(page), "exec"), variables)
    return printed.getvalue()

  def test_readme(self):
    accuracy = float(self.run_blocks(_README).split("%")[0])
    # Three classes, 30 % of whose training labels are wrong.
    self.assertGreater(accuracy, 80)

  def test_label_audit(self):
    printed = self.run_blocks(_ROOT / "docs" / "label_audit.md")
    share = int(re.search(r"(\d+)% of the first 100", printed)[1])
    # 30 % of all are wrong.
    self.assertGreater(share, 80)

  @parameterized.named_parameters(
    named
    for named in _NAMED_PAGES
    if named[0] not in ("README", "label_audit") and blocks(named[1], "python")
  )
  def test_runs(self, page):
    self.run_blocks(page)

  @parameterized.named_parameters(_NAMED_PAGES)
  def test_what_is_not_run_compiles(self, page):
    for block in blocks(page, "python no-run"):
      compile(block.code, str(page), "exec")


@functools.cache
def shell_commands():
  """Returns what the shell blocks call: list of list of str.

  Bash runs them where there are no programs but `_RECORDER`s, so that loops,
  variables and quotes are read as a reader's shell reads them.
  """
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    record = folder / "record"
    record.touch()
    for program in ("make", ".venv/bin/python"):
      path = folder / program
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_text(_RECORDER.format(bash=_BASH, name=path.name))
      path.chmod(path.stat().st_mode | stat.S_IXUSR)
    for page in _PAGES:
      for block in blocks(page, "shell"):
        subprocess.run(
          [_BASH, "-c", block.code],
          cwd=folder,
          env={"PATH": str(folder), "RECORD": str(record)},
          stdin=subprocess.DEVNULL,
          capture_output=True,  # That it finds no other programs.
          timeout=60,
        )
    words = iter(record.read_text(encoding="utf-8").split("\0")[:-1])
  return [[next(words) for _ in range(int(count))] for count in words]


def module_commands():
  """Returns dict from module to the arguments of its `python -m` commands."""
  modules = collections.defaultdict(list)
  for program, *words in shell_commands():
    if program == "python" and words[0] == "-m":
      modules[words[1]].append(words[2:])
  return dict(modules)


@functools.cache
def read_flags(module):
  """Has a module read its commands' flags; returns the names of all it has."""
  arguments = [
    words for words in module_commands()[module] if not asks_for_help(words)
  ]
  with tempfile.TemporaryDirectory() as folder:
    for word in sum(arguments, []):
      name, _, path = word.partition("=")
      if name == "--flagfile":  # Of a run that is not there.
        file = pathlib.Path(folder, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    process = processes.run_python(
      "-c",
      _READ_FLAGS,
      module,
      input=json.dumps(arguments),
      cwd=folder,
      env={**os.environ, "PYTHONPATH": str(_ROOT)},
    )
  if process.returncode:
    raise AssertionError(process.stderr)
  return json.loads(process.stdout)


def asks_for_help(arguments):
  return any(word.endswith("=help") for word in arguments)


@unittest.skipUnless(_BASH, "bash is missing")
class ShellTest(absltest.TestCase):
  def test_blocks_are_bash(self):
    for page in _PAGES:
      for block in blocks(page, "shell"):
        process = subprocess.run(
          [_BASH, "-n", "-c", block.code], capture_output=True, text=True
        )
        self.assertEqual(process.returncode, 0, f"{page}: {process.stderr}")

  def test_modules_take_these_flags(self):
    scripts = []
    for module, commands in module_commands().items():
      with self.subTest(module):
        if module == "pip":
          continue
        self.assertIsNotNone(importlib.util.find_spec(module))
        if any(commands):  # Some examples have no flags.
          read_flags(module)
          scripts.append(module)
    self.assertGreater(len(scripts), 10)

  def test_help_is_given(self):
    for module, commands in module_commands().items():
      for arguments in filter(asks_for_help, commands):
        with self.subTest(f"{module} {arguments}"):
          process = processes.run_python("-m", module, *arguments)
          self.assertEqual(process.returncode, 0, process.stderr)
          self.assertNotEmpty(process.stdout)

  def test_python_on_the_command_line_compiles(self):
    for program, *words in shell_commands():
      if program == "python" and words[0] == "-c":
        compile(words[1], "command line", "exec")

  def test_flags_in_the_prose_are_there(self):
    names = set(_OTHER_FLAGS)
    for module in module_commands():
      if module.startswith("scripts."):
        names.update(read_flags(module))
    unknown = [
      f"{page.name}: --{name}"
      for page in _PAGES
      for code in inline_code(page)
      for name in re.findall(r"(?<!\S)--(\w+)(?!\w|\.\.\.)", code)
      if not {name, name.removeprefix("no")} & names
    ]
    self.assertEmpty(unknown)

  def test_make_has_the_targets(self):
    targets = re.findall(r"^([\w-]+):", read(_ROOT / "Makefile"), re.MULTILINE)
    called = {
      word
      for program, *words in shell_commands()
      for word in words
      if program == "make" and "=" not in word
    }
    for page in _PAGES:
      for code in inline_code(page):
        called.update(re.findall(r"^make ([\w-]+)", code))
    self.assertContainsSubset({"train", "test"}, called)
    self.assertContainsSubset(called, targets)


class PagesTest(parameterized.TestCase):
  def test_readme_is_short(self):
    self.assertLessEqual(len(read(_README).splitlines()), 200)

  @parameterized.named_parameters(_NAMED_PAGES)
  def test_blocks_are_of_known_languages(self, page):
    fences = re.findall(r"^```.*$", read(page), re.MULTILINE)
    self.assertEqual(2 * len(blocks(page, *_LANGUAGES)), len(fences))

  @parameterized.named_parameters(_NAMED_PAGES)
  def test_no_figure_is_missing(self, page):
    self.assertNotIn("@@", read(page))

  @parameterized.named_parameters(_NAMED_PAGES)
  def test_links_lead_somewhere(self, page):
    for file, anchor in links(page):
      self.assertTrue(file.exists(), file)
      if anchor:
        self.assertIn(anchor, anchors(file), file)

  @parameterized.named_parameters(_NAMED_PAGES[1:])
  def test_first_sentence_says_what_the_page_is_for(self, page):
    self.assertRegex(read(page), r"\A# .+\n\nThis page (?:[a-z]|is for)")

  def test_each_page_is_linked(self):
    found = []
    queue = [_README]
    while queue:
      page = queue.pop()
      if page.suffix == ".md" and page not in found:
        found.append(page)
        queue += [file for file, _ in links(page)]
    self.assertContainsSubset(_PAGES, found)

  @parameterized.named_parameters(_NAMED_PAGES)
  def test_rows_of_a_table_have_equally_many_cells(self, page):
    for table in re.findall(r"(?:^\|.*\n)+", prose(page), re.MULTILINE):
      counts = [
        len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()
      ]
      self.assertLen(set(counts), 1, table)


class CitationTest(absltest.TestCase):
  def test_is_of_this_version(self):
    citation = yaml.safe_load(read(_ROOT / "CITATION.cff"))
    self.assertEqual(citation["version"], nct_tf.__version__)
    (paper,) = citation["references"]
    self.assertIn(paper["title"], read(_README))


if __name__ == "__main__":
  absltest.main()
