"""A run's checkpoints on disk: each is whole or not there."""

import contextlib
import logging
import os
import pathlib
import re
import shutil
import typing

import tensorflow as tf

from nct_tf import errors
from nct_tf.system import files, tensorflow_files

_logger = logging.getLogger(__name__)

_NAME = re.compile(r"ckpt-(\d+)(?:-(\d+))?")
_TEMPORARY = ".tmp-"
_PREFIX = "state"


class Position(typing.NamedTuple):
  """How far a run has come: epochs done, and steps done in the next epoch."""

  epoch: int
  step: int = 0

  def __str__(self):
    return (
      f"ckpt-{self.epoch}-{self.step}" if self.step else f"ckpt-{self.epoch}"
    )


class Checkpoints:
  """The checkpoints in a folder, each a folder of its own.

  `ckpt-3` is the state after three epochs, `ckpt-3-40` after 40 more steps.

  Args:
    folder: `pathlib.Path`; need not exist.
  """

  def __init__(self, folder):
    self.folder = pathlib.Path(folder)

  def find(self):
    """Returns dict from `Position` to path, in the order of training."""
    names = os.listdir(self.folder) if self.folder.is_dir() else []
    matches = filter(None, map(_NAME.fullmatch, names))
    positions = {
      Position(int(match[1]), int(match[2] or 0)): self.folder / match[0]
      for match in matches
    }
    return dict(sorted(positions.items()))

  def last(self):
    """Returns the path of the checkpoint of the most training, or None."""
    return next(reversed(self.find().values()), None)

  def newest_whole(self, max_epochs):
    """Returns the newest checkpoint that can be read whole; logs damaged ones.

    Args:
      max_epochs: int; checkpoints of more epochs are ignored.

    Returns:
      a `Position`, or None.
    """
    for position, path in reversed(self.find().items()):
      if position.epoch > max_epochs:
        continue
      damage = find_damage(path)
      if damage is None:
        return position
      _logger.warning(
        "Checkpoint %s is damaged and passed over: %s", path, damage
      )
    return None

  def write(self, position, checkpoint):
    """Writes a checkpoint; replaces that of the same position if there is one.

    Args:
      position: `Position`.
      checkpoint: `tf.train.Checkpoint`.

    Raises:
      StorageError: if it cannot be written; nothing of it is left then.
    """
    final = self.folder / str(position)
    temporary = self.folder / f"{_TEMPORARY}{final.name}"
    with self._explain(final):
      self.folder.mkdir(parents=True, exist_ok=True)
      try:
        checkpoint.write(str(temporary / _PREFIX))
        files.sync_tree(temporary)
        if final.exists():
          self._remove(final)
        os.rename(temporary, final)
        files.sync(self.folder)
      finally:
        shutil.rmtree(temporary, ignore_errors=True)

  @contextlib.contextmanager
  def _explain(self, path):
    try:
      with tensorflow_files.os_errors():
        yield
    except OSError as error:
      reason, cause = error.strerror or error, error
    except tf.errors.OpError as error:
      reason, cause = error.message.rpartition("; ")[2], error
    else:
      return
    raise errors.StorageError(
      f"Checkpoint {path} cannot be written: {reason}. The last whole one is "
      f"{self.last() or 'none'}"
    ) from cause

  def keep(self, positions):
    """Removes all checkpoints but those of some positions."""
    for position, path in self.find().items():
      if position not in positions:
        self._remove(path)

  def remove_leftovers(self):
    """Removes checkpoints that a process half wrote or removed when it died."""
    for path in self.folder.glob(f"{_TEMPORARY}*"):
      shutil.rmtree(path)

  def _remove(self, path):
    # Deleting takes a while, and nobody must see half a checkpoint.
    hidden = path.with_name(f"{_TEMPORARY}removed-{path.name}")
    os.rename(path, hidden)
    shutil.rmtree(hidden)


def find_damage(path):
  """Returns what is wrong with a checkpoint, a str, or None.

  Args:
    path: `pathlib.Path` of its folder.
  """
  try:
    reader = tf.train.load_checkpoint(prefix(path))
    for name in reader.get_variable_to_shape_map():
      reader.get_tensor(name)  # Compares checksums.
  except Exception as error:  # TensorFlow's readers raise many kinds.
    return (str(error).strip().splitlines() or [repr(error)])[0]
  return None


def prefix(path):
  """Returns TensorFlow's name of the checkpoint in a folder: a str."""
  return str(pathlib.Path(path) / _PREFIX)
