"""The BUILD files are what `make build_files` writes, and what it writes.

All runs without Bazel. The tool is tested on small trees of a few files.
"""

import pathlib
import shutil
import tempfile

from absl.testing import absltest, parameterized

from tests.support import processes

_ROOT = pathlib.Path(__file__).absolute().parents[1]
# The tool's own modules.
_TOOL = (
  "__init__",
  "build_files",
  "build_syntax",
  "checkout",
  "floors",
  "python_files",
)
_BUILD = """\
# `make build_files` writes this file from the imports. It keeps what
# is added by hand: size, data and the like, and rules that are not Python's.

{}
# For tests that read the source code, from here down.
filegroup(
    name = "sources",
    srcs = glob(["*.py"]) + ["BUILD"],
    visibility = ["//visibility:public"],
)
"""


def run_tool(root, *arguments):
  return processes.run_python("-m", "tools.build_files", *arguments, cwd=root)


class CommittedFilesTest(absltest.TestCase):
  def test_are_what_the_imports_say(self):
    process = run_tool(_ROOT, "--check")
    self.assertEqual(process.returncode, 0, "\n" + process.stderr)


class ToolTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.root = pathlib.Path(
      self.enter_context(tempfile.TemporaryDirectory())
    ).resolve()
    (self.root / "tools").mkdir()
    for name in _TOOL:
      path = pathlib.Path("tools", f"{name}.py")
      shutil.copyfile(_ROOT / path, self.root / path)

  def add(self, path, text=""):
    path = self.root / path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")

  def read(self, path):
    return (self.root / path).read_text(encoding="utf-8")

  def write_build_files(self):
    process = run_tool(self.root)
    self.assertEqual(process.returncode, 0, process.stderr)
    return process.stdout

  def refusals(self):
    """Returns the lines with which the tool refuses; it writes nothing."""
    before = self.all_build_files()
    process = run_tool(self.root)
    self.assertEqual(process.returncode, 1)
    self.assertEmpty(process.stdout)
    self.assertEqual(self.all_build_files(), before)
    return process.stderr.splitlines()

  def all_build_files(self):
    return {
      path: path.read_text(encoding="utf-8")
      for path in self.root.rglob("BUILD")
    }

  def test_a_new_file_gets_a_target(self):
    self.add("nct_tf/low.py", "import os\n")
    self.add("nct_tf/high.py", "def f():\n  from nct_tf import low\n")
    self.write_build_files()
    self.add("nct_tf/middle.py", "import numpy as np\nfrom nct_tf import low\n")
    printed = self.write_build_files()
    self.assertEqual(printed, "nct_tf/BUILD: written\n")
    self.assertEqual(
      self.read("nct_tf/BUILD"),
      _BUILD.format("""\
py_library(
    name = "high",
    srcs = ["high.py"],
    deps = [
        ":low",
    ],
)

py_library(
    name = "low",
    srcs = ["low.py"],
)

py_library(
    name = "middle",
    srcs = ["middle.py"],
    deps = [
        ":low",
        # pip: numpy
    ],
)
"""),
    )

  def test_tests_and_programs_have_rules_of_their_own(self):
    guard = 'if __name__ == "__main__":\n  print()\n'
    self.add("scripts/run.py", guard)
    self.add("scripts/said.py", f"TEXT = '''\n{guard}'''\n")
    self.add("tests/run_test.py", "from scripts import run\n" + guard)
    self.write_build_files()
    self.assertIn('py_test(\n    name = "run_test",', self.read("tests/BUILD"))
    scripts = self.read("scripts/BUILD")
    self.assertIn('py_binary(\n    name = "run",', scripts)
    self.assertIn('py_library(\n    name = "said",', scripts)

  def test_the_folder_names_its_init_unless_a_module_does(self):
    self.add("nct_tf/options/__init__.py", "A = 1\n")
    self.add("nct_tf/system/__init__.py", "B = 1\n")
    self.add("nct_tf/system/system.py")
    self.add(
      "nct_tf/high.py",
      "from nct_tf import options\n"
      "from nct_tf.system import B\n"
      "import nct_tf.system.system\n",
    )
    self.write_build_files()
    self.assertIn(
      """\
    deps = [
        "//nct_tf/options",
        "//nct_tf/system",
        "//nct_tf/system:__init__",
    ],
""",
      self.read("nct_tf/BUILD"),
    )

  def test_a_package_is_visible_to_those_that_use_it(self):
    self.add("nct_tf/low.py")
    self.add("nct_tf/high.py", "from nct_tf import low\n")
    self.add("flags/a.py", "from nct_tf import low\n")
    self.add("scripts/b.py", "from flags import a\n")
    self.add("tests/b_test.py", "from nct_tf import high\n")
    self.add(
      "tests/BUILD",
      'py_test(name="b_test", srcs=["b_test.py"], data=["//scripts:b"])\n',
    )
    self.write_build_files()
    for folder, visibility in (
      ("flags", 'package(default_visibility = ["//scripts:__pkg__"])\n'),
      ("scripts", 'package(default_visibility = ["//tests:__pkg__"])\n'),
      (
        "nct_tf",
        "package(default_visibility = [\n"
        '    "//flags:__pkg__",\n    "//tests:__pkg__",\n])\n',
      ),
    ):
      self.assertIn(visibility, self.read(f"{folder}/BUILD"))
    self.assertNotIn("default_visibility", self.read("tests/BUILD"))

  def test_a_moved_file_keeps_what_imports_do_not_tell(self):
    self.add("nct_tf/a.py")
    self.add("scripts/run.py")
    self.add("tests/server.py")
    self.add("tests/a_test.py", "from nct_tf import a\n")
    self.add("tests/b_test.py")
    self.add(
      "tests/BUILD",
      """\
# It trains.
py_test(
    name = "a_test",
    size = "large",
    srcs = ["a_test.py"],
    data = [":server", "//scripts:run", "a.csv"],
    shard_count = 2,
    tags = ["exclusive"],
)

py_library(name = "server", srcs = ["server.py"])

py_test(
    name = "b_test",
    srcs = ["b_test.py"],
    data = [":server"] + glob(["*.md"]),
)
""",
    )
    self.write_build_files()
    (self.root / "tests/deep").mkdir()
    for name in ("a_test.py", "server.py"):
      (self.root / "tests" / name).rename(self.root / "tests/deep" / name)
    self.write_build_files()
    self.assertIn(
      """\
# It trains.
py_test(
    name = "a_test",
    size = "large",
    srcs = ["a_test.py"],
    data = [
        "a.csv",
        ":server",
        "//scripts:run",
    ],
    shard_count = 2,
    tags = ["exclusive"],
    deps = [
        "//nct_tf:a",
    ],
)
""",
      self.read("tests/deep/BUILD"),
    )
    tests = self.read("tests/BUILD")
    self.assertNotIn("a_test", tests)
    self.assertIn('data = ["//tests/deep:server"] + glob(["*.md"]),', tests)

  def test_a_file_that_is_gone_is_told_with_what_goes(self):
    self.add("tests/a_test.py")
    self.add("tests/b_test.py")
    self.write_build_files()
    text = self.read("tests/BUILD")
    name = 'name = "a_test",\n'
    self.add("tests/BUILD", text.replace(name, name + '    size = "large",\n'))
    (self.root / "tests/a_test.py").unlink()
    self.assertIn(
      'tests/BUILD: a_test.py is gone, and with it size = "large"\n',
      self.write_build_files(),
    )
    (self.root / "tests/b_test.py").unlink()
    self.assertIn("tests/BUILD: removed\n", self.write_build_files())
    self.assertFalse((self.root / "tests/BUILD").exists())

  def test_other_rules_and_comments_stay(self):
    kept = """\
load("//:rules.bzl", "rule")

NAMES = ["a", "b"]

# Above the package.

py_library(
    name = "low",
    srcs = ["low.py"],
)

# For a test.
genrule(
    name = "made",
    srcs = ["z", "a"],  # In this order.
    cmd = "cat $(SRCS) > $@",
    outs = ["made.txt"],
)

exports_files(["page.css"])
"""
    self.add("nct_tf/low.py")
    self.add(
      "nct_tf/BUILD",
      kept.replace(
        "package.\n", 'package.\npackage(default_visibility = ["//x"])\n'
      )
      + "\n# At the end.\n",
    )
    self.write_build_files()
    self.assertEqual(
      self.read("nct_tf/BUILD"), _BUILD.format(kept) + "\n# At the end.\n"
    )

  def test_writing_twice_changes_nothing(self):
    self.add("nct_tf/options/small.py")
    self.add("nct_tf/a.py", "from nct_tf.options import small\n")
    self.write_build_files()
    before = self.all_build_files()
    self.assertEmpty(self.write_build_files())
    self.assertEqual(self.all_build_files(), before)
    self.assertEqual(run_tool(self.root, "--check").returncode, 0)

  def test_check_names_the_file_and_writes_nothing(self):
    self.add("nct_tf/low.py")
    self.write_build_files()
    self.add("nct_tf/high.py", "from nct_tf import low\n")
    self.add("nct_tf/serving/BUILD", "# Nothing is here.\n")
    before = self.all_build_files()
    process = run_tool(self.root, "--check")
    self.assertEqual(process.returncode, 1)
    self.assertEqual(
      process.stderr,
      "nct_tf/BUILD: differs from what the imports say; run make build_files\n"
      "nct_tf/serving/BUILD: differs from what the imports say; run make"
      " build_files\n",
    )
    self.assertEqual(self.all_build_files(), before)

  @parameterized.named_parameters(
    ("_a_script", "nct_tf", "from scripts import it", "scripts stands above"),
    ("_a_flag", "nct_tf", "import flags.it", "flags stands above"),
    ("_absl_flags", "nct_tf", "from absl import flags", "REFUSED"),
    ("_a_test", "scripts", "from tests.deep import it", "stands above"),
    ("_beside", "scripts", "from examples import it", "does not list examples"),
    ("_others_flags", "examples", "from flags import it", "leaves flags to"),
    ("_more_than_absl", "flags", "import numpy", "ONLY_FROM_OUTSIDE"),
    ("_tensorflow", "flags", "from nct_tf import heavy", "loads tensorflow in"),
    ("_nothing", "scripts", "from nct_tf import gone", "no such thing"),
  )
  def test_refuses_to_import(self, folder, statement, reason):
    for package in ("flags", "nct_tf", "scripts", "examples", "tests/deep"):
      self.add(f"{package}/it.py")
    self.add("nct_tf/__init__.py")
    self.add("nct_tf/heavy.py", "from nct_tf import heavier\n")
    self.add("nct_tf/heavier.py", "import tensorflow as tf\n")
    self.write_build_files()
    self.add(f"{folder}/new.py", f"def f():\n  {statement}\n")
    (line,) = self.refusals()
    self.assertStartsWith(line, f"{folder}/new.py: must not import ")
    self.assertIn(reason, line)

  def test_flags_may_import_what_loads_no_tensorflow(self):
    self.add("nct_tf/__init__.py")
    self.add("nct_tf/light.py", "def f():\n  import tensorflow as tf\n")
    self.add("flags/a.py", "from absl import flags\nfrom nct_tf import light\n")
    self.write_build_files()
    self.add("nct_tf/__init__.py", "import keras\n")
    (line,) = self.refusals()
    self.assertStartsWith(line, "flags/a.py: must not import nct_tf.light: ")
    self.assertIn("it loads keras in nct_tf/__init__.py", line)

  def test_refuses_a_package_without_a_floor(self):
    self.add("new/a.py", "import os\nfrom new import b\n")
    self.add("new/b.py")
    self.assertEqual(
      self.refusals(),
      ["new: the package needs a place in FLOORS of tools/floors.py"],
    )

  def test_refuses_a_circle(self):
    self.add("nct_tf/a.py", "from nct_tf import b\n")
    self.add("nct_tf/b.py", "def f():\n  from nct_tf import a\n")
    circle = "nct_tf/a.py -> nct_tf/b.py -> nct_tf/a.py"
    self.assertEqual(
      self.refusals(), [f"nct_tf/a.py: imports go in a circle: {circle}"]
    )

  def test_refuses_a_label_of_nothing(self):
    self.add("scripts/run.py")
    self.add("tests/a_test.py")
    self.add(
      "tests/BUILD",
      'py_test(name="a_test", srcs=["a_test.py"], data=["//scripts:run"])\n',
    )
    self.write_build_files()
    (self.root / "scripts/run.py").unlink()
    (line,) = self.refusals()
    self.assertStartsWith(
      line, "tests/BUILD: data of a_test names //scripts:run, and there is no"
    )

  def test_refuses_data_from_above(self):
    self.add("nct_tf/a.py")
    self.add("scripts/run.py")
    self.add(
      "nct_tf/BUILD",
      'py_library(name="a", srcs=["a.py"], data=["//scripts:run"])\n',
    )
    (line,) = self.refusals()
    self.assertStartsWith(line, "nct_tf/a.py: must not use //scripts:run: ")

  def test_refuses_a_name_twice(self):
    self.add("nct_tf/a.py")
    self.add("nct_tf/BUILD", 'filegroup(name = "a", srcs = ["a.txt"])\n')
    self.add("scripts/sources.py")
    self.assertEqual(
      self.refusals(),
      [
        f"{folder}/BUILD: 2 targets have the name {name}; rename all but one"
        for folder, name in (("nct_tf", "a"), ("scripts", "sources"))
      ],
    )

  @parameterized.parameters("nct_tf/a.py", "nct_tf/BUILD")
  def test_tells_what_it_cannot_read(self, path):
    self.add("nct_tf/b.py")
    self.write_build_files()
    self.add(path, "\n<<<<<<< HEAD\n")
    (line,) = self.refusals()
    self.assertStartsWith(line, f"{path}:2: ")


if __name__ == "__main__":
  absltest.main()
