"""Predictions of a run's networks."""

import numpy as np
import tensorflow as tf

from nct_tf.input_pipeline import batching
from nct_tf.models import classifier


def predict(model, config, result, examples):
  """Returns each network's logits: float32 [num_networks, num_examples, C].

  Args:
    model: a `Classifier`.
    config: the `TrainConfig` of its run.
    result: dict of the run's `result.json`.
    examples: a `noisy_dataset.Examples`.
  """
  moments = (result["mean"], result["std"])
  dataset = batching.Batching.of_run(config, moments).evaluate(examples)
  images, _ = dataset.element_spec
  # Traced once, whatever the size of a batch.
  logits = tf.function(model.logits).get_concrete_function(
    tf.TensorSpec([None, *images.shape[1:]], images.dtype)
  )
  batches = [
    np.stack([values.numpy() for values in logits(images)])
    for images, _ in dataset
  ]
  return np.concatenate(batches, axis=1)


def probabilities(logits):
  """Returns what the ensemble predicts: float32 [num_examples, num_classes].

  Args:
    logits: float array [num_networks, num_examples, num_classes].
  """
  return tf.nn.softmax(classifier.ensemble_logits(list(logits))).numpy()
