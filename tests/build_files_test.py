"""BUILD files have one target a file, and its deps are the file's imports.

Both are read with `ast`, without Bazel, and what fails here says which line
belongs into which BUILD file. In the deps, `# pip:` comments name the outside
packages. The `__init__.py` of a package counts as imported where it is named,
not where a module below it is.
"""

import ast
import graphlib
import pathlib
import re
import sys
import typing

from absl.testing import absltest, parameterized

ROOT = pathlib.Path(__file__).parent.parent
# All of the checkout, but for what is hidden, built, or an environment.
FILES = sorted(
  path
  for top in ROOT.iterdir()
  if not top.name.startswith((".", "bazel-"))
  and not (top / "pyvenv.cfg").exists()
  for path in ([top] if top.suffix == ".py" else top.rglob("*.py"))
)
FOLDERS = sorted({path.parent for path in FILES})


class Target(typing.NamedTuple):
  """A target of the Python rules."""

  rule: str
  name: str
  srcs: list
  deps: set  # Lines as they stand in the BUILD file.

  def __str__(self):
    lines = [f'name = "{self.name}",', f'srcs = ["{self.srcs[0]}"],']
    if self.deps:
      # The package's own come first, then other packages', then comments.
      deps = sorted(self.deps, key=lambda x: x.rstrip('",').replace(":", " "))
      lines += ["deps = [", *(f"    {line}" for line in deps), "],"]
    return "\n    ".join([f"{self.rule}(", *lines]) + "\n)"


def imported_names(path):
  """Yields what a file imports, anywhere in it, with dots."""
  for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
    if isinstance(node, ast.Import):
      yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      yield from (f"{node.module}.{alias.name}" for alias in node.names)


def find_file(name):
  """Returns the file of a module, or of something in it; None outside."""
  for module in (name, name.rpartition(".")[0]):
    path = ROOT.joinpath(*module.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
      if file in FILES:
        return file
  return None


def imported_files(path):
  return {find_file(name) for name in imported_names(path)} - {None}


def target_name(path):
  return path.parent.name if path.stem == "__init__" else path.stem


def label(path, folder):
  """Returns how a BUILD file of `folder` names the target of a file."""
  name, package = target_name(path), path.parent.relative_to(ROOT).as_posix()
  if path.parent == folder:
    return f":{name}"
  return f"//{package}" + ("" if name == path.parent.name else f":{name}")


def wanted_target(path):
  """Returns the target that a file ought to have."""
  rule = "py_library"
  if path.name.endswith("_test.py"):
    rule = "py_test"
  elif 'if __name__ == "__main__":' in path.read_text(encoding="utf-8"):
    rule = "py_binary"
  deps = {f'"{label(file, path.parent)}",' for file in imported_files(path)}
  for name in imported_names(path):
    package = name.split(".")[0]
    if not find_file(name) and package not in sys.stdlib_module_names:
      deps.add(f"# pip: {package}")
  return Target(rule, target_name(path), [path.name], deps)


def rule_calls(folder):
  """Yields rule, arguments and text of each call in a BUILD file."""
  build = folder / "BUILD"
  text = build.read_text(encoding="utf-8") if build.exists() else ""
  for statement in ast.parse(text).body:
    call = statement.value
    arguments = {keyword.arg: keyword.value for keyword in call.keywords}
    yield call.func.id, arguments, ast.get_source_segment(text, call)


def actual_targets(folder):
  """Yields the Python targets of a folder's BUILD file."""
  for rule, arguments, text in rule_calls(folder):
    if rule.startswith("py_"):
      name, srcs, deps = (
        ast.literal_eval(arguments[key]) if key in arguments else []
        for key in ("name", "srcs", "deps")
      )
      comments = re.findall(r"# pip: \S+", text)
      lines = {f'"{dep}",' for dep in deps} | set(comments)
      yield Target(rule, name, srcs, lines)


def mistakes(folder):
  """Yields what is to be changed in a folder's BUILD file, and how."""
  build = (folder / "BUILD").relative_to(ROOT)
  files = [path for path in FILES if path.parent == folder]
  targets = list(actual_targets(folder))
  for target in targets:
    if target.srcs not in [[path.name] for path in files]:
      yield f"{build}: take out {target.name}, its srcs are not one file here"
  for path in files:
    wanted = wanted_target(path)
    found = [target for target in targets if path.name in target.srcs]
    if not found:
      yield f"{build}: add\n{wanted}"
    elif len(found) > 1:
      yield f"{build}: {path.name} stands in {len(found)} targets; leave one"
    elif found[0][:3] != wanted[:3]:
      yield f"{build}: put this for {path.name}\n{wanted}"
    else:
      deps = found[0].deps
      for line in sorted(wanted.deps - deps):
        yield f"{build}: add to the deps of {wanted.name}\n        {line}"
      for line in sorted(deps - wanted.deps):
        yield f"{build}: take from the deps of {wanted.name}\n        {line}"


class BuildFilesTest(parameterized.TestCase):
  @parameterized.named_parameters(
    (f"_{folder.relative_to(ROOT)}", folder) for folder in FOLDERS
  )
  def test_targets_match_files(self, folder):
    if found := list(mistakes(folder)):
      self.fail("\n" + "\n".join(found))

  def test_flags_are_visible_to_scripts_and_tests_alone(self):
    for rule, arguments, _ in rule_calls(ROOT / "flags"):
      if rule == "package":
        self.assertEqual(
          ast.literal_eval(arguments["default_visibility"]),
          ["//scripts:__pkg__", "//tests:__pkg__"],
        )
      elif rule != "filegroup":
        self.assertNotIn("visibility", arguments)


class LayersTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("_nct_tf", "nct_tf", r"(flags|scripts|tests|absl\.flags)\b"),
    ("_flags", "flags", r"(?!(absl|flags)\b)"),
    ("_scripts", "scripts", r"tests\b"),
  )
  def test_imports_point_down(self, folder, forbidden):
    for path in (ROOT / folder).rglob("*.py"):
      for name in imported_names(path):
        if re.match(forbidden, name):
          self.fail(f"{path.relative_to(ROOT)} must not import {name}")

  def test_no_imports_go_in_circles(self):
    graph = {path: imported_files(path) for path in FILES}
    graphlib.TopologicalSorter(graph).prepare()


if __name__ == "__main__":
  absltest.main()
