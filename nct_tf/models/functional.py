"""A network as a function of its weights, for methods that try other ones."""

import contextlib

import tensorflow as tf


def call(network, trainable, images, training, statistics=None):
  """Computes what a network gives with other weights than its own.

  Gradients flow to the weights that are given, of any order. The network is
  left as it is: its moving statistics, and the counters of what its layers
  draw, are those from before the call. So layers such as dropout draw the same
  in each such call of a step.

  In Keras 2 the tensors stand in the place of the layers' variables within the
  call. Layers with synchronized batch norm wait for other replicas meanwhile,
  so they must have one replica there.

  Args:
    network: a built `keras.Model`.
    trainable: list of tensors, in place of `network.trainable_variables`.
    images: float [batch, ...].
    training: bool.
    statistics: list of tensors, in place of the variables that `statistics_of`
      gives; None for those. In training they play no part.

  Returns:
    what the network gives, a tensor.
  """
  values = list(zip(network.trainable_variables, trainable, strict=True))
  if statistics is not None and not training:
    values += zip(statistics_of(network), statistics, strict=True)
  if hasattr(network, "stateless_call"):
    return _stateless(network, values, images, training)
  before = [
    (variable, tf.identity(variable))
    for variable in network.non_trainable_variables
  ]
  with _in_place(network, values):
    outputs = network(images, training=training)
  if training:
    for variable, value in before:
      variable.assign(value)
  return outputs


def statistics_of(network):
  """Returns the moving statistics of a network: list of Keras variables."""
  return [
    variable
    for variable in network.non_trainable_variables
    if tf.as_dtype(variable.dtype).is_floating
  ]


def _stateless(network, values, images, training):
  """As `call`, in Keras 3.

  Args:
    network: see `call`.
    values: list of pairs of a variable and what stands in its place.
    images: see `call`.
    training: see `call`.
  """
  given = {id(variable): value for variable, value in values}

  def read(variables):
    return [given.get(id(each), each) for each in variables]

  outputs, _ = network.stateless_call(
    read(network.trainable_variables),
    read(network.non_trainable_variables),
    images,
    training=training,
  )
  return outputs


@contextlib.contextmanager
def _in_place(network, values):
  """Within this, layers of Keras 2 have tensors for variables.

  Keras' own way to set an attribute would change the layers' lists of weights.

  Args:
    network: see `call`.
    values: list of pairs of a variable and what stands in its place.
  """
  given = {id(variable): value for variable, value in values}
  before = [
    (layer, name, variable)
    for layer in network.submodules
    for name, variable in vars(layer).items()
    if id(variable) in given
  ]
  if len({id(variable) for _, _, variable in before}) < len(given):
    raise ValueError(
      "A network's weights must be attributes of its layers, so that others "
      f"can stand in their place. Received: {network.name}"
    )
  try:
    for layer, name, variable in before:
      value = given[id(variable)]
      if hasattr(variable, "_should_cast"):  # As mixed precision would.
        value = tf.cast(value, layer.compute_dtype)
      vars(layer)[name] = value
    yield
  finally:
    for layer, name, variable in before:
      vars(layer)[name] = variable
