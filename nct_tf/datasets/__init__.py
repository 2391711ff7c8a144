"""Image classification datasets by name.

`load` chooses the loader of a name; to add a kind of dataset, begin there. This
package may import the packages below it, `system`, and `nct_tf`'s own
modules.
"""

import os

from nct_tf import errors
from nct_tf.datasets import digits, fake
from nct_tf.datasets.files import npz_images, own_images
from nct_tf.datasets.image_dataset import ImageDataset
from nct_tf.datasets.tfds import tfds_images
from nct_tf.options import data as data_options

__all__ = ["ImageDataset", "examine", "load", "prepare"]


def examine(name, test_fraction=0.2, cache_dir=None, accepted=()):
  """Looks for problems in a user's own images.

  Args:
    name: str, see `load`.
    test_fraction: float, see there.
    cache_dir: str, see there.
    accepted: see there.

  Returns:
    list of `findings.Finding`; empty for all other datasets.

  Raises:
    InvalidInputError: if there is nothing to examine.
  """
  _check_spelling(name)
  kind, _, path = name.partition(":")
  if kind in own_images.LISTERS:
    return own_images.examine(name, test_fraction, cache_dir, accepted).findings
  if kind == "npz":
    return npz_images.examine(path, test_fraction, accepted)[1]
  return []


def load(
  name,
  data_dir=None,
  download=False,
  image_size=None,
  cache=None,
  cache_dir=None,
  test_fraction=0.2,
  accepted=(),
  **fake_options,
):
  """Loads a dataset.

  Args:
    name: str: `digits` (those in scikit-learn), `fake` (random), the user's own
      `folder:PATH`, `csv:FILE` or `npz:FILE`, or the name of any image
      classification dataset of tensorflow-datasets.
    data_dir: str, where tensorflow-datasets keeps its data; None for its own
      default.
    download: bool, whether tensorflow-datasets may download and prepare data
      that are not in `data_dir`.
    image_size: int, the side in pixels to which images are resized. None keeps
      their size; for a folder or a CSV file see `own_images.load`.
    cache: str, `memory`, `disk` or `none`, see `image_keeping.keep`; `digits`,
      `fake` and npz files are always in memory.
    cache_dir: str, the folder of the cache; None for
      `files.cache_folder`.
    test_fraction: float in (0, 1), the share of a user's own images that
      becomes the test split if they have none.
    accepted: names of `data.ACCEPTABLE_FINDINGS`, which do not refuse a user's
      own images.
    **fake_options: the arguments of `fake.load`.

  Returns:
    an `ImageDataset`.

  Raises:
    InvalidInputError: if there is no such dataset, if it is not in
      `data_dir`, if it is not for image classification, or if it cannot be
      kept as `cache` says.
  """
  _check_spelling(name)
  kind, _, path = name.partition(":")
  if kind in ("digits", "fake", "npz") and cache not in (None, "memory"):
    raise errors.InvalidInputError(
      f"Argument `cache` must be memory for the dataset {name}, which is held "
      f"there. Received: cache={cache}"
    )
  if kind in own_images.LISTERS:
    return own_images.load(
      name, test_fraction, image_size, cache, cache_dir, accepted
    )
  if kind == "npz":
    dataset = npz_images.load(path, test_fraction, accepted)
  elif name == "digits":
    dataset = digits.load()
  elif name == "fake":
    dataset = fake.load(**fake_options)
  else:
    return tfds_images.load(
      name, data_dir, download, image_size, cache, cache_dir
    )
  return dataset.resize(image_size) if image_size else dataset


def _check_spelling(name):
  """Raises `InvalidInputError` if a name is a path without its kind."""
  kind = name.partition(":")[0]
  # Not in the current folder alone: it may have a folder `cifar10`, too.
  is_path = os.path.exists(name) and (os.sep in name or os.path.isfile(name))
  if kind in data_options.OWN_IMAGES or not is_path:
    return
  suffix = os.path.splitext(name)[1].lower()
  if os.path.isdir(name):
    raise errors.InvalidInputError(
      f"Dataset {name!r} is a folder: write --dataset=folder:{name}"
    )
  if suffix in (".csv", ".npz"):
    raise errors.InvalidInputError(
      f"Dataset {name!r} is a file: write --dataset={suffix[1:]}:{name}"
    )
  raise errors.InvalidInputError(
    f"Dataset {name!r} is a file: there are folder:PATH (a folder for each "
    "class), csv:FILE and npz:FILE"
  )


def prepare(name, data_dir=None):
  """Has tensorflow-datasets download a dataset of its own that is not there.

  Args:
    name: str, see `load`; of other datasets there is nothing to download.
    data_dir: str, see there.

  Raises:
    InvalidInputError: if the dataset is unknown, or cannot be downloaded.
  """
  kind = name.partition(":")[0]
  if kind not in ("digits", "fake", *data_options.OWN_IMAGES):
    tfds_images.prepare(name, data_dir)
