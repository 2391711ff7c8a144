"""What folders, columns and arrays call the splits of a dataset."""

from nct_tf.datasets import image_dataset

TRAIN, VALIDATION, TEST = SPLITS = image_dataset.SPLITS

_NAMES = {
  TRAIN: (TRAIN, "training"),
  VALIDATION: (VALIDATION, "val", "valid", "dev"),
  TEST: (TEST, "testing"),
}
_SPLIT_OF = {name: split for split, names in _NAMES.items() for name in names}

KNOWN = tuple(_SPLIT_OF)


def find(name):
  """Returns the one of `SPLITS` that a name stands for, in any case, or None.

  Args:
    name: str, such as `Training`, `val` or `TEST`.
  """
  return _SPLIT_OF.get(name.strip().casefold())
