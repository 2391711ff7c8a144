"""The weights of a classifier's networks, as checkpoints hold them."""

import tensorflow as tf

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
  return pack(_first_network(model)).numpy()


def vector_size(model):
  """Returns the length of the vector of `to_vector`."""
  return packed_size(_first_network(model))


def from_vector(model, vector):
  """Gives the first network the weights of `to_vector`, on all replicas."""
  variables = _first_network(model)
  for variable, value in zip(variables, unpack(vector, variables), strict=True):
    variable.assign(value)
  spread_to_replicas(model)


def _first_network(model):
  return [
    variable
    for variable in _of_layer(model, model.network1)
    if variable.dtype.is_floating
  ]


def pack(variables):
  """Returns variables as one vector: float32 [size]."""
  flat = [tf.reshape(tf.convert_to_tensor(each), [-1]) for each in variables]
  return tf.concat([tf.zeros([0]), *flat], axis=0)


def unpack(vector, variables):
  """Returns the parts of a vector in the shapes of variables: list."""
  parts, begin = [], 0
  for variable in variables:
    end = begin + packed_size([variable])
    parts.append(tf.reshape(vector[begin:end], variable.shape))
    begin = end
  return parts


def packed_size(variables):
  """Returns the length of the vector of `pack`: int."""
  return sum(tf.TensorShape(each.shape).num_elements() for each in variables)
