"""Writes the BUILD files of the checkout from what its Python files import.

  python3 -m tools.build_files [--check]

`make build_files` calls it. Each Python file gets one target, whose `deps` are
its imports; `# pip:` comments name the outside packages. A package is visible
to those that use it, and to no other. tools/floors.py says what may be used.

What imports do not tell is kept from the BUILD file: other arguments of a
target, such as `size` and `data`; rules that are not Python's; and comments.
The target of a file that moved is found by the file's name, and labels of it
follow.

What is wrong is told in a line each. Then nothing is written, and the exit
code is 1. With --check that is so too where a BUILD file is not as it ought to
be, and nothing is ever written.
"""

import argparse
import collections
import pathlib
import sys

from tools import build_syntax, floors, python_files

_ROOT = pathlib.Path(__file__).absolute().parents[1]
_MARK = "# `make build_files` writes this file from the imports."
_HEADER = f"""\
{_MARK} It keeps what
# is added by hand: size, data and the like, and rules that are not Python's.
"""
_DERIVED = {"name", "srcs", "deps", "visibility"}


class BuildFile:
  """What a BUILD file holds now."""

  def __init__(self, text):
    if text.startswith(_MARK):
      text = text.partition("\n\n")[2]
    statements, self.last_comments = build_syntax.parse(text)
    self.package_comments = ""
    self.first = []  # What comes before all rules.
    self.python = {}  # By file: the target that has it.
    self.rules = []  # All others.
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
  """What the checkout holds now.

  Attributes:
    files: By path: what each Python file holds.
    texts: By path: the text of each BUILD file.
    packages: The folders with a Python file or a BUILD file, and the root.
    builds: By package: what its BUILD file holds.
    targets: By path: the target that each Python file ought to have.
    rules: By target: the rule that makes it, if none of Python's.
  """

  def __init__(self, root: pathlib.Path):
    paths, builds = python_files.find(root, floors.tops())
    self.files = python_files.read(root, paths)
    self.texts = {
      path: (root / path).read_text(encoding="utf-8") for path in builds
    }
    self.packages = sorted(
      {".", *map(python_files.package_of, [*paths, *builds])}
    )
    self.builds = {
      package: BuildFile(self.texts.get(build_path(package), ""))
      for package in self.packages
    }
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
    # The folder's name makes a short label, unless a module has that name.
    if name == "__init__" and f"{package}/{folder}.py" not in self.files:
      name = folder
    return build_syntax.Target(package, name)


