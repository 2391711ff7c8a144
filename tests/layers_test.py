"""Imports point down, go in no circle, and flags start without TensorFlow.

`tools/build_files.py` holds the checkout to the table in `tools/floors.py`.
These tests hold it to what no change of the table may give up.
"""

import functools
import graphlib
import pathlib
import re
import sys

from absl.testing import absltest, parameterized

from tests.support import processes
from tools import floors, python_files

_ROOT = pathlib.Path(__file__).absolute().parents[1]
# No program loads all flags, some of which have the same name.
_LOAD = """
import importlib, sys
from absl import flags
for name in sys.argv[1:]:
  importlib.import_module(name)
  for flag in list(flags.FLAGS):
    delattr(flags.FLAGS, flag)
print(*{"keras", "tensorflow"} & sys.modules.keys())
"""


@functools.cache
def read_files():
  paths, _ = python_files.find(_ROOT, floors.tops())
  return python_files.read(_ROOT, paths)


class LayersTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("_nct_tf", "nct_tf", r"(flags|scripts|tests|absl\.flags)\b"),
    ("_flags", "flags", r"(scripts|tests|examples|tensorflow|keras)\b"),
    ("_scripts", "scripts", r"tests\b"),
  )
  def test_imports_point_down(self, folder, forbidden):
    files = {
      path: file
      for path, file in read_files().items()
      if path.startswith(f"{folder}/")
    }
    self.assertNotEmpty(files)
    for path, file in files.items():
      for imported in file.imports:
        if re.match(forbidden, imported.name):
          self.fail(f"{path} must not import {imported.name}")

  def test_no_imports_go_in_circles(self):
    graph = {
      path: {imported.file for imported in file.imports} - {None}
      for path, file in read_files().items()
    }
    self.assertTrue(any(graph.values()))
    graphlib.TopologicalSorter(graph).prepare()

  def test_flags_load_no_tensorflow(self):
    names = [
      path.removesuffix(".py").replace("/", ".")
      for path in read_files()
      if path.startswith("flags/") and not path.endswith("__init__.py")
    ]
    self.assertNotEmpty(names)
    process = processes.run_python("-c", _LOAD, *names)
    self.assertEqual(process.returncode, 0, process.stderr)
    self.assertEqual(process.stdout.strip(), "")

  def test_the_table_names_packages_that_exist(self):
    packages = {python_files.package_of(path) for path in read_files()}
    for floor in floors.FLOORS:
      for entry, beside in floor.items():
        for package in (entry, *beside):
          self.assertIn(package.removesuffix("/..."), packages)

  def test_no_name_hides_one_of_the_standard_library(self):
    # `python tests/losses_test.py`, which is how Bazel starts a test, looks for
    # modules beside the file before it looks anywhere else.
    names = {
      (path.parent, name)
      for path in map(pathlib.PurePosixPath, read_files())
      for name in (path.stem, path.parent.name)
    }
    hidden = [
      f"{folder}: {name}"
      for folder, name in names
      if name in sys.stdlib_module_names
    ]
    self.assertEmpty(hidden)


if __name__ == "__main__":
  absltest.main()
