"""A run that is over in seconds, for tests of what comes after training."""

import atexit
import hashlib
import os
import pathlib
import shutil
import tempfile

# Names the folder of the runs that several tests share; see `shared`.
SHARED_FOLDER = "NCT_TF_SHARED_RUNS"


def tiny_config(**changes):
  """Returns the `TrainConfig`."""
  from nct_tf import config

  options = {
    "dataset": "digits",
    "num_train_examples": 100,
    "augmentation": "none",
    "noise_type": "pair_flip",
    "noise_rate": 0.3,
    "network": "mlp",
    "width": 8,
    "num_epochs": 1,
    "batch_size": 50,
    "monitor_every_epochs": 0,
    **changes,
  }
  return config.TrainConfig.from_flags(**options)


def train(folder, **changes):
  """Trains into a folder; returns its `Workdir`."""
  # Not before it is used: pytest's own process trains nothing.
  from nct_tf.training import run
  from nct_tf.workdir import layout

  run.train_and_evaluate(tiny_config(workdir=str(folder), **changes))
  return layout.Workdir(folder)


def shared(**changes):
  """Returns the `Workdir` of a run that is trained once for all tests.

  Nobody may write into it; `copy` gives a folder of one's own.
  """
  from nct_tf.system import files
  from nct_tf.workdir import layout

  flags = " ".join(tiny_config(**changes).to_flags())
  name = hashlib.sha256(flags.encode()).hexdigest()[:16]
  folder = _shared_folder() / name
  with files.lock(folder.with_suffix(".lock"), wait=True):
    if not (folder / "result.json").exists():
      train(folder, **changes)
  return layout.Workdir(folder)


def copy(folder, **changes):
  """Copies the shared run to a folder; returns its `Workdir`."""
  from nct_tf.workdir import layout

  shutil.copytree(shared(**changes).path, folder)
  return layout.Workdir(folder)


def _shared_folder():
  if SHARED_FOLDER not in os.environ:  # Not pytest, but Bazel, or Python.
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ[SHARED_FOLDER] = folder
  return pathlib.Path(os.environ[SHARED_FOLDER])
