"""The paper's tables, and other published settings, as configurations.

A table is a file. Those under `presets/` are the paper's, in one of three
scales: `paper` has the paper's settings and figures; `cpu` is the same at a
size that two cores can train; `gpu` is what one GPU trains in a day. There is
also `methods`, which is not the paper's: methods, by noise, without and with
augmentation. Those under `published/` are the settings that other methods were
published with, a file for each method. A column is a dataset with its label
noise, and a row is a method. So a cell is a method on data.
"""

import dataclasses
import functools
import json
import pathlib

from nct_tf import config as config_lib, errors, methods
from nct_tf.options import fields

SCALES = ("paper", "cpu", "gpu")
PUBLISHED = "published"  # Stands in place of a scale.
# Those of all methods, which are ranked.
RANKED = ("methods", "methods_augmented")
NAMES = ("1", "2", "3", "4", "5", "6", *RANKED)  # Those of the paper first.
# What may stand in a table: name -> its title.
MEASURES = {
  "best": "Best",
  "best_test": "Best on test",
  "last": "Last",
  "last10": "Avg. of last 10",
  "top1": "top-1",
  "top5": "top-5",
  "ilsvrc12_top1": "ILSVRC12 top-1",
  "ilsvrc12_top5": "ILSVRC12 top-5",
  "memorised": "Memorised",
  "found": "Wrong labels found",
  "time": "Time",
}
# Those that are multiples of what the baseline has in the same column.
RELATIVE = ("time",)
BASELINE = "standard"  # A method.
# Whose accuracy a cell may tell. The first network stands for "one of two".
ACCURACIES = ("ensemble", "network1")

_HERE = pathlib.Path(__file__).parent
_FOLDER = _HERE / "presets"
_PUBLISHED_FOLDER = _HERE / PUBLISHED
MAIN_ROW = "nct"  # A row of the presets; its cells are named after columns.


@dataclasses.dataclass(frozen=True)
class Cell:
  """A method on data with some noise: one cell of a table.

  Attributes:
    name: str, the column's name, with the row's behind it unless that is NCT,
      or of published settings the one called after the method.
    row: str, the title of its row.
    column: str, the title of its column.
    flags: dict from flag of `scripts.train` to value, of all that is not the
      default; all but the seed.
    accuracy: str, whose accuracy is told, of `ACCURACIES`.
    paper: dict from measure to [mean] or [mean, standard deviation] in
      percent, as the paper has them.
    is_checked: bool, whether `paper` was read where it was published, not
      quoted from memory.
  """

  name: str
  row: str
  column: str
  flags: dict
  accuracy: str
  paper: dict
  is_checked: bool = True
  remark: str = ""

  def config(self, seed, **changes):
    """Returns the `TrainConfig` of a run of this cell.

    Args:
      seed: int.
      **changes: other options, as `TrainConfig.from_flags` takes them.
    """
    flags = {
      name: tuple(value) if isinstance(value, list) else value
      for name, value in self.flags.items()
    }
    return config_lib.TrainConfig.from_flags(
      **{**flags, "seed": seed, **changes}
    )

  def on(self, dataset):
    """Returns the same cell with the same data at another place.

    Args:
      dataset: str, a value of `--dataset`.
    """
    # Of one's own pictures, what the paper says would be chosen anew.
    method = methods.get_options(self.flags.get("method", MAIN_ROW))
    paper = fields.papers_of(config_lib.TrainConfig) | fields.papers_of(method)
    flags = {**paper, **self.flags, "dataset": dataset}
    return dataclasses.replace(self, flags=flags)


@dataclasses.dataclass(frozen=True)
class Table:
  """A table of experiments.

  Attributes:
    name: str, such as `table1` or `methods`, or of published settings the
      method.
    scale: str, of `SCALES`, or `PUBLISHED`.
    title: str.
    measures: tuple of str, of `MEASURES`: what is told of each cell.
    cells: dict from name to `Cell`, row by row.
    remarks: tuple of str, paragraphs on where published figures come from, and
      on what a run here does otherwise.
  """

  name: str
  scale: str
  title: str
  measures: tuple
  cells: dict
  remarks: tuple = ()

  @property
  def folder(self):
    """Where its runs are, relative to all runs: str."""
    return f"{self.scale}/{self.name}"

  @property
  def caption(self):
    """What it is called, and of what it is: str."""
    if self.scale == PUBLISHED:
      return f"{self.title}, as published"
    name = self.name.replace("table", "Table ").replace("_", " ").capitalize()
    name = f"{name}: {self.title}"
    return name if self.scale == "paper" else f"{name} ({self.scale} edition)"

  def remarks_on(self, cells):
    """Returns the paragraphs that concern some of its cells: list of str."""
    of_rows = dict.fromkeys(cell.remark for cell in cells if cell.remark)
    return [*of_rows, *self.remarks]

  def choose(self, names):
    """Returns the cells of those names, in that order; all if there is none.

    Raises:
      InvalidInputError: if there is no cell of such a name.
    """
    for name in names:
      errors.check_choice("cell", name, tuple(self.cells))
    return [self.cells[name] for name in names or self.cells]


