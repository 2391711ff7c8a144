"""Image classification datasets by name."""

from nct_tf import errors
from nct_tf.datasets import digits, fake, tfds_images
from nct_tf.datasets.image_dataset import ImageDataset

__all__ = ["ImageDataset", "load"]


def load(
  name,
  data_dir=None,
  download=False,
  image_size=None,
  cache=None,
  cache_dir=None,
  **fake_options,
):
  """Loads a dataset.

  Args:
    name: str: `digits` (scikit-learn's, embedded), `fake` (random), or the
      name of any image classification dataset of tensorflow-datasets.
    data_dir: str, where tensorflow-datasets keeps its data; None for its own
      default.
    download: bool, whether tensorflow-datasets may download and prepare what
      is not in `data_dir`.
    image_size: int, the side in pixels to which images are resized; None
      keeps them as they are.
    cache: str, `memory`, `disk` or `none`, see `tfds_images.load`; `digits`
      and `fake` are in memory.
    cache_dir: str, see there.
    **fake_options: of `fake.load`.

  Returns:
    an `ImageDataset`.

  Raises:
    InvalidInputError: if there is no such dataset, if it is not in
      `data_dir`, if it is not one of image classification, or if it cannot be
      kept as `cache` says.
  """
  if name in ("digits", "fake") and cache not in (None, "memory"):
    raise errors.InvalidInputError(
      f"Argument `cache` must be memory for the dataset {name}, which is in no "
      f"file. Received: cache={cache}"
    )
  if name == "digits":
    dataset = digits.load()
  elif name == "fake":
    dataset = fake.load(**fake_options)
  else:
    return tfds_images.load(
      name, data_dir, download, image_size, cache, cache_dir
    )
  return dataset.resize(image_size) if image_size else dataset
