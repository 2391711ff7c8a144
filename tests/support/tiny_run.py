"""A run that is over in seconds, for tests of what comes after training."""

from nct_tf import config
from nct_tf.training import run
from nct_tf.workdir import layout


def tiny_config(**changes):
  """Returns the `TrainConfig`."""
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
  run.train_and_evaluate(tiny_config(workdir=str(folder), **changes))
  return layout.Workdir(folder)
