"""Which class is mistaken for which in published asymmetric label noise."""

from nct_tf import errors

# Class -> the class that its examples are mistaken for, as in loss-correction
# (Patrini et al. 2017); that of Fashion-MNIST as in NPC (Bae et al. 2022).
_BY_NAME = {
  "mnist": {"7": "1", "2": "7", "3": "8", "5": "6", "6": "5"},
  "fashion_mnist": {
    "T-shirt/top": "Shirt",
    "Pullover": "Coat",
    "Sandal": "Sneaker",
  },
  "cifar10": {
    "truck": "automobile",
    "bird": "airplane",
    "deer": "horse",
    "cat": "dog",
    "dog": "cat",
  },
}
# The classes in the order of their numbers.
_CLASSES = {
  "mnist": tuple("0123456789"),
  "fashion_mnist": (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
  ),
  "cifar10": (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
  ),
}
_NUM_FINE = 100  # Classes of CIFAR-100.
_BLOCK = 5
_NUM_SHOWN = 10  # Classes, in a message.

NAMES = (*_BY_NAME, "cifar100")
_BY_DATASET = {name: name for name in NAMES} | {
  "cifar10_n": "cifar10",
  "cifar100_n": "cifar100",
}


def find_name(dataset):
  """Returns which of `NAMES` fits a dataset; None if no map is known.

  Args:
    dataset: str, a value of `--dataset`.
  """
  return _BY_DATASET.get(dataset.partition(":")[0].partition("/")[0])


def find(name, class_names):
  """Returns a published map in the numbers of a dataset's classes.

  A class is found by its name, in whatever order the dataset has them, or by
  its number where the dataset's names are numbers. CIFAR-100's classes go by
  their numbers: each to the next in its block of five, the fifth to the first.

  Args:
    name: str, one of `NAMES`.
    class_names: sequence of str, of the dataset.

  Returns:
    dict from class to class, both int.

  Raises:
    InvalidInputError: if the dataset does not have these classes.
  """
  errors.check_choice("noise_map", name, NAMES)
  class_names = list(class_names)
  if name not in _BY_NAME:
    if len(class_names) != _NUM_FINE:
      _refuse(name, f"{_NUM_FINE} classes", class_names)
    return {
      label: label - label % _BLOCK + (label + 1) % _BLOCK
      for label in range(_NUM_FINE)
    }
  pairs = _BY_NAME[name]
  known = _CLASSES[name]
  if class_names == [str(number) for number in range(len(known))]:
    class_names = list(known)
  used = [each for each in known if each in {*pairs, *pairs.values()}]
  if not set(used) <= set(class_names):
    _refuse(name, f"the classes {', '.join(used)}", class_names)
  return {
    class_names.index(source): class_names.index(target)
    for source, target in pairs.items()
  }


def _refuse(name, wanted, class_names):
  shown = ", ".join(class_names[:_NUM_SHOWN])
  more = len(class_names) - _NUM_SHOWN
  raise errors.InvalidInputError(
    f"The noise map of {name} needs a dataset with {wanted}: give "
    f"--noise_matrix for other classes. Received: {shown}"
    + (f" and {more} more" if more > 0 else "")
  )
