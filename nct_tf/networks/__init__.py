"""Backbones by name: Keras models from images to logits.

A new network needs a function in a module here, and a line in each table below.
This package may import `options` and `nct_tf`'s own modules.
"""

import importlib
import itertools

from nct_tf import errors

# Name -> the module with the function of that name. It imports Keras, so it is
# loaded only when the network is built.
_MODULES = {
  "preact_resnet18": "nct_tf.networks.preact_resnet",
  "preact_resnet10": "nct_tf.networks.preact_resnet",
  "resnet50": "nct_tf.networks.resnet",
  "inception_resnet_v2": "nct_tf.networks.inception_resnet",
  "preact_resnet34": "nct_tf.networks.preact_resnet",
  "resnet_cifar": "nct_tf.networks.resnet_cifar",
  "cnn9": "nct_tf.networks.published_cnns",
  "lenet5": "nct_tf.networks.published_cnns",
  "npc_cnn": "nct_tf.networks.published_cnns",
  "simple_cnn": "nct_tf.networks.small",
  "mlp": "nct_tf.networks.small",
}

NAMES = tuple(_MODULES)

_PREACT_OPTIONS = ("kernel_initializer", "final_bn", "pool", "sync_batch_norm")
_OPTIONS = {
  "preact_resnet18": _PREACT_OPTIONS,
  "preact_resnet10": _PREACT_OPTIONS,
  "preact_resnet34": _PREACT_OPTIONS,
  "resnet_cifar": ("resnet_depth", "resnet_preactivation", "sync_batch_norm"),
  "resnet50": ("kernel_initializer", "sync_batch_norm"),
  "inception_resnet_v2": (),
  "cnn9": ("dropout", "sync_batch_norm"),
  "lenet5": ("lenet_pool",),
  "npc_cnn": ("dropout", "sync_batch_norm"),
  "simple_cnn": ("sync_batch_norm",),
  "mlp": ("hidden_widths", "dropout"),
}

OPTIONS = tuple(dict.fromkeys(itertools.chain(*_OPTIONS.values())))

# Networks whose channels are fixed, so that they take no width.
OF_FIXED_WIDTH = ("inception_resnet_v2", "lenet5", "npc_cnn")
_WIDTH = 64


def create(name, input_shape, num_classes, width=_WIDTH, **options):
  """Builds a network.

  Args:
    name: str, one of `NAMES`.
    input_shape: three ints, (height, width, channels).
    num_classes: int, at least 2.
    width: int, the channels of the first layer (the units of an `mlp`); 64 is
      the paper's, and the only one of networks `OF_FIXED_WIDTH`.
    **options: options of the network's own function.

  Returns:
    a `keras.Model` from normalised images, float [batch, height, width,
    channels], to float32 logits [batch, num_classes].

  Raises:
    InvalidInputError: if there is no such network, if it cannot take images
      of that size, or if it has no such option.
  """
  errors.check_choice("network", name, NAMES)
  errors.check_range("num_classes", num_classes, 2, float("inf"))
  errors.check_range("width", width, 1, float("inf"))
  unknown = sorted(set(options) - set(_OPTIONS[name]))
  if unknown:
    takers = [other for other in NAMES if set(unknown) <= set(_OPTIONS[other])]
    raise errors.InvalidInputError(
      f"Arguments {', '.join(unknown)} belong to {', '.join(takers)}. "
      f"Received: network={name}"
    )
  if name not in OF_FIXED_WIDTH:
    options["width"] = width
  elif width != _WIDTH:
    raise errors.InvalidInputError(
      f"Argument `width` must be {_WIDTH} for {name}, whose channels are "
      f"fixed. Received: width={width}"
    )
  function = getattr(importlib.import_module(_MODULES[name]), name)
  return function(tuple(input_shape), num_classes, **options)
