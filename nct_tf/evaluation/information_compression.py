"""Measures how well random labels can be fitted on frozen features: Figure 3.

The more a network's features compress the images, the less they tell single
images apart, and the worse random labels can be fitted on them.
"""

import keras
import numpy as np

from nct_tf.input_pipeline import batching, noisy_dataset
from nct_tf.models import features as features_lib
from nct_tf.workdir import restoring, run_dataset

_LABELS_SEED = 0
_HIDDEN_UNITS = (400, 200)
_BATCH_SIZE = 128
_LEARNING_RATE = 1e-3
_FEATURE_BATCH_SIZE = 256


def measure(directory, num_examples=10_000, num_epochs=50):
  """Fits random binary labels on the features of a finished run's network 1.

  The features are the inputs of the last dense layer, for training images of
  the first two classes. A multilayer perceptron of 400 and 200 units is trained
  on them by Adam. The paper names neither the optimizer nor the number of
  epochs. Features of small values make the perceptron learn slowly, however
  much they tell. So a second perceptron gets them scaled, each to zero mean and
  unit standard deviation.

  Args:
    directory: the run's `Workdir`.
    num_examples: int, how many images are taken at most. The paper's 10,000 are
      all training images that CIFAR-10 has of two classes.
    num_epochs: int.

  Returns:
    dict ready for JSON: `method`, `noise_type`, `noise_rate` and `seed` of the
    run; `num_examples`; `training_error`, list of num_epochs floats, the share
    of the random labels that is not reproduced; `training_error_standardised`,
    the same for the scaled features.

  Raises:
    InvalidInputError: if there is no finished run, or its data have changed.

  References:
    Section 5.2 of the paper.
  """
  model, config, result = restoring.restore(directory)
  dataset = run_dataset.load(directory, run_dataset.configure(directory))
  index = np.flatnonzero(dataset.train_labels < 2)[:num_examples]
  features = _features(model.networks[0], dataset, index, config.crop_size)
  rng = np.random.default_rng(_LABELS_SEED)
  labels = rng.permutation(np.arange(len(index)) % 2)
  return {
    "method": config.method,
    "noise_type": config.noise_type,
    "noise_rate": result["noise_rate"],
    "seed": config.seed,
    "num_examples": len(index),
    "training_error": _fit(features, labels, num_epochs, config.seed),
    "training_error_standardised": _fit(
      _standardise(features), labels, num_epochs, config.seed
    ),
  }


def _features(network, dataset, index, crop_size):
  """Returns float32 array [num_examples, num_features]."""
  body, _ = features_lib.split(network)
  labels = dataset.train_labels[index]
  examples = noisy_dataset.Examples(dataset.train_images, labels, labels, index)
  mean, std = dataset.moments
  batches = batching.Batching(mean, std, crop_size=crop_size).evaluate(
    examples, _FEATURE_BATCH_SIZE
  )
  return np.concatenate(
    [body(images, training=False).numpy() for images, *_ in batches]
  )


def _standardise(features):
  # A constant feature has deviation 0, and becomes 0.
  deviation = features.std(axis=0)
  return (features - features.mean(axis=0)) / np.where(
    deviation > 0, deviation, 1
  )


def _fit(features, labels, num_epochs, seed):
  """Returns the training error after each epoch: list of float."""
  keras.utils.set_random_seed(seed)
  perceptron = keras.Sequential(
    [keras.Input(features.shape[1:])]
    + [keras.layers.Dense(units, "relu") for units in _HIDDEN_UNITS]
    + [keras.layers.Dense(1, "sigmoid")]
  )
  perceptron.compile(
    keras.optimizers.Adam(_LEARNING_RATE), "binary_crossentropy"
  )
  training_error = []

  def measure_error(epoch, logs):
    del epoch, logs
    # Keras' own mean over the epoch's steps mixes the weights of all steps.
    predicted = perceptron(features, training=False).numpy()[:, 0] > 0.5
    training_error.append(float(np.mean(predicted != labels)))

  perceptron.fit(
    features,
    labels,
    batch_size=_BATCH_SIZE,
    epochs=num_epochs,
    verbose=0,
    callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=measure_error)],
  )
  return training_error
