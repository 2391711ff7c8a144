"""What the options of networks may be."""

KERNEL_INITIALIZERS = ("fan_in_uniform", "he_normal")
POOLS = ("global", "official4")
