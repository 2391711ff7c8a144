"""A process that loads a model, trains it under `fit`, and is killed.

Run as a module with the path of a `.keras` file, that of an `.npz` file of
`features` and `labels`, and the folder of the backup. It dies in the middle of
the second epoch, without a chance to clean up.
"""

import os
import sys

import keras
import numpy as np

import nct_tf

EXIT_CODE = 9
BATCH_SIZE = 8


class _Death(keras.callbacks.Callback):
  """Dies in the second epoch."""

  def on_epoch_begin(self, epoch, logs=None):
    self._epoch = epoch

  def on_train_batch_end(self, batch, logs=None):
    if (self._epoch, batch) == (1, 1):
      os._exit(EXIT_CODE)


def main(model_path, data_path, backup_folder):
  """Trains until death."""
  _ = nct_tf.ConcurrentModel  # Its module must be imported, and no more.
  data = np.load(data_path)
  keras.models.load_model(model_path).fit(
    data["features"],
    data["labels"],
    batch_size=BATCH_SIZE,
    epochs=3,
    shuffle=False,
    verbose=0,
    callbacks=[keras.callbacks.BackupAndRestore(backup_folder), _Death()],
  )


if __name__ == "__main__":
  main(*sys.argv[1:])
