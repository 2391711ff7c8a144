"""Which values are tried."""

from absl import flags

VALUES = flags.DEFINE_list(
  "target_variability_values",
  ["0", "0.1", "0.3", "0.5", "0.7", "0.9"],
  "Values of --target_variability_max to try, each in [0, 1], separated by "
  "commas; the paper's if not given.",
)


def _are_rates(values):
  try:
    return bool(values) and all(0 <= float(value) <= 1 for value in values)
  except ValueError:
    return False


flags.register_validator(
  VALUES, _are_rates, "must be numbers in [0, 1], separated by commas"
)
