"""The floors of the house: which package may import which.

This table is the only place that says so. `tools/build_files.py` refuses
imports that it does not allow. It also makes each package visible only to the
packages that import it, so that Bazel refuses all others.
"""

from collections.abc import Iterator
import graphlib

from tools import python_files

# From the ground up. A package may import itself, every lower floor, and the
# packages of its own floor that are listed beside it. "tests/..." stands for
# tests and all folders below, which count as one package. If two entries fit a
# package, the longer one holds.
FLOORS = (
  # What everything stands on: losses, schedules, options, pictures, files, ...
  {
    "nct_tf": ("nct_tf/options", "nct_tf/system"),
    "nct_tf/options": ("nct_tf", "nct_tf/system"),
    "nct_tf/pictures": (),
    "nct_tf/system": ("nct_tf",),
  },
  {
    "nct_tf/datasets": (
      "nct_tf/datasets/files",
      "nct_tf/datasets/storage",
      "nct_tf/datasets/tfds",
      "nct_tf/datasets/tfds/builders",
    ),
    "nct_tf/datasets/files": ("nct_tf/datasets", "nct_tf/datasets/storage"),
    "nct_tf/datasets/storage": ("nct_tf/datasets",),
    "nct_tf/datasets/tfds": (
      "nct_tf/datasets",
      "nct_tf/datasets/storage",
      "nct_tf/datasets/tfds/builders",
    ),
    "nct_tf/datasets/tfds/builders": (),
    "nct_tf/models": (),
    "nct_tf/networks": (),
    "nct_tf/noise_estimation": (),
  },
  {"nct_tf/input_pipeline": (), "nct_tf/methods": ()},
  {"nct_tf/config": (), "nct_tf/reporting": ()},
  {"nct_tf/workdir": ()},
  {"nct_tf/serving": ()},
  {"nct_tf/serving/clients": ()},
  {"nct_tf/training": ()},
  {"nct_tf/evaluation": ()},
  {"nct_tf/audit": ()},
  {"nct_tf/benchmarks": (), "nct_tf/experiments": ()},
  {"flags": ()},
  {"scripts": (), "examples": (), "tools": (), ".": ()},
  {"tests/...": ()},
)

# Package -> the only packages above it that may import it.
ONLY_FOR = {"flags": ("scripts", "tests/...")}

# The tables below hold for folders and everything below them.

# Folder -> modules from outside of the checkout that it must not import.
REFUSED = {"nct_tf": ("absl.flags",)}

# Folder -> the only outside modules, besides Python's own, that it may import.
ONLY_FROM_OUTSIDE = {"flags": ("absl",)}

# The LIGHT folders have to load fast: loading them must not load the HEAVY
# packages, not even through other imports.
LIGHT = ("flags",)
HEAVY = ("keras", "tensorflow", "tensorflow_addons", "tensorflow_datasets")

_TABLE = "tools/floors.py"


def tops() -> set[str]:
  """Returns the folders of the checkout that the table names."""
  return {entry.split("/")[0] for floor in FLOORS for entry in floor} - {"."}


def refusal(package: str, other: str) -> str | None:
  """Returns why a package must not import another one; None if it may."""
  entry, other_entry = _entry(package), _entry(other)
  if None in (entry, other_entry) or entry == other_entry:
    return None  # `refusals` reports a package without a place, once.
  floor, other_floor = _floor(entry), _floor(other_entry)
  if other_floor > floor:
    return f"{other} stands above {package} in FLOORS of {_TABLE}"
  if other_floor == floor and other_entry not in FLOORS[floor][entry]:
    return f"FLOORS of {_TABLE} does not list {other} beside {package}"
  if entry not in ONLY_FOR.get(other_entry, (entry,)):
    names = ", ".join(ONLY_FOR[other_entry])
    return f"ONLY_FOR of {_TABLE} leaves {other} to {names}"
  return None


def refusals(files: dict[str, python_files.PythonFile]) -> Iterator[str]:
  """Yields a line for each thing that the tables or Python do not allow."""
  for package in sorted(set(map(python_files.package_of, files))):
    if _entry(package) is None:
      yield f"{package}: the package needs a place in FLOORS of {_TABLE}"
  tree = {path.partition("/")[0].removesuffix(".py") for path in files}
  for path, file in files.items():
    for imported in file.imports:
      if imported.file:
        why = refusal(*map(python_files.package_of, (path, imported.file)))
        why = why or _why_heavy(path, imported, files)
      elif imported.name.split(".")[0] in tree:
        why = "the checkout has no such thing"
      else:
        why = _why_not_from_outside(path, imported.name)
      if why:
        yield f"{path}: must not import {imported.name}: {why}"
  yield from _circles(files)


def _entry(package):
  """Returns the entry of FLOORS that a package belongs to."""
  entries = [entry for floor in FLOORS for entry in floor]
  if package in entries:
    return package
  wide = [
    entry
    for entry in entries
    if entry.endswith("/...") and _is_below(package, entry[:-4])
  ]
  return max(wide, key=len, default=None)


def _floor(entry):
  return next(i for i, floor in enumerate(FLOORS) if entry in floor)


def _is_below(path, folder):
  return f"{path}/".startswith(f"{folder}/")


def _is_inside(name, modules):
  return any(f"{name}.".startswith(f"{module}.") for module in modules)


def _why_not_from_outside(path, name):
  for folder, modules in REFUSED.items():
    if _is_below(path, folder) and _is_inside(name, modules):
      return f"REFUSED of {_TABLE} names it"
  for folder, modules in ONLY_FROM_OUTSIDE.items():
    if (
      _is_below(path, folder)
      and not _is_inside(name, modules)
      and not python_files.is_standard(name)
    ):
      return f"ONLY_FROM_OUTSIDE of {_TABLE} allows {', '.join(modules)}"
  return None


def _why_heavy(path, imported, files):
  """Returns how a light file's import loads a heavy package, or None."""
  if not any(_is_below(path, folder) for folder in LIGHT):
    return None
  # Loading a file also loads the `__init__.py` of each package above it.
  queue, seen = [imported.file], set()
  for file in queue:
    if file in seen:
      continue
    seen.add(file)
    queue += [init for init in _packages_above(file) if init in files]
    for inner in files[file].imports:
      if inner.at_load and inner.file:
        queue.append(inner.file)
      elif inner.at_load and _is_inside(inner.name, HEAVY):
        package = inner.name.split(".")[0]
        return f"it loads {package} in {file} (LIGHT of {_TABLE})"
  return None


def _packages_above(path):
  """Returns the `__init__.py` of each folder that a file is in."""
  folders = path.split("/")[:-1]
  return [
    "/".join([*folders[: i + 1], "__init__.py"]) for i in range(len(folders))
  ]


def _circles(files):
  graph = {
    path: sorted({imported.file for imported in file.imports} - {None})
    for path, file in files.items()
  }
  try:
    graphlib.TopologicalSorter(graph).prepare()
  except graphlib.CycleError as error:
    # The error names an imported file before the file that imports it.
    circle = error.args[1][::-1]
    yield f"{circle[0]}: imports go in a circle: {' -> '.join(circle)}"
