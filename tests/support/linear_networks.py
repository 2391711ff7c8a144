"""Networks of one layer, and their training written out in NumPy."""

import keras
import numpy as np

NUM_FEATURES = 4
_LEARNING_RATE = 0.1
_MOMENTUM = 0.9


def create(num_classes):
  """Returns a linear network, on features instead of images."""
  return keras.Sequential(
    [keras.Input((NUM_FEATURES,)), keras.layers.Dense(num_classes)]
  )


def sgd():
  """Returns the optimizer that `SlowTraining` writes out."""
  return keras.optimizers.SGD(_LEARNING_RATE, momentum=_MOMENTUM)


def softmax(logits):
  """Returns probabilities: [batch, num_classes]."""
  exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
  return exponentials / exponentials.sum(axis=1, keepdims=True)


class SlowTraining:
  """Gradient descent with momentum on a model's linear networks.

  Args:
    model: a `Classifier` of networks of `create`.
    weight_decay: float.
  """

  def __init__(self, model, weight_decay=0.0):
    self.weights = [
      [np.float64(weight) for weight in network.get_weights()]
      for network in model.networks
    ]
    self._velocities = [
      [np.zeros_like(weight) for weight in pair] for pair in self.weights
    ]
    self._weight_decay = weight_decay

  def logits(self, features):
    """Returns each network's logits: a list of [batch, num_classes]."""
    return [features @ kernel + bias for kernel, bias in self.weights]

  def step(self, features, gradients):
    """Makes a step on the mean over a batch.

    Args:
      features: [batch, NUM_FEATURES].
      gradients: each network's, of each example's loss to its logits: a list
        of [batch, num_classes].
    """
    for network, gradient in enumerate(gradients):
      to_logits = gradient / len(features)
      to_weights = [features.T @ to_logits, to_logits.sum(axis=0)]
      for i, to_weight in enumerate(to_weights):
        weight = self.weights[network][i]
        velocity = self._velocities[network][i]
        velocity *= _MOMENTUM
        velocity -= _LEARNING_RATE * (to_weight + self._weight_decay * weight)
        weight += velocity

  def check(self, model):
    """Raises `AssertionError` unless the model's weights are these."""
    for network, expected in zip(model.networks, self.weights, strict=True):
      for actual, weight in zip(network.get_weights(), expected, strict=True):
        np.testing.assert_allclose(actual, weight, atol=1e-5)


def random_batch(rng, num_classes):
  """Returns features and labels of six examples."""
  features = rng.standard_normal((6, NUM_FEATURES)).astype(np.float32)
  return features, rng.integers(num_classes, size=6)
