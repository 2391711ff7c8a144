"""The files that a run leaves behind, and their names."""

import contextlib
import errno
import json
import logging
import os
import pathlib
import shutil
import zipfile

import numpy as np

from nct_tf import config as config_lib, errors
from nct_tf.system import files
from nct_tf.workdir import data_changes, data_record, history, other_run

_logger = logging.getLogger(__name__)

# What to do where other data than a run's are to be trained on in its place.
REPLACE = "Choose another workdir, or give --overwrite to delete that run"

# The arrays of `noise.npz` that every run has.
_LABEL_ARRAYS = ("index", "given_label", "true_label", "is_validation")
_MATRIX_ROUNDING = 1e-12

# Errors by which file systems say that they have no locks.
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)


class Workdir:
  """A run's folder.

  Args:
    path: str, the folder; need not exist.
  """

  def __init__(self, path):
    self.path = pathlib.Path(path)
    self.lock_file = self.path / ".lock"
    self.flags_file = self.path / "flags.txt"
    self.history_file = self.path / "history.csv"
    self.result_file = self.path / "result.json"
    self.noise_file = self.path / "noise.npz"
    self.data_file = self.path / "data.npz"
    self.label_scores_file = self.path / "label_scores.npy"
    self.pretrained_file = self.path / "pretrained_weights.sha256"
    self.warmup_images_file = self.path / "warmup_images.npy"
    self.memorisation_file = self.path / "memorisation.png"
    self.evaluation_file = self.path / "evaluation.json"
    self.compression_file = self.path / "compression.json"
    self.folds_dir = self.path / "folds"
    self.checkpoints_dir = self.path / "checkpoints"
    self.tensorboard_dir = self.path / "tensorboard"

  def audit_dir(self, num_folds=None):
    """Returns the folder of an audit: `pathlib.Path`.

    Args:
      num_folds: int, if somebody asked for a number of folds; such an audit
        does not replace the usual one.
    """
    return self.path / (
      "audit" if num_folds is None else f"audit_{num_folds}_folds"
    )

  @property
  def run_files(self):
    """The paths of a run, which `--overwrite` deletes: a tuple.

    The first one is what makes a run a finished one. The lock is not among
    them, as it is held while they are deleted. Other files in the folder are
    not the run's.
    """
    return (
      self.result_file,
      self.audit_dir(),
      *self.path.glob("audit_*_folds"),
      self.checkpoints_dir,
      self.compression_file,
      self.data_file,
      self.evaluation_file,
      self.flags_file,
      self.folds_dir,
      self.history_file,
      self.label_scores_file,
      self.memorisation_file,
      self.noise_file,
      self.pretrained_file,
      self.tensorboard_dir,
      self.warmup_images_file,
    )

  def find_run(self, config):
    """Looks for a run of a config.

    Args:
      config: a `TrainConfig`.

    Returns:
      `none`, `unfinished` or `finished`. If the config has `overwrite`, it is
      always `none`. If `is_moved`, the run is of this config only if its data
      are found to be the same.

    Raises:
      InvalidInputError: if the folder holds another run, or some files of a run
        that is not there.
    """
    if config.overwrite:
      return "none"
    if not self.flags_file.exists():
      self._check_no_files()
      return "none"
    differences = self._find_differences(config)
    if differences and not self.is_moved(config):
      command = other_run.command(self.flags_file, config, differences)
      raise errors.InvalidInputError(
        f"Workdir {self.path} holds another run's configuration "
        f"{other_run.describe(differences)}: give --overwrite to delete that "
        f"run, or train into another folder: {command}"
      )
    return "finished" if self.result_file.exists() else "unfinished"

  def is_moved(self, config):
    """Returns whether nothing but the place of the data differs from a config.

    Whether they are the same has to be found out by `check_data`. What is not
    known, as of runs of earlier versions, is not taken for the same.
    """
    differences = self._find_differences(config)
    return other_run.is_place_alone(differences) and self.data_file.exists()

  def _find_differences(self, config):
    flags = self._read(self.flags_file, "there is no run in it")
    return other_run.find_differences(flags, config)

  def _check_no_files(self):
    for file in self.run_files:
      if file.exists():
        raise errors.InvalidInputError(
          f"Workdir {self.path} holds {file.name}, though no run: choose "
          "another one, or give --overwrite to delete that"
        )

  @contextlib.contextmanager
  def lock(self):
    """Keeps other processes from training here; makes the folder if need be.

    If the process dies, its lock is released. If the file system has no locks,
    a warning says so. A folder that was made here and got no files is removed
    in the end.

    Raises:
      InvalidInputError: if another process trains here, or if the folder
        cannot be written to.
    """
    is_new = not self.path.exists()
    with contextlib.ExitStack() as stack:
      try:
        self.path.mkdir(parents=True, exist_ok=True)
        stack.enter_context(files.lock(self.lock_file, wait=False))
      except BlockingIOError:
        raise errors.InvalidInputError(
          f"Workdir {self.path} is in use: another process trains there. Wait "
          "for its end, or choose another one"
        ) from None
      except OSError as error:
        if error.errno not in _NO_LOCKS:
          raise self._not_writable(error) from error
        _logger.warning(
          "Workdir %s cannot be locked (%s): make sure yourself that no other "
          "process trains there",
          self.path,
          error.strerror,
        )
      try:
        yield
      finally:
        if is_new and os.listdir(self.path) == [self.lock_file.name]:
          shutil.rmtree(self.path)

  def _not_writable(self, error):
    return errors.InvalidInputError(
      f"Workdir {self.path} cannot be written to: {error.strerror}"
    )

  def start(self, config, noisy, record, warmup_images, pretrained_sha256=None):
    """Makes the folder ready for a run: a new one, or one that goes on.

    Args:
      config: the run's `TrainConfig`. If it has `overwrite`, the files of an
        earlier run are deleted; other files stay.
      noisy: the run's `NoisyDataset`.
      record: the `data_record.DataRecord` of its dataset.
      warmup_images: uint8 array [num_images, height, width, channels], kept for
        an export.
      pretrained_sha256: str, the SHA-256 of the file of weights that the run
        starts from; None if there is none, or if the run goes on.

    Raises:
      InvalidInputError: if the folder cannot be written to, or if the run in
        it was made with other data.
    """
    noise = noise_arrays(noisy)
    try:
      if self.find_run(config) == "none":
        self.delete_run()
        files.write_atomically(self.flags_file, config.to_flagfile())
      if self.noise_file.exists():
        self.check_data(config, record, REPLACE)
        self.check_noise(noisy)
      else:
        files.write_atomically(
          self.data_file, lambda file: data_record.write(file, record)
        )
        files.write_atomically(
          self.noise_file,
          lambda file: np.savez_compressed(file, **noise),
        )
      if pretrained_sha256:
        files.write_atomically(
          self.pretrained_file,
          f"{pretrained_sha256}  {config.pretrained_weights}\n",
        )
      files.write_atomically(
        self.warmup_images_file, lambda file: np.save(file, warmup_images)
      )
    except OSError as error:
      raise self._not_writable(error) from error

  def delete_run(self):
    """Deletes the files of a run, if there is one; other files stay.

    If that is interrupted, what is left is not taken for a finished run.

    Raises:
      InvalidInputError: if one cannot be deleted.
    """
    try:
      for file in self.run_files:
        if file.is_dir():
          shutil.rmtree(file)
        else:
          file.unlink(missing_ok=True)
    except OSError as error:
      raise self._not_writable(error) from error

  def check_data(self, config, record, remedy):
    """Raises `InvalidInputError` unless data are those of the run.

    If they are, but somewhere else, the run's flags name that place from now
    on. Of a run of an earlier version a warning says that nobody knows.

    Args:
      config: the `TrainConfig` by which the data were read.
      record: their `data_record.DataRecord`.
      remedy: str, a sentence without its full stop, what to do if they differ.
    """
    changes = self.find_data_changes(record)
    if changes:
      raise errors.InvalidInputError(
        f"Workdir {self.path} holds a run of other data than {config.dataset} "
        f"has now: {changes}. {remedy}"
      )
    place = self.read_config().with_absolute_places().dataset
    if config.dataset != place and self.data_file.exists():
      self._write_place(config.dataset)

  def find_data_changes(self, record):
    """Returns in what data differ from the run's: a str of one line, or None.

    Args:
      record: a `data_record.DataRecord`.
    """
    before = data_record.read(self.data_file)
    if before is None:
      self.warn_of_unknown_data()
      return self._find_form_changes(record)
    return data_changes.describe(before, record)

  def warn_of_unknown_data(self):
    """Logs that a run of an earlier version did not keep what its data are."""
    _logger.warning(
      "Workdir %s has no %s, as a run of an earlier version: whether its "
      "data are still what they were cannot be checked",
      self.path,
      self.data_file.name,
    )

  def _find_form_changes(self, record):
    """As `find_data_changes`, by the result of a run that has ended."""
    if not self.result_file.exists():
      return None
    result = self.read_result()
    return data_changes.describe_form(
      result["class_names"], result["image_shape"], record
    )

  def _write_place(self, dataset):
    """Has the run's flags name another place of its data."""
    flags = self._read(self.flags_file, "there is no run in it")
    lines = [
      f"--dataset={dataset}" if line.startswith("--dataset=") else line
      for line in flags.splitlines()
    ]
    try:
      files.write_atomically(self.flags_file, "\n".join([*lines, ""]))
    except OSError as error:
      raise self._not_writable(error) from error
    _logger.info(
      "The data are those of the run: %s names their new place, %s",
      self.flags_file,
      dataset,
    )

  def check_noise(self, noisy):
    """Raises `InvalidInputError` unless a `NoisyDataset` is that of the run."""
    if noisy.noise_matrix is not None:
      self.check_noise_matrix(noisy.noise_matrix)
    noise = noise_arrays(noisy)
    before = self._read_noise(_LABEL_ARRAYS)
    if not all(np.array_equal(before[name], noise[name]) for name in before):
      raise errors.InvalidInputError(
        f"Workdir {self.path} holds a run that began with other data or labels "
        f"({self.noise_file.name} differs): choose another one, or give "
        "--overwrite to delete that run"
      )

  def check_noise_matrix(self, matrix):
    """Raises `InvalidInputError` unless a noise matrix is that of the run.

    Args:
      matrix: float64 array [num_classes, num_classes].
    """
    before = self._read_noise(["noise_matrix"])["noise_matrix"]
    # What was written of one that was read may differ by rounding.
    is_same = before.shape == matrix.shape and np.allclose(
      before, matrix, rtol=0, atol=_MATRIX_ROUNDING
    )
    if not is_same:
      raise errors.InvalidInputError(
        f"Workdir {self.path} holds a run that began with another noise matrix "
        f"than --noise_matrix has now: {self.noise_file} keeps the old one. "
        f"{REPLACE}"
      )

  def _read_noise(self, names):
    """Returns arrays of `noise.npz`: dict by name."""
    try:
      with np.load(self.noise_file) as arrays:
        return {name: arrays[name] for name in names}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
      raise errors.InvalidInputError(
        f"{self.noise_file} cannot be read: {error}"
      ) from error

  def read_config(self):
    """Returns the run's `TrainConfig`; raises if there is no run."""
    return config_lib.TrainConfig.from_flagfile(
      self._read(self.flags_file, "there is no run in it")
    )

  def read_result(self):
    """Returns the dict of `result.json`; raises if the run has not ended."""
    return self._read_json(
      self.result_file,
      "its run has not finished; scripts.train "
      f"--flagfile={self.flags_file} --workdir={self.path} goes on with it",
    )

  def read_compression(self):
    """Returns the dict of `compression.json`; raises if it is not there."""
    return self._read_json(self.compression_file, "it was not measured")

  def _read_json(self, file, otherwise):
    try:
      return json.loads(self._read(file, otherwise))
    except json.JSONDecodeError as error:
      raise errors.InvalidInputError(
        f"{file} cannot be read: {error}"
      ) from error

  def read_history(self):
    """Returns dict from column to float array [num_epochs]; NaN where empty."""
    self._read(self.history_file, "there is no history in it")
    return history.History(self.history_file).columns()

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

  def read_warmup_images(self):
    """Returns the warm-up images; raises if they are not there."""
    try:
      return np.load(self.warmup_images_file)
    except (OSError, ValueError, EOFError) as error:
      raise errors.InvalidInputError(
        f"Workdir {self.path} has no readable {self.warmup_images_file.name}, "
        f"the images that an export is tried with: {error}"
      ) from error

  def read_pretrained_sha256(self):
    """Returns the SHA-256 that `start` was given; None if it was not."""
    if not self.pretrained_file.exists():
      return None
    return self._read(self.pretrained_file, "").split()[0]

  def read_label_scores(self):
    """Returns the array of `write_label_scores`; None if there is none."""
    try:
      return np.load(self.label_scores_file)
    except FileNotFoundError:
      return None
    except (OSError, ValueError, EOFError) as error:
      raise errors.InvalidInputError(
        f"{self.label_scores_file} cannot be read: {error}"
      ) from error

  def write_label_scores(self, scores):
    """Writes `label_scores.npy`, whole or not at all.

    Args:
      scores: float32 array [num_examples], of the training examples in the
        order of `noise.npz`.
    """
    files.write_atomically(
      self.label_scores_file, lambda file: np.save(file, scores)
    )

  def write_result(self, result):
    """Writes `result.json`, whole or not at all."""
    _write_json(self.result_file, result)

  def write_evaluation(self, evaluation):
    """Writes `evaluation.json`, whole or not at all."""
    _write_json(self.evaluation_file, evaluation)

  def write_compression(self, compression):
    """Writes `compression.json`, whole or not at all."""
    _write_json(self.compression_file, compression)


def _write_json(file, content):
  files.write_atomically(file, json.dumps(content, indent=2) + "\n")


def noise_arrays(noisy):
  """Returns the labels before and after corruption, for `noise.npz`.

  Args:
    noisy: a `NoisyDataset`.

  Returns:
    dict of arrays with an entry for each example of the train split, held-out
    ones included: `index` (int64, in the dataset's train split),
    `given_label`, `true_label` (int64) and `is_validation` (bool, whether the
    example was held out); and `noise_matrix`, if labels were drawn from one.
  """
  parts = (noisy.train, noisy.held_out)
  index = np.concatenate([part.index for part in parts])
  matrix = noisy.noise_matrix
  return {
    **({} if matrix is None else {"noise_matrix": matrix}),
    "index": index,
    "given_label": np.concatenate([part.given_labels for part in parts]),
    "true_label": np.concatenate([part.true_labels for part in parts]),
    "is_validation": np.arange(len(index)) >= len(noisy.train),
  }
