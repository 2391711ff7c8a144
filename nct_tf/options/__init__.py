"""What a run is made of: options in groups, each said once.

An option is a field of a frozen dataclass. Its default, range, unit, choices
and help stand in the field; flags, checks and documentation come from there.
Nothing here imports TensorFlow, so that `--help` answers at once.
"""