class Writer:
  """Finds what the BUILD files of a checkout ought to hold.

  Attributes:
    problems: What is wrong with the checkout, a line each.
    notes: What is dropped and may be missed, a line each.
  """

  def __init__(self, checkout: Checkout):
    self.checkout = checkout
    self.problems = list(floors.refusals(checkout.files))
    self.notes = []
    self._kept = {}  # By path: the package and statement to keep from.
    self._moved = {}  # By target before: target now.
    self._users = collections.defaultdict(set)  # By package.
    self._targets = set(checkout.targets.values())
    self._find_kept()
    self._check_names()

  def write(self) -> dict[str, str | None]:
    """Returns the text of each BUILD file; None if it ought to go."""
    checkout = self.checkout
    blocks = {package: [] for package in checkout.packages}
    for path, target in sorted(checkout.targets.items(), key=lambda x: x[1]):
      blocks[target.package].append(self._python_target(path))
    for package, build in checkout.builds.items():
      blocks[package] += [self._other_rule(x, package) for x in build.rules]
    used = [x for x in checkout.packages if blocks[x] or x == "."]
    texts = {build_path(package): None for package in checkout.packages}
    for package in used:
      blocks[package].append(_sources(package, used))
      texts[build_path(package)] = self._text(package, blocks[package])
    return texts

  def _find_kept(self):
    """Finds the target that each file has, or had before the file moved."""
    gone, new = collections.defaultdict(list), collections.defaultdict(list)
    for package, build in self.checkout.builds.items():
      for source, statement in build.python.items():
        path = f"{package}/{source}".removeprefix("./")
        if path in self.checkout.files:
          self._kept[path] = package, statement
        else:
          gone[_moving_name(path)].append((package, statement))
    for path in self.checkout.files.keys() - self._kept.keys():
      new[_moving_name(path)].append(path)
    for name, found in gone.items():
      if len(found) == len(new[name]) == 1:
        (path,), ((package, statement),) = new[name], found
        self._kept[path] = package, statement
        for old in statement.names():
          before = build_syntax.Target(package, old)
          self._moved[before] = self.checkout.targets[path]
      else:
        self.notes += _lost(name, found)

  def _check_names(self):
    targets = [*self.checkout.targets.values(), *self.checkout.rules]
    targets += [
      build_syntax.Target(package, "sources")
      for package in self.checkout.packages
    ]
    for target, count in collections.Counter(targets).items():
      if count > 1:
        self.problems.append(
          f"{build_path(target.package)}: {count} targets have the name"
          f" {target.name}; rename all but one"
        )

  def _python_target(self, path):
    """Returns a file's target, with the comments above it."""
    file, target = self.checkout.files[path], self.checkout.targets[path]
    deps = [self.checkout.targets[x.file] for x in file.imports if x.file]
    outside = [
      f"pip: {x.name.split('.')[0]}"
      for x in file.imports
      if not x.file and not python_files.is_standard(x.name)
    ]
    arguments = {
      "name": f'"{target.name}"',
      "srcs": build_syntax.short_list_text([path.rpartition("/")[2]]),
    }
    if deps or outside:
      labels = [dep.label(target.package) for dep in deps]
      arguments["deps"] = build_syntax.list_text(labels, outside)
    comments = ""
    if path in self._kept:
      home, statement = self._kept[path]
      comments = statement.comments
      for key in sorted(statement.arguments.keys() - _DERIVED):
        labels = self._labels(statement, key, home)
        self._check_floors(path, target.package, labels)
        deps += labels.values()
        arguments[key] = _argument(statement, key, labels, target.package)
    self._note_uses(deps, target.package)
    return comments + build_syntax.call_text(_rule(path, file), arguments)

  def _other_rule(self, rule, package):
    """Returns a rule as it is, but for labels that moved."""
    text = rule.text
    for key in sorted(rule.arguments.keys() - {"visibility"}):
      labels = self._labels(rule, key, package)
      self._note_uses(labels.values(), package)
      text = _follow(text, labels, package)
    return rule.comments + text

  def _labels(self, statement, key, package):
    """Returns the labels in a package's argument, each with its target now."""
    labels = {}
    for label in statement.strings(key):
      if not label.startswith(("//", ":")):
        continue
      before = build_syntax.Target.parse(label, package)
      target = self._moved.get(before, before)
      if self._exists(target):
        labels[label] = target
      else:
        self.problems.append(
          f"{build_path(package)}: {key} of {', '.join(statement.names())}"
          f" names {label}, and there is no such target"
        )
    return labels

  def _exists(self, target):
    return (
      target in self._targets
      or target in self.checkout.rules
      or (target.name == "sources" and target.package in self.checkout.packages)
    )

  def _check_floors(self, path, package, labels):
    for label, target in labels.items():
      if target in self._targets:
        why = floors.refusal(package, target.package)
        if why:
          self.problems.append(f"{path}: must not use {label}: {why}")

  def _note_uses(self, targets, package):
    for target in targets:
      rule = self.checkout.rules.get(target)
      is_visible = target.name == "sources" or (
        rule and "visibility" in rule.arguments
      )
      if target.package != package and not is_visible:
        self._users[target.package].add(package)

  def _text(self, package, blocks):
    """Returns the text of a BUILD file that has these blocks."""
    build = self.checkout.builds[package]
    first = [x.comments + x.text for x in build.first]
    visibility = build.package_comments
    if users := self._users[package]:
      folders = [user.removeprefix(".") for user in users]
      labels = [f"//{folder}:__pkg__" for folder in folders]
      visibility += _package(labels)
    blocks = [_HEADER, *first, visibility, *blocks, build.last_comments]
    return "\n".join(f"{x.rstrip()}\n" for x in blocks if x)


