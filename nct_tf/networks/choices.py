"""The possible values of the networks' options."""

KERNEL_INITIALIZERS = ("fan_in_uniform", "he_normal")
POOLS = ("global", "official4")
