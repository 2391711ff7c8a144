"""Wrong diagnoses in a table: NCT, and a label audit, without images.

`python -m examples.tabular` uses the 569 tumours of the Breast Cancer Wisconsin
data, which scikit-learn ships. Each is described by 30 measurements of its
cells.
"""

import numpy as np
from sklearn import datasets, model_selection

from nct_tf.system import quiet

with quiet.silence():
  import keras

  from examples import training


def network():
  """Returns a small multilayer perceptron."""
  return keras.Sequential(
    [
      keras.Input((30,)),
      keras.layers.Dense(64, activation="relu"),
      keras.layers.Dense(64, activation="relu"),
      keras.layers.Dense(2),
    ]
  )


def load(seed):
  """Returns the `training.Task`."""
  data = datasets.load_breast_cancer()
  train, test = model_selection.train_test_split(
    np.arange(len(data.target)),
    test_size=0.3,
    stratify=data.target,
    random_state=seed,
  )
  mean, std = data.data[train].mean(axis=0), data.data[train].std(axis=0)
  features = ((data.data - mean) / std).astype(np.float32)
  return training.Task(
    train=features[train],
    train_labels=data.target[train],
    train_names=[
      f"tumour {number}, mean radius {data.data[number, 0]:.1f}"
      for number in train
    ],
    test=features[test],
    test_labels=data.target[test],
    class_names=[str(name) for name in data.target_names],
    network=network,
    num_epochs=40,
    batch_size=32,
    learning_rate=0.001,
  )


def main(seed=0):
  """Trains, audits and prints."""
  training.run(load(seed), seed)


if __name__ == "__main__":
  main()
