"""A copy of a CSV file of pictures, with labels changed or rows left out."""

import codecs
import csv
import os
import pathlib

from nct_tf.datasets.files import findings, listings
from nct_tf.system import csv_files


class CsvFile:
  """A CSV file that can be copied with other labels; see `Folder`.

  Args:
    path: str, see `listings.list_csv`.
    accepted: unused.
  """

  def __init__(self, path, accepted=()):
    listing = listings.list_csv(path, accepted)
    self._path = pathlib.Path(path)
    self._has_clean_labels = listing.clean_labels is not None
    self.labels = dict(zip(listing.paths, listing.labels, strict=True))
    self.ids = {path: path for path in self.labels}
    self.class_names = set(listing.class_names)
    self.splits = listing.splits
    self.folders = set()

  def write(self, changes, place):
    """Writes the copy; see `Folder.write`."""
    is_marked = self._path.read_bytes().startswith(codecs.BOM_UTF8)
    form = csv_files.find_form(self._path, listings.REQUIRED_COLUMNS)
    with open(self._path, encoding="utf-8-sig", newline="") as file:
      reader = csv.reader(file, strict=True, **form.options)
      header, *rows = (row for row in reader if row)
    columns = {name: number for number, name in enumerate(header)}
    kept = []
    for row in rows:
      path = row[columns["path"]]
      label = changes.get(path, row[columns["label"]])
      if label is not None:
        row[columns["label"]] = label
        row[columns["path"]] = self._move(path, place.parent)
        kept.append(row)
    encoding = "utf-8-sig" if is_marked else "utf-8"
    with open(place, "w", encoding=encoding, newline="") as file:
      csv.writer(file, lineterminator="\n", delimiter=form.delimiter).writerows(
        [header, *kept]
      )
    result = [findings.Finding("The pictures stay where they are", ())]
    if self._has_clean_labels:
      text = "The column clean_label is kept as it is"
      result.append(findings.Finding(text, ()))
    return result

  def _move(self, path, folder):
    """Returns a picture's path as it is written in a file of another folder."""
    here = os.path.relpath(self._path.parent.resolve(), folder.resolve())
    return path if here == "." else os.path.join(here, path)
