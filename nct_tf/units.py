"""Times and amounts as text, in the unit that suits their size."""

_AMOUNT_PREFIXES = ("", "k", "M", "G", "T", "P", "E")
_DAY_SECONDS = 24 * 3600


def seconds(value):
  """Returns a time as text: `35 ms`, `4.2 s`, `3 min 20 s`, `4.2 hours`.

  Args:
    value: float, seconds; not below 0.
  """
  if value < 5e-5:
    return "0 s"
  if value < 0.9995:
    return f"{_two_digits(1000 * value)} ms"
  if value < 59.5:
    return f"{_two_digits(value)} s"
  whole = round(value)
  if whole < 3600:
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"
  if whole < 2 * _DAY_SECONDS:
    return f"{_two_digits(value / 3600)} hours"
  return f"{_two_digits(value / _DAY_SECONDS)} days"


def num_bytes(value):
  """Returns a number of bytes as text: `0 B`, `1.2 kB`, `35 MB`, `1.6 GB`."""
  return _amount(value, "B")


def operations(value):
  """Returns a number of floating point operations as text: `1.2 GFLOP`."""
  return _amount(value, "FLOP")


def _amount(value, unit):
  prefixes = iter(_AMOUNT_PREFIXES)
  prefix = next(prefixes)
  while value >= 999.5 and prefix != _AMOUNT_PREFIXES[-1]:
    value, prefix = value / 1000, next(prefixes)
  text = _two_digits(value) if prefix else f"{value:.0f}"
  return f"{text} {prefix}{unit}"


def _two_digits(value):
  """Returns a number with a decimal if it is below ten."""
  return f"{value:.1f}" if value < 9.95 else f"{value:,.0f}"
