"""What the last layer of a network sees of an image: its features."""

import keras

from nct_tf import errors

# The networks of `networks.create` name their last layer so.
_LAST = "logits"


def split(network):
  """Returns a network as two models that share its layers.

  Args:
    network: a `keras.Model` of the functional API. Its features are what its
      layer `logits` takes; of a network without one, what its last layer
      takes.

  Returns:
    a pair: `keras.Model` from images to features, float [batch, channels]; the
    layer from those to logits.

  Raises:
    InvalidInputError: if the network has no features of that shape.
  """
  names = [layer.name for layer in network.layers]
  last = network.get_layer(_LAST) if _LAST in names else network.layers[-1]
  try:
    features = last.input
    rank = len(features.shape)
  except (AttributeError, ValueError) as error:
    raise errors.InvalidInputError(
      "Argument `network1` must be a model of Keras' functional API, whose "
      f"last layer takes features [batch, channels]: {error}"
    ) from error
  if rank != 2:
    raise errors.InvalidInputError(
      "Argument `network1` must have a last layer that takes features [batch, "
      f"channels]. Received: {last.name}, which takes {tuple(features.shape)}"
    )
  # A Sequential of Keras 3 that was never called has no `input`.
  return keras.Model(network.inputs[0], features), last
