"""Backbones by name: Keras models from images to logits."""

from nct_tf import errors
from nct_tf.networks import preact_resnet, small

_NETWORKS = {
  "preact_resnet18": preact_resnet.preact_resnet18,
  "preact_resnet10": preact_resnet.preact_resnet10,
  "simple_cnn": small.simple_cnn,
  "mlp": small.mlp,
}

NAMES = tuple(_NETWORKS)


def create(name, input_shape, num_classes, width=64, **options):
  """Builds a network.

  Args:
    name: str, one of `NAMES`.
    input_shape: three ints, (height, width, channels).
    num_classes: int, at least 2.
    width: int, the channels of the first layer (the units of an `mlp`); 64 is
      the paper's.
    **options: of the network's own function.

  Returns:
    a `keras.Model` from float [batch, height, width, channels], normalised,
    to float32 logits [batch, num_classes].

  Raises:
    InvalidInputError: if there is no such network, if it cannot take images
      of that size, or if it has no such option.
  """
  errors.check_choice("network", name, NAMES)
  errors.check_range("num_classes", num_classes, 2, float("inf"))
  errors.check_range("width", width, 1, float("inf"))
  if options and not name.startswith("preact_resnet"):
    raise errors.InvalidInputError(
      f"Arguments {', '.join(sorted(options))} belong to the preact_resnets. "
      f"Received: network={name}"
    )
  return _NETWORKS[name](tuple(input_shape), num_classes, width, **options)
