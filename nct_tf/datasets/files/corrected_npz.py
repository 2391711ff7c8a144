"""A copy of a NumPy archive, in which labels are changed or examples gone."""

import zipfile

import numpy as np

from nct_tf import errors
from nct_tf.datasets.files import findings, npz_arrays, split_names


class Archive:
  """A NumPy archive that can be copied with other labels; see `Folder`.

  An example's name is its number in the file. `validation/` or `test/` may
  stand before it.

  Args:
    path: str, see `npz_images.load`.
    accepted: names of `data.ACCEPTABLE_FINDINGS`, see there.
  """

  def __init__(self, path, accepted=()):
    arrays, self._findings = npz_arrays.read(path)
    arrays, _ = npz_arrays.check(f"npz:{path}", arrays, accepted)
    with np.load(path) as file:
      self._is_renamed = not {"images", "labels"} <= set(file.files)
    self._arrays = arrays
    self._path = path
    self._given = arrays["labels"]
    self._has_clean_labels = "clean_labels" in arrays
    names = list(map(str, range(len(self._given))))
    self.labels = dict(
      zip(names, self._given.astype(str).tolist(), strict=True)
    )
    self.ids = {
      prefix + name: name
      for prefix in ("", "validation/", "test/")
      for name in names
    }
    self.class_names = set(self.labels.values())
    self.splits = None
    if "split" in arrays:
      self.splits = list(map(split_names.find, arrays["split"].tolist()))
    self.folders = set()

  def write(self, changes, place):
    """Writes the copy; see `Folder.write`."""
    stays = np.ones(len(self._given), bool)
    stays[[int(name) for name, label in changes.items() if label is None]] = (
      False
    )
    if self._is_renamed:
      return self._write_renamed(changes, stays, place)
    cut, whole = [], []
    with (
      np.load(self._path) as source,
      zipfile.ZipFile(self._path) as members,
      zipfile.ZipFile(place, "w", members.infolist()[0].compress_type) as copy,
    ):
      for name in source.files:
        array = self._read(source, name)
        is_cut = array.shape[:1] == stays.shape
        (cut if is_cut else whole).append(name)
        if name == "labels":
          array = self._relabel(changes)
        with copy.open(f"{name}.npy", "w", force_zip64=True) as file:
          np.lib.format.write_array(
            file, array[stays] if is_cut else array, allow_pickle=False
          )
    return self._describe(stays, cut, whole)

  def _write_renamed(self, changes, stays, place):
    """Writes arrays under the names that this project has for them."""
    arrays = {**self._arrays, "labels": self._relabel(changes)}
    with open(place, "wb") as file:
      np.savez_compressed(
        file, **{name: array[stays] for name, array in arrays.items()}
      )
    text = "Arrays of the copy, in place of those of the dataset"
    return [findings.Finding(text, tuple(arrays)), *self._findings]

  def _read(self, source, name):
    try:
      array = source[name]
    except ValueError:  # It holds objects, which only pickle can read.
      array = None
    if not isinstance(array, np.ndarray):
      raise errors.InvalidInputError(
        f"Dataset npz:{self._path} must hold arrays of numbers or strings "
        f"alone to be copied. Received: {name}"
      )
    return array

  def _relabel(self, changes):
    """Returns the labels, changed, in the type that they have."""
    names, first = np.unique(self._given.astype(str), return_index=True)
    values = dict(zip(names.tolist(), self._given[first], strict=True))
    labels = self._given.copy()
    for name, label in changes.items():
      if label is not None:
        labels[int(name)] = values[label]
    return labels

  def _describe(self, stays, cut, whole):
    """Returns what has to be known of the copy: list of `findings.Finding`."""
    result = []
    if not stays.all():
      text = "Arrays whose rows of dropped examples are left out"
      result.append(findings.Finding(text, tuple(cut)))
      if whole:
        text = "Arrays of another length, copied as they are"
        result.append(findings.Finding(text, tuple(whole)))
    if self._has_clean_labels:
      text = "The array clean_labels keeps its values"
      result.append(findings.Finding(text, ()))
    return result
