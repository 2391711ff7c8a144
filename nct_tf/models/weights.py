"""The weights of a classifier's networks, as checkpoints hold them."""

import numpy as np

from nct_tf import distribution


def network_weights(model):
  """Returns what a checkpoint holds of the networks.

  Args:
    model: a `Classifier`.

  Returns:
    dict from `network1` and `network2` to the list of a network's
    `tf.Variable`s in Keras' order; of its moving statistics, the first
    replica's.
  """
  return {
    f"network{number}": _of_layer(model, network)
    for number, network in enumerate(model.networks, start=1)
  }


def trained_weights(model):
  """Returns as `network_weights`, and those of the auxiliary layers."""
  auxiliary = {
    f"auxiliary{number}": _of_layer(model, layer)
    for number, layer in enumerate(model.auxiliary_layers, start=1)
  }
  return network_weights(model) | auxiliary


def _of_layer(model, layer):
  """Returns a layer's variables, as a checkpoint holds them: list."""

  def weight(variable):
    if variable.trainable:
      # As a whole: the slots of tensorflow-addons' optimizers hang on it.
      return distribution.tensorflow_variable(variable)
    return distribution.local_components(model.distribute_strategy, variable)[0]

  return [weight(variable) for variable in layer.weights]


def spread_to_replicas(model):
  """Gives all replicas the first one's moving statistics."""
  for layer in [*model.networks, *model.auxiliary_layers]:
    for variable in layer.non_trainable_variables:
      first, *others = distribution.local_components(
        model.distribute_strategy, variable
      )
      for other in others:
        other.assign(first)


def to_vector(model):
  """Returns the first network's weights, one after the other: float32 array.

  Moving statistics are among them, but no integers, such as how often a layer
  has drawn random numbers.

  Args:
    model: a `Classifier`.
  """
  return np.concatenate(
    [np.ravel(variable.numpy()) for variable in _first_network(model)]
  ).astype(np.float32)


def vector_size(model):
  """Returns the length of the vector of `to_vector`."""
  return sum(
    variable.shape.num_elements() for variable in _first_network(model)
  )


def from_vector(model, vector):
  """Gives the first network the weights of `to_vector`, on all replicas."""
  begin = 0
  for variable in _first_network(model):
    end = begin + variable.shape.num_elements()
    variable.assign(vector[begin:end].reshape(variable.shape))
    begin = end
  spread_to_replicas(model)


def _first_network(model):
  return [
    variable
    for variable in _of_layer(model, model.network1)
    if variable.dtype.is_floating
  ]
