"""Loads the dataset of a run that is there, and sees that it is the same."""

import os

from nct_tf import errors
from nct_tf.input_pipeline import run_data
from nct_tf.options import data as data_options
from nct_tf.workdir import data_record

RESTORE = (
  "Give back what it was trained on (--dataset names another place of it), or "
  "train anew"
)


def configure(directory, dataset=None, **changes):
  """Returns the `TrainConfig` by which the data of a run are read.

  Args:
    directory: the run's `Workdir`.
    dataset: str, `folder:PATH`, `csv:FILE` or `npz:FILE`: where the data are
      now; None for where they were.
    **changes: other options that differ from the run's.

  Raises:
    InvalidInputError: if there is no run, or if its data are of another kind.
  """
  config = directory.read_config()
  if dataset is not None:
    kind, _ = data_options.split_place(config.dataset)
    if kind is None or kind != data_options.split_place(dataset)[0]:
      raise errors.InvalidInputError(
        "Argument `dataset` must be another place of what the run in "
        f"{directory.path} was trained on, {config.dataset}. Received: "
        f"dataset={dataset}"
      )
    changes["dataset"] = dataset
  return config.replace(**changes).with_absolute_places()


def load(directory, config, remedy=RESTORE):
  """Returns the `ImageDataset` of a run.

  If it was moved, the run's flags name its new place from now on.

  Args:
    directory: the run's `Workdir`.
    config: a `TrainConfig`, see `configure`.
    remedy: str, see `Workdir.check_data`.

  Raises:
    InvalidInputError: if the data are gone, or are not what they were.
  """
  check_place(directory, config)
  dataset = run_data.load_dataset(config)
  directory.check_data(config, data_record.of_dataset(dataset), remedy)
  return dataset


def check(directory, config, remedy=RESTORE):
  """As `load`, of one's own data alone, and without keeping their pictures."""
  if not config.has_own_images:
    return
  if not directory.data_file.exists():
    directory.warn_of_unknown_data()
    return
  # Of picture files, the index has the digests.
  cache = None if config.dataset.startswith("npz:") else "none"
  load(directory, config.replace(cache=cache), remedy)


def is_there(config):
  """Returns whether there is something where a config's own data should be."""
  _, path = data_options.split_place(config.dataset)
  return path is None or os.path.exists(path)


def check_place(directory, config):
  """Raises `InvalidInputError` if there is nothing where data should be."""
  if not is_there(config):
    kind, path = data_options.split_place(config.dataset)
    raise errors.InvalidInputError(
      f"The data of the run in {directory.path} are not there: no {path}. If "
      f"they were moved, give their new place, as in --dataset={kind}:PATH"
    )