def available(scale):
  """Returns which of `NAMES` there are at a scale: tuple of str."""
  errors.check_choice("scale", scale, SCALES)
  return tuple(name for name in NAMES if _path(scale, name).exists())


@functools.cache
def load(name, scale="paper"):
  """Reads a table.

  Args:
    name: str, of `NAMES`.
    scale: str, of `SCALES`.

  Returns:
    a `Table`.

  Raises:
    InvalidInputError: if there is no such table at that scale.
  """
  if name in NAMES and name not in available(scale):
    scales = [each for each in SCALES if name in available(each)]
    raise errors.InvalidInputError(
      f"Argument `table` must be one of {', '.join(available(scale))} at "
      f"--scale={scale}. Received: {name}, which is at "
      + " and ".join(f"--scale={each}" for each in scales)
    )
  errors.check_choice("table", name, available(scale))
  return _read(_path(scale, name), scale, MAIN_ROW)


def available_published():
  """Returns the names of the published settings: tuple of str."""
  return tuple(sorted(path.stem for path in _PUBLISHED_FOLDER.glob("*.json")))


@functools.cache
def load_published(name):
  """Reads the settings that a method was published with.

  Args:
    name: str, of `available_published`.

  Returns:
    a `Table`. It has a cell where a row has published figures for a column, if
    only an empty dict of them.

  Raises:
    InvalidInputError: if there is none of that name.
  """
  errors.check_choice(PUBLISHED, name, available_published())
  return _read(_PUBLISHED_FOLDER / f"{name}.json", PUBLISHED, name)


def _read(path, scale, main_row):
  content = json.loads(path.read_text(encoding="utf-8"))
  if "base" in content:  # It is another table, but for what it says itself.
    path_of_base = path.with_stem(content["base"])
    base = json.loads(path_of_base.read_text(encoding="utf-8"))
    flags = {**base["flags"], **content["flags"]}
    content = {**base, **content, "flags": flags}
  cells = [
    _cell(content, row, column, main_row)
    for row in content["rows"]
    for column in content["columns"]
    if scale != PUBLISHED or column in content["rows"][row]["paper"]
  ]
  return Table(
    path.stem,
    scale,
    content["title"],
    tuple(content["measures"]),
    {cell.name: cell for cell in cells},
    tuple(content.get("remarks", ())),
  )


def describe_published():
  """Returns what there is of published settings, as text of a line each."""
  names = available_published()
  width = max(map(len, names))
  return "\n".join(
    f"{name:<{width}}  {load_published(name).title}: "
    f"{len(load_published(name).cells)} cells"
    for name in names
  )


def on_dataset(cells, dataset):
  """Returns the same cells with the same data at another place.

  Args:
    cells: sequence of `Cell`, all of one dataset.
    dataset: str, a value of `--dataset`; None for where they are.

  Raises:
    InvalidInputError: if they are of several datasets.
  """
  if dataset is None:
    return cells
  names = {cell.flags["dataset"] for cell in cells}
  if len(names) > 1:
    raise errors.InvalidInputError(
      "Argument `dataset` must stand for the one dataset of all cells: name "
      f"those by `cell`. Received: dataset={dataset}, and cells of "
      + ", ".join(sorted(names))
    )
  return [cell.on(dataset) for cell in cells]


def of_figure(number, scale):
  """Returns what runs a figure is of: a `Table`, and a list of its `Cell`s.

  Args:
    number: int, the paper's, 1 to 3; 2 is of no runs.
    scale: str, of `SCALES`.

  Raises:
    InvalidInputError: if there are no figures of that scale.
  """
  path = _FOLDER / scale / "figures.json"
  if not path.exists():
    raise errors.InvalidInputError(
      "Argument `figure` must be of a scale that has figures, paper or cpu. "
      f"Received: figure={number}, scale={scale}"
    )
  figure = json.loads(path.read_text(encoding="utf-8"))[str(number)]
  table = load(figure["table"], scale)
  return table, [table.cells[name] for name in figure["cells"]]


def data_shapes():
  """What the tables' datasets look like, for who does not have them.

  Returns:
    dict from dataset to dict: `image_shape` (height, width and channels of a
    stored image), `num_classes`, `num_train_examples`, and
    `num_test_examples`, all that is evaluated after an epoch.
  """
  text = (_FOLDER / "datasets.json").read_text(encoding="utf-8")
  return json.loads(text)


def _path(scale, name):
  stem = f"table{name}" if name.isdecimal() else name
  return _FOLDER / scale / f"{stem}.json"


def _cell(content, row_name, column_name, main_row):
  row = content["rows"][row_name]
  column = content["columns"][column_name]
  of_column = row.get("column_flags", {}).get(column_name, {})
  flags = {**content["flags"], **column["flags"], **row["flags"], **of_column}
  return Cell(
    name=column_name if row_name == main_row else f"{column_name}_{row_name}",
    row=row["title"],
    column=column["title"],
    # None in a row takes back what its column says.
    flags={name: value for name, value in flags.items() if value is not None},
    accuracy=row.get("accuracy", "ensemble"),
    paper=row.get("paper", {}).get(column_name, {}),
    is_checked=row.get("is_checked", True),
    remark=row.get("remark", ""),
  )
