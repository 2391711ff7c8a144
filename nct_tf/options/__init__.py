"""The options of data, noise, training and run, in groups.

An option is a field of a frozen dataclass. Its default, range, choices and
help stand in the field; flags, checks and documentation come from there. The
options of methods and of networks are in `methods.options` and
`networks.options`.

Nothing here imports TensorFlow, so that `--help` answers at once. It may import
`nct_tf`'s own modules and `system`.
"""
