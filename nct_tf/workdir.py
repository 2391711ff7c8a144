"""The files that a run leaves behind, and their names."""

import csv
import json
import pathlib
import shutil

import numpy as np

from nct_tf import config as config_lib, errors, files


class Workdir:
  """A run's folder.

  Args:
    path: str, the folder; need not exist.
  """

  def __init__(self, path):
    self.path = pathlib.Path(path)
    self.flags_file = self.path / "flags.txt"
    self.history_file = self.path / "history.csv"
    self.result_file = self.path / "result.json"
    self.noise_file = self.path / "noise.npz"
    self.warmup_images_file = self.path / "warmup_images.npy"
    self.memorisation_file = self.path / "memorisation.png"
    self.evaluation_file = self.path / "evaluation.json"
    self.checkpoints_dir = self.path / "checkpoints"
    self.tensorboard_dir = self.path / "tensorboard"

  def check_vacant(self, config):
    """Raises `InvalidInputError` if the folder already holds a run."""
    if config.overwrite:
      return
    if self.flags_file.exists():
      raise errors.InvalidInputError(self._describe_occupant(config))
    for file in sorted(self._files()):
      if file.exists():
        raise errors.InvalidInputError(
          f"Workdir {self.path} holds {file.name}, though no run: choose "
          "another one, or give --overwrite to delete that"
        )

  def _files(self):
    return set(vars(self).values()) - {self.path}

  def start(self, config):
    """Makes the folder ready for a new run and writes `flags.txt`.

    Args:
      config: the run's `TrainConfig`; with its `overwrite`, an earlier run's
        files are deleted, others stay.

    Raises:
      InvalidInputError: if the folder holds a run that is not to be deleted,
        or if it cannot be written to.
    """
    self.check_vacant(config)
    try:
      self.path.mkdir(parents=True, exist_ok=True)
      for file in self._files():
        if file.is_dir():
          shutil.rmtree(file)
        else:
          file.unlink(missing_ok=True)
      files.write_atomically(self.flags_file, config.to_flagfile())
    except OSError as error:
      raise errors.InvalidInputError(
        f"Workdir {self.path} cannot be written to: {error.strerror}"
      ) from error

  def _describe_occupant(self, config):
    old, new = (
      dict(line.partition("=")[::2] for line in text.splitlines())
      for text in (
        self._read(self.flags_file, "there is no run in it"),
        config.to_flagfile(),
      )
    )
    differences = [
      f"{name.removeprefix('--')} is {old.get(name, 'not set')} there and "
      f"{new.get(name, 'not set')} here"
      for name in {**old, **new}
      if old.get(name) != new.get(name)
    ]
    if differences:
      what = f"another run's configuration ({'; '.join(differences)})"
    else:
      what = (
        f"this very run, {'' if self.result_file.exists() else 'un'}finished"
      )
    return (
      f"Workdir {self.path} holds {what}: choose another one, or give "
      "--overwrite to delete that run"
    )

  def read_config(self):
    """Returns the run's `TrainConfig`; raises if there is no run."""
    return config_lib.TrainConfig.from_flagfile(
      self._read(self.flags_file, "there is no run in it")
    )

  def read_result(self):
    """Returns the dict of `result.json`; raises if the run has not ended."""
    text = self._read(self.result_file, "its run has not finished")
    try:
      return json.loads(text)
    except json.JSONDecodeError as error:
      raise errors.InvalidInputError(
        f"{self.result_file} cannot be read: {error}"
      ) from error

  def read_history(self):
    """Returns dict from column to float array [num_epochs]; NaN where empty."""
    text = self._read(self.history_file, "there is no history in it")
    rows = list(csv.DictReader(text.splitlines()))
    return {
      name: np.array([float(row[name] or "nan") for row in rows])
      for name in rows[0]
    }

  def _read(self, file, otherwise):
    try:
      return file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
      raise errors.InvalidInputError(
        f"Workdir {self.path} has no {file.name}: {otherwise}"
      ) from None
    except (OSError, UnicodeDecodeError) as error:
      raise errors.InvalidInputError(
        f"{file} cannot be read: {error}"
      ) from error

  def write_noise(self, noisy):
    """Writes which label became which.

    `noise.npz` holds, for each example that was corrupted: `index` (int64, in
    the dataset's train split), `given_label`, `true_label` (int64) and
    `is_validation` (bool, whether it was held out).

    Args:
      noisy: a `NoisyDataset`.

    Returns:
      dict of the three integer arrays.
    """
    parts = (noisy.train, noisy.validation)
    arrays = {
      "index": np.concatenate([part.index for part in parts]),
      "given_label": np.concatenate([part.given_labels for part in parts]),
      "true_label": np.concatenate([part.true_labels for part in parts]),
    }
    is_validation = np.arange(len(arrays["index"])) >= len(noisy.train)
    np.savez_compressed(self.noise_file, **arrays, is_validation=is_validation)
    return arrays

  def write_warmup_images(self, images):
    """Keeps training images for an export.

    Args:
      images: uint8 array [num_images, height, width, channels].
    """
    np.save(self.warmup_images_file, images)

  def read_warmup_images(self):
    """Returns what `write_warmup_images` kept; raises if it is not there."""
    try:
      return np.load(self.warmup_images_file)
    except (OSError, ValueError, EOFError) as error:
      raise errors.InvalidInputError(
        f"Workdir {self.path} has no readable {self.warmup_images_file.name}, "
        f"the images that an export is tried with: {error}"
      ) from error

  def write_result(self, result):
    """Writes `result.json`, whole or not at all."""
    files.write_atomically(
      self.result_file, json.dumps(result, indent=2) + "\n"
    )

  def write_evaluation(self, evaluation):
    """Writes `evaluation.json`, whole or not at all."""
    files.write_atomically(
      self.evaluation_file, json.dumps(evaluation, indent=2) + "\n"
    )
