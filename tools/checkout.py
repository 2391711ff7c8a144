"""What the checkout holds now: its Python files and its BUILD files."""

import pathlib

from tools import build_syntax, floors, python_files

_MARK = "# `make build_files` writes this file from the imports."
HEADER = f"""\
{_MARK} It keeps what
# is added by hand: size, data and the like, and rules that are not Python's.
"""


class BuildFile:
  """What a BUILD file holds.

  Attributes:
    package_comments: The comments above the call of `package`.
    first: The statements that have to come before all rules.
    python: dict from file to the Python target that has it.
    rules: All other rules except `sources`, which is written anew.
    last_comments: The comments below all statements.
  """

  def __init__(self, text: str, path: str):
    if text.startswith(_MARK):
      header, _, below = text.partition("\n\n")
      # Empty lines replace the header, so that line numbers in messages hold.
      text = "\n" * (header.count("\n") + 2) + below
    statements, self.last_comments = build_syntax.parse(text, path)
    self.package_comments = ""
    self.first = []
    self.python = {}
    self.rules = []
    for statement in statements:
      if statement.rule == "package":
        self.package_comments = statement.comments
      elif statement.rule in ("", "load"):
        self.first.append(statement)
      elif statement.rule.startswith("py_"):
        self.python |= dict.fromkeys(statement.strings("srcs"), statement)
      elif statement.names() != ["sources"]:
        self.rules.append(statement)


class Checkout:
  """What the checkout holds.

  Attributes:
    files: dict from path to what the Python file holds.
    texts: dict from path to the text of the BUILD file.
    builds: dict from package to what its BUILD file holds.
    packages: The packages that should have a BUILD file, sorted.
    targets: dict from path to the target that the Python file should have.
    rules: dict from target to the rule that makes it, without Python's rules.
  """

  def __init__(self, root: pathlib.Path):
    paths, builds = python_files.find(root, floors.tops())
    self.files = python_files.read(root, paths)
    self.texts = {
      path: (root / path).read_text(encoding="utf-8") for path in builds
    }
    self.builds = {
      python_files.package_of(path): BuildFile(text, path)
      for path, text in self.texts.items()
    }
    self.packages = sorted(
      {".", *map(python_files.package_of, paths)}
      | {package for package, build in self.builds.items() if build.rules}
    )
    for package in self.packages:
      self.builds.setdefault(package, BuildFile("", build_path(package)))
    self.targets = {path: self._target_of(path) for path in paths}
    self.rules = {
      build_syntax.Target(package, name): rule
      for package, build in self.builds.items()
      for rule in build.rules
      for name in rule.names()
    }

  def _target_of(self, path):
    package = python_files.package_of(path)
    name = path.rpartition("/")[2].removesuffix(".py")
    folder = package.rpartition("/")[2]
    # A package's target gets the folder's name, which makes a short label,
    # unless a module has that name.
    if name == "__init__" and f"{package}/{folder}.py" not in self.files:
      name = folder
    return build_syntax.Target(package, name)


def build_path(package: str) -> str:
  """Returns the path of a package's BUILD file."""
  return f"{package}/BUILD".removeprefix("./")