def build_path(package: str) -> str:
  """Returns the path of a package's BUILD file."""
  return f"{package}/BUILD".removeprefix("./")


def _moving_name(path):
  """Returns the part of a path that stays when the file moves."""
  folder, name = path.split("/")[-2:] if "/" in path else ("", path)
  return f"{folder}/{name}" if name == "__init__.py" else name


def _lost(name, found):
  """Yields what is dropped with targets whose file is gone."""
  for package, statement in found:
    for key in sorted(statement.arguments.keys() - _DERIVED):
      what = f"{key} = {' '.join(statement.source(key).split())}"
      yield f"{build_path(package)}: {name} is gone, and with it {what}"


def _rule(path, file):
  if path.endswith("_test.py"):
    return "py_test"
  return "py_binary" if file.is_program else "py_library"


def _argument(statement, key, labels, package):
  """Returns an argument for a package's BUILD file."""
  if not statement.is_plain_list(key):
    return _follow(statement.source(key), labels, package)
  return build_syntax.short_list_text(
    [
      labels[item].label(package) if item in labels else item
      for item in statement.strings(key)
    ]
  )


def _follow(text, labels, package):
  for label, target in labels.items():
    if target != build_syntax.Target.parse(label, package):
      text = text.replace(f'"{label}"', f'"{target.label(package)}"')
  return text


def _package(labels):
  value = build_syntax.short_list_text(labels)
  if len(labels) > 1:  # The call's own line is the list's, one step less deep.
    value = value.replace("\n    ", "\n")
  return f"package(default_visibility = {value})\n"


def _sources(package, packages):
  """Returns the target of all source code from a package down.

  Args:
    package: The package.
    packages: All packages, the root as well.
  """
  below = [x for x in packages if _is_below(x, package)]
  next_below = [
    f"//{x}:sources"
    for x in below
    if not any(_is_below(x, other) for other in below)
  ]
  files = build_syntax.list_text(["BUILD", *next_below])
  if not next_below:
    files = '["BUILD"]'
  return (
    "# For tests that read the source code, from here down.\n"
    + build_syntax.call_text(
      "filegroup",
      {
        "name": '"sources"',
        "srcs": f'glob(["*.py"]) + {files}',
        "visibility": '["//visibility:public"]',
      },
    )
  )


def _is_below(package, other):
  return package != other and (other == "." or package.startswith(f"{other}/"))


def main() -> int:
  """Writes or checks; returns the exit code."""
  parser = argparse.ArgumentParser(
    description="Writes the BUILD files from the imports."
  )
  parser.add_argument(
    "--check", action="store_true", help="tell which differ, write nothing"
  )
  check = parser.parse_args().check
  checkout = Checkout(_ROOT)
  writer = Writer(checkout)
  wanted = writer.write()
  if writer.problems:
    print(*sorted(writer.problems), sep="\n", file=sys.stderr)
    return 1
  differing = [x for x in wanted if wanted[x] != checkout.texts.get(x)]
  if check:
    for path in differing:
      print(f"{path}: differs from the imports; run make build_files")
    return 1 if differing else 0
  print(*writer.notes, sep="\n", end="\n" if writer.notes else "")
  for path in differing:
    print(f"{path}: {'removed' if wanted[path] is None else 'written'}")
    if wanted[path] is None:
      (_ROOT / path).unlink()
    else:
      (_ROOT / path).write_text(wanted[path], encoding="utf-8")
  return 0


if __name__ == "__main__":
  sys.exit(main())
