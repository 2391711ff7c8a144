"""BUILD files as text: labels, statements, and buildifier's format."""

import ast
import typing

_FIRST = ("name", "size", "timeout", "testonly", "srcs")
_LAST = ("deps",)


class Target(typing.NamedTuple):
  """A target, which BUILD files name by a label."""

  package: str
  name: str

  @classmethod
  def parse(cls, label: str, package: str) -> "Target":
    """Returns the target of a label in a package's BUILD file."""
    if label.startswith(":"):
      return cls(package, label[1:])
    package, _, name = label.removeprefix("//").partition(":")
    return cls(package or ".", name or package.rpartition("/")[2])

  def label(self, package: str) -> str:
    """Returns the label for a package's BUILD file."""
    if self.package == package:
      return f":{self.name}"
    folder = self.package.removeprefix(".")
    is_short = self.name == folder.rpartition("/")[2]
    return f"//{folder}" if is_short else f"//{folder}:{self.name}"


class Statement(typing.NamedTuple):
  """A statement of a BUILD file; most are calls of rules."""

  comments: str  # The lines above it, with their last newline.
  text: str
  rule: str  # "" if it calls none.
  arguments: dict[str, ast.expr]  # Positional ones have numbers as names.

  def strings(self, key: str) -> list[str]:
    """Returns the strings in an argument, those of a glob included."""
    if key not in self.arguments:
      return []
    return [
      node.value
      for node in ast.walk(self.arguments[key])
      if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]

  def names(self) -> list[str]:
    """Returns the name of its target, or of the files that it exports."""
    exported = self.strings("0") + self.strings("srcs")
    return exported if self.rule == "exports_files" else self.strings("name")

  def source(self, key: str) -> str:
    """Returns an argument as it is written."""
    return ast.get_source_segment(self.text, self.arguments[key])

  def is_plain_list(self, key: str) -> bool:
    """Says if an argument is a list of strings that may be sorted."""
    node = self.arguments[key]
    return (
      key in ("data", "tags")
      and isinstance(node, ast.List)
      and len(node.elts) == len(self.strings(key))
      and "#" not in self.source(key)
    )


def parse(text: str, path: str) -> tuple[list[Statement], str]:
  """Returns the statements of a BUILD file, and the comments after them."""
  lines = text.splitlines(keepends=True)
  statements, done = [], 0
  for node in ast.parse(text, filename=path).body:
    above = "".join(lines[done : node.lineno - 1]).lstrip("\n")
    done = node.end_lineno
    own = "".join(lines[node.lineno - 1 : done])
    statements.append(Statement(above, own, *_parse_call(own)))
  return statements, "".join(lines[done:]).strip("\n")


def _parse_call(text):
  call = getattr(ast.parse(text).body[0], "value", None)
  if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
    return "", {}
  arguments = {str(i): node for i, node in enumerate(call.args)}
  return call.func.id, arguments | {x.arg: x.value for x in call.keywords}


def list_text(items: list[str], comments: list[str] = ()) -> str:
  """Returns a list as an argument: a line for each item and each comment."""
  lines = [f'"{item}",' for item in sorted(set(items), key=_label_key)]
  lines += [f"# {comment}" for comment in sorted(set(comments))]
  return "\n".join(["[", *(f"        {line}" for line in lines), "    ]"])


def short_list_text(items: list[str]) -> str:
  """Returns a list as an argument, in one line if it has a single item."""
  return f'["{items[0]}"]' if len(items) == 1 else list_text(items)


def call_text(rule: str, arguments: dict[str, str]) -> str:
  """Returns the call of a rule; the arguments are given as text."""
  keys = [key for key in _FIRST if key in arguments]
  keys += sorted(arguments.keys() - {*_FIRST, *_LAST})
  keys += [key for key in _LAST if key in arguments]
  lines = [f"    {key} = {arguments[key]},\n" for key in keys]
  return f"{rule}(\n{''.join(lines)})\n"


def _label_key(label):
  """Sorts files first, then labels of the same package, then of others."""
  kind = 2 if label.startswith("//") else 1 if label.startswith(":") else 0
  return kind, label.replace(":", " ")
