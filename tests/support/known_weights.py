"""Networks with weights that another library can be given as well."""

import keras
import numpy as np


def count(network):
  """Returns the number of a network's trainable numbers."""
  return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


def fill(network, rng):
  """Gives every layer, in the order of their names, known weights."""
  for layer in sorted(network.layers, key=lambda layer: layer.name):
    shapes = [weight.shape for weight in layer.weights]
    if isinstance(layer, keras.layers.Conv2D):
      kernel = 0.15 * rng.standard_normal(shapes[0])
      biases = [0.5 * rng.standard_normal(shape) for shape in shapes[1:]]
      layer.set_weights([kernel, *biases])
    elif isinstance(layer, keras.layers.Dense):
      layer.set_weights([0.5 * rng.standard_normal(s) for s in shapes])
    elif isinstance(layer, keras.layers.BatchNormalization):
      gamma = rng.uniform(0.5, 1.5, shapes[0])
      beta, mean = (0.5 * rng.standard_normal(shapes[0]) for _ in range(2))
      variance = rng.uniform(0.5, 1.5, shapes[0])
      layer.set_weights([gamma, beta, mean, variance])
