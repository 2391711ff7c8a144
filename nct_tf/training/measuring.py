"""Measurements and predictions of a model in training."""

import contextlib
import functools
import math

import numpy as np

from nct_tf.input_pipeline import batching, noisy_dataset
from nct_tf.models import classifier
from nct_tf.workdir import history as history_lib


class Measuring:
  """Evaluates a model in training, on its own devices.

  Args:
    loop: `loop.TrainingLoop` of the model.
    data: `run_data.RunData`.
    average: a `weight_average.WeightAverage` that is measured in place of the
      weights, or None.
    upto: str, see `Batching.evaluate`.
  """

  def __init__(self, loop, data, average=None, upto=batching.READY):
    self._loop = loop
    self._data = data
    self._average = average
    self._upto = upto

  def _batches(self, examples):
    return self._loop.iterate(
      functools.partial(self._data.batching.evaluate, examples, upto=self._upto)
    )

  def _sizes(self, examples):
    return batching.evaluation_sizes(
      len(examples), num_replicas=self._loop.strategy.num_replicas_in_sync
    )

  def evaluator(self, examples):
    """Returns a function without arguments that evaluates on `Examples`.

    That returns a dict from name to float, each class's accuracy included.
    """
    batches = self._batches(examples)
    num_steps = len(self._sizes(examples))
    average = self._average

    def evaluate():
      with average.swapped() if average else contextlib.nullcontext():
        results = self._loop.evaluate(batches, num_steps)
      accuracies = zip(
        self._data.dataset.class_names,
        self._loop.model.class_accuracies(),
        strict=True,
      )
      return results | {
        f"{history_lib.CLASS_ACCURACY}{name}": float(value)
        for name, value in accuracies
        if not math.isnan(value)
      }

    return evaluate

  def training_set(self, num_epochs):
    """Returns the `classifier.TrainingSet` of a training of some epochs.

    Its predictions are those of the weights themselves, not of their average.
    """
    train = self._data.noisy.train

    def predict():
      # A pass may repeat the examples, see `Batching.evaluate`.
      return self._predictor()[:, : len(train)]

    def features(chosen):
      examples = train.where(np.isin(np.arange(len(train)), chosen))
      compute = self._loop.make_predictor(
        self._batches(examples), self._sizes(examples), "features"
      )
      return compute()[0, : len(examples)]

    return classifier.TrainingSet(
      num_epochs, train.given_labels, predict, features
    )

  @functools.cached_property
  def _predictor(self):
    examples = self._data.noisy.train
    return self._loop.make_predictor(
      self._batches(examples), self._sizes(examples)
    )

  def extra_tests(self):
    """Returns dict from each further test split to dict of its accuracies."""
    return {
      name: _accuracies(self.evaluator(examples)())
      for name, examples in self._data.noisy.extra_tests.items()
    }

  def test_parts(self):
    """Returns as `extra_tests`, of the parts of the test split.

    They are those of `noisy_dataset.test_parts`, with their `num_examples`.
    """
    test = self._data.noisy.test
    parts = {
      name: test.where(mask)
      for name, mask in noisy_dataset.test_parts(test).items()
    }
    return {
      name: {
        "num_examples": len(examples),
        **_accuracies(self.evaluator(examples)()),
      }
      for name, examples in parts.items()
    }


def _accuracies(results):
  """Returns the ensemble's accuracies: dict from `accuracy`, ... to float."""
  names = ("accuracy", "top5_accuracy")
  return {
    name: results[f"ensemble_{name}"]
    for name in names
    if f"ensemble_{name}" in results
  }
