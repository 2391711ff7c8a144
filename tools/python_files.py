"""The checkout's Python files, and what each of them imports.

A file is named by its path below the checkout's root, such as
`nct_tf/losses.py`. A package is named by its folder, such as `nct_tf`; the root
is ".".
"""

import ast
import os
import pathlib
import sys
import typing

# It names modules of all packages, and loads each when it is first used. They
# do not count as its imports: a file that uses one has it among its own.
_PUBLIC_FACE = "nct_tf/__init__.py"
# The fields in which a statement has inner statements.
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")


class Import(typing.NamedTuple):
  """One thing that a file imports, anywhere in it."""

  name: str  # The dotted name of a module, or of something in one.
  file: str | None  # None outside of the checkout.
  at_load: bool  # False inside of a function.


class PythonFile(typing.NamedTuple):
  """What the target of a file needs to say."""

  imports: list[Import]
  is_program: bool  # It has a part `if __name__ == "__main__":`.


def package_of(path: str) -> str:
  """Returns the folder of a file, as a package is named."""
  return path.rpartition("/")[0] or "."


def find(root: pathlib.Path, tops: set[str]) -> tuple[list[str], list[str]]:
  """Returns the Python files and the BUILD files, both sorted.

  Looks into the root, and into its folders that are in `tops` or have such a
  file themselves. Other folders, such as data, runs and environments, may be
  large and are skipped.
  """
  python, build = [], []
  for folder, folders, names in os.walk(root):
    place = pathlib.Path(folder).relative_to(root)
    paths = [place / name for name in names]
    python += [path.as_posix() for path in paths if path.suffix == ".py"]
    build += [path.as_posix() for path in paths if path.name == "BUILD"]
    folders[:] = [
      name
      for name in folders
      if not name.startswith((".", "__"))
      and (place.parts or _is_top(root / name, tops))
    ]
  return sorted(python), sorted(build)


def _is_top(folder, tops):
  if folder.is_symlink():  # Bazel's links, which hold a copy of the checkout.
    return False
  return folder.name in tops or any(
    path.suffix == ".py" or path.name == "BUILD" for path in folder.iterdir()
  )


def read(root: pathlib.Path, paths: list[str]) -> dict[str, PythonFile]:
  """Returns what each of the files holds."""
  trees = {
    path: ast.parse((root / path).read_text(encoding="utf-8"), filename=path)
    for path in paths
  }
  files = {}
  for path, tree in trees.items():
    imports = [
      Import(name, _file_of(name, trees), at_load)
      for name, at_load in _imported_names(tree, path)
    ]
    if path != _PUBLIC_FACE and any(i.name == "importlib" for i in imports):
      imports += _lazy_imports(tree, trees)
    files[path] = PythonFile(imports, any(map(_is_main_guard, tree.body)))
  return files


def is_standard(name: str) -> bool:
  """Says if a module comes with Python."""
  return name.split(".")[0] in sys.stdlib_module_names


def _imported_names(tree, path):
  """Yields each imported name, and whether loading the file imports it."""
  for node, at_load in _statements(tree, True):
    if isinstance(node, ast.Import):
      yield from ((alias.name, at_load) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      above = path.split("/")[: -node.level] if node.level else []
      module = [*above, node.module] if node.module else above
      for alias in node.names:
        yield ".".join([*module, alias.name]), at_load


def _lazy_imports(tree, trees):
  """Yields the modules that strings name, which `importlib` loads later."""
  for node in ast.walk(tree):
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
      name = node.value
      if "." in name and (path := _module(name, trees)):
        yield Import(name, path, at_load=False)


def _statements(node, at_load):
  """Yields the inner statements of one, and whether loading runs them."""
  for block in _BLOCKS:
    for child in getattr(node, block, ()):
      yield child, at_load
      is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
      yield from _statements(child, at_load and not is_function)


def _file_of(name, trees):
  """Returns the file of a module, or of something in a module, or None."""
  if path := _module(name, trees):
    return path
  name, _, part = name.rpartition(".")
  path = _module(name, trees)
  return path if path and part in {"*", *_names(trees[path])} else None


def _module(name, trees):
  path = name.replace(".", "/")
  paths = [f"{path}.py", f"{path}/__init__.py"]
  return next((path for path in paths if path in trees), None)


def _names(tree):
  """Yields the names that a file defines."""
  for node in ast.walk(tree):
    if isinstance(node, ast.Name):
      yield node.id
    elif isinstance(node, ast.alias):
      yield node.asname or node.name.partition(".")[0]
    elif isinstance(node, ast.FunctionDef | ast.ClassDef):
      yield node.name


def _is_main_guard(node):
  return (
    isinstance(node, ast.If)
    and ast.unparse(node.test) == "__name__ == '__main__'"
  )
