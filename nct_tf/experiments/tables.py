"""The paper's tables, cell by cell, as configurations.

A table is a file under `presets/`, in one of two scales. `paper` has the
paper's settings and figures; `cpu` is the same at a size that two cores can
train. A column is a dataset with its label noise, and a row is a method. So a
cell is a method on data.
"""

import dataclasses
import functools
import json
import pathlib

from nct_tf import config as config_lib, errors

SCALES = ("paper", "cpu")
NUMBERS = (1, 2, 3, 4, 5, 6)
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
}
# Whose accuracy a cell may tell. The first network stands for "one of two".
ACCURACIES = ("ensemble", "network1")

_FOLDER = pathlib.Path(__file__).parent / "presets"
_MAIN_ROW = "nct"  # A row of the presets; its cells are named after columns.


@dataclasses.dataclass(frozen=True)
class Cell:
  """A method on data with some noise: one cell of a table.

  Attributes:
    name: str, the column's name, with the row's behind it unless that is NCT.
    row: str, the title of its row.
    column: str, the title of its column.
    flags: dict from flag of `scripts.train` to value, of all that is not the
      default; all but the seed.
    accuracy: str, whose accuracy is told, of `ACCURACIES`.
    paper: dict from measure to [mean] or [mean, standard deviation] in
      percent, as the paper has them.
  """

  name: str
  row: str
  column: str
  flags: dict
  accuracy: str
  paper: dict

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


@dataclasses.dataclass(frozen=True)
class Table:
  """A table of experiments.

  Attributes:
    number: int, the paper's.
    scale: str, of `SCALES`.
    title: str.
    measures: tuple of str, of `MEASURES`: what is told of each cell.
    cells: dict from name to `Cell`, row by row.
  """

  number: int
  scale: str
  title: str
  measures: tuple
  cells: dict

  @property
  def folder(self):
    """Where its runs are, relative to all runs: str."""
    return f"{self.scale}/table{self.number}"

  def choose(self, names):
    """Returns the cells of those names, in that order; all if there is none.

    Raises:
      InvalidInputError: if there is no cell of such a name.
    """
    for name in names:
      errors.check_choice("cell", name, tuple(self.cells))
    return [self.cells[name] for name in names or self.cells]


def available(scale):
  """Returns the numbers of the tables of a scale: tuple of int."""
  errors.check_choice("scale", scale, SCALES)
  return tuple(number for number in NUMBERS if _path(scale, number).exists())


@functools.cache
def load(number, scale="paper"):
  """Reads a table.

  Args:
    number: int, the paper's.
    scale: str, of `SCALES`.

  Returns:
    a `Table`.

  Raises:
    InvalidInputError: if there is no such table at that scale.
  """
  numbers = tuple(map(str, available(scale)))
  errors.check_choice("table", str(number), numbers)
  content = json.loads(_path(scale, number).read_text(encoding="utf-8"))
  cells = [
    _cell(content, row, column)
    for row in content["rows"]
    for column in content["columns"]
  ]
  return Table(
    number,
    scale,
    content["title"],
    tuple(content["measures"]),
    {cell.name: cell for cell in cells},
  )


def of_figure(number, scale):
  """Returns what runs a figure is of: a `Table`, and a list of its `Cell`s.

  Args:
    number: int, the paper's, 1 to 3; 2 is of no runs.
    scale: str, of `SCALES`.
  """
  text = (_FOLDER / scale / "figures.json").read_text(encoding="utf-8")
  figure = json.loads(text)[str(number)]
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


def _path(scale, number):
  return _FOLDER / scale / f"table{number}.json"


def _cell(content, row_name, column_name):
  row = content["rows"][row_name]
  column = content["columns"][column_name]
  flags = {**content["flags"], **column["flags"], **row["flags"]}
  return Cell(
    name=column_name if row_name == _MAIN_ROW else f"{column_name}_{row_name}",
    row=row["title"],
    column=column["title"],
    # None in a row takes back what its column says.
    flags={name: value for name, value in flags.items() if value is not None},
    accuracy=row.get("accuracy", "ensemble"),
    paper=row.get("paper", {}).get(column_name, {}),
  )
