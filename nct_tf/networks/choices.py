"""The possible values of the networks' options."""

from nct_tf import errors

KERNEL_INITIALIZERS = ("fan_in_uniform", "he_normal")
LENET_POOLS = ("average", "max")
POOLS = ("global", "official4")


def check_resnet_depth(depth):
  """Raises `InvalidInputError` unless a `resnet_cifar` can have a depth."""
  if depth < 8 or depth % 6 != 2:
    raise errors.InvalidInputError(
      "Argument `resnet_depth` must be 6n + 2, such as 14, 20, 32, 44, 56 and "
      f"110. Received: {depth}"
    )
