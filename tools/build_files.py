"""Writes the BUILD files of the checkout from what its Python files import.

  python3 -m tools.build_files [--check]

`make build_files` calls it. Each Python file gets one target, whose `deps` are
its imports; `# pip:` comments name the outside packages. A package is visible
only to the packages that use it. tools/floors.py says what may be used.

What imports do not tell is kept from the existing BUILD file: other arguments
of a target, such as `size` and `data`; rules that are not Python's; and
comments. The target of a file that moved is found by the file's name, and
labels that name it are changed along with it.

If something is wrong, one line is printed for each problem, nothing is written,
and the exit code is 1. With --check nothing is ever written, and a BUILD file
that is not as it should be is a problem, too.
"""

import argparse
import collections
import pathlib
import sys

from tools import build_syntax, checkout, floors, python_files

_ROOT = pathlib.Path(__file__).absolute().parents[1]
_DERIVED = {"name", "srcs", "deps", "visibility"}


class Writer:
  """Finds what the BUILD files of a checkout ought to hold.

  Attributes:
    problems: What is wrong with the checkout, a line for each problem.
    notes: What is dropped and may be missed, a line for each thing.
  """

  def __init__(self, tree: checkout.Checkout):
    self.problems = list(floors.refusals(tree.files))
    self.notes = []
    self._tree = tree
    self._targets = set(tree.targets.values())
    self._kept = {}  # By path: the package and statement to keep from.
    self._moved = {}  # By target before: target now.
    self._users = collections.defaultdict(set)  # By package.
    self._find_kept()
    self._check_names()

  def texts(self) -> dict[str, str]:
    """Returns the text that each BUILD file ought to have."""
    blocks = {package: [] for package in self._tree.packages}
    by_target = {target: path for path, target in self._tree.targets.items()}
    for target, path in sorted(by_target.items()):
      blocks[target.package].append(self._python_target(path))
    for package in self._tree.packages:
      for rule in self._tree.builds[package].rules:
        blocks[package].append(self._other_rule(rule, package))
    return {
      checkout.build_path(package): self._text(package, blocks[package])
      for package in self._tree.packages
    }

  def _find_kept(self):
    """Finds each file's target, also from before the file moved."""
    gone, new = collections.defaultdict(list), collections.defaultdict(list)
    for package, build in self._tree.builds.items():
      for source, statement in build.python.items():
        path = f"{package}/{source}".removeprefix("./")
        if path in self._tree.files:
          self._kept[path] = package, statement
        else:
          gone[_moving_name(path)].append((package, statement))
    for path in self._tree.files.keys() - self._kept.keys():
      new[_moving_name(path)].append(path)
    for name, found in gone.items():
      if len(found) == len(new[name]) == 1:
        (path,), ((package, statement),) = new[name], found
        self._kept[path] = package, statement
        for old in statement.names():
          before = build_syntax.Target(package, old)
          self._moved[before] = self._tree.targets[path]
      else:
        self.notes += _lost(name, found)

  def _check_names(self):
    targets = [*self._tree.targets.values(), *self._tree.rules]
    targets += [
      build_syntax.Target(package, "sources") for package in self._tree.packages
    ]
    for target, count in collections.Counter(targets).items():
      if count > 1:
        path = checkout.build_path(target.package)
        self.problems.append(
          f"{path}: {count} targets have the name {target.name};"
          " rename all but one"
        )

  def _python_target(self, path):
    """Returns a file's target, with the comments above it."""
    file, target = self._tree.files[path], self._tree.targets[path]
    deps = [self._tree.targets[x.file] for x in file.imports if x.file]
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
    """Returns a rule unchanged, except for labels of targets that moved."""
    text = rule.text
    for key in sorted(rule.arguments.keys() - {"visibility"}):
      labels = self._labels(rule, key, package)
      self._note_uses(labels.values(), package)
      text = _follow(text, labels, package)
    return rule.comments + text

  def _labels(self, statement, key, package):
    """Returns the labels in an argument, each with its present target."""
    labels = {}
    for label in statement.strings(key):
      if not label.startswith(("//", ":")):
        continue
      before = build_syntax.Target.parse(label, package)
      target = self._moved.get(before, before)
      if self._exists(target):
        labels[label] = target
      else:
        path, names = checkout.build_path(package), statement.names()
        self.problems.append(
          f"{path}: {key} of {', '.join(names)} names {label}, and there is no"
          " such target; name another or take it out"
        )
    return labels

  def _exists(self, target):
    return (
      target in self._targets
      or target in self._tree.rules
      or (target.name == "sources" and target.package in self._tree.packages)
    )

  def _check_floors(self, path, package, labels):
    for label, target in labels.items():
      if target in self._targets:
        why = floors.refusal(package, target.package)
        if why:
          self.problems.append(f"{path}: must not use {label}: {why}")

  def _note_uses(self, targets, package):
    for target in targets:
      rule = self._tree.rules.get(target)
      is_visible = target.name == "sources" or (
        rule and "visibility" in rule.arguments
      )
      if target.package != package and not is_visible:
        self._users[target.package].add(package)

  def _text(self, package, blocks):
    """Returns the text of a BUILD file that has these blocks."""
    build = self._tree.builds[package]
    first = [x.comments + x.text for x in build.first]
    visibility = build.package_comments
    if users := self._users[package]:
      folders = [user.removeprefix(".") for user in users]
      labels = [f"//{folder}:__pkg__" for folder in folders]
      visibility += _package(labels)
    sources = _sources(package, self._tree.packages)
    blocks = [checkout.HEADER, *first, visibility, *blocks, sources]
    blocks.append(build.last_comments)
    return "\n".join(f"{x.rstrip()}\n" for x in blocks if x)


def _moving_name(path):
  """Returns the part of a path that stays when the file moves."""
  folder, name = path.split("/")[-2:] if "/" in path else ("", path)
  return f"{folder}/{name}" if name == "__init__.py" else name


def _lost(name, found):
  """Yields a line for each thing that is dropped because its file is gone."""
  for package, statement in found:
    for key in sorted(statement.arguments.keys() - _DERIVED):
      what = f"{key} = {' '.join(statement.source(key).split())}"
      path = checkout.build_path(package)
      yield f"{path}: {name} is gone, and with it {what}"


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
  if len(labels) > 1:  # The list begins in the call's line: indent one less.
    value = value.replace("\n    ", "\n")
  return f"package(default_visibility = {value})\n"


def _sources(package, packages):
  """Returns the target of all source code from a package down.

  Args:
    package: The package.
    packages: All packages, the root included.
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
  try:
    tree = checkout.Checkout(_ROOT)
  except SyntaxError as error:
    return _tell([f"{error.filename}:{error.lineno}: {error.msg}"])
  writer = Writer(tree)
  wanted = writer.texts()
  if writer.problems:
    return _tell(writer.problems)
  differing = [
    path
    for path in sorted(wanted.keys() | tree.texts.keys())
    if wanted.get(path) != tree.texts.get(path)
  ]
  if check:
    return _tell(
      f"{path}: differs from what the imports say; run make build_files"
      for path in differing
    )
  for note in writer.notes:
    print(note)
  for path in differing:
    if path in wanted:
      (_ROOT / path).write_text(wanted[path], encoding="utf-8")
    else:
      (_ROOT / path).unlink()
    print(f"{path}: {'written' if path in wanted else 'removed'}")
  return 0


def _tell(lines):
  """Prints what is wrong; returns the exit code."""
  lines = sorted(lines)
  for line in lines:
    print(line, file=sys.stderr)
  return 1 if lines else 0


if __name__ == "__main__":
  sys.exit(main())
