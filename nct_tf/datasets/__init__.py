"""Image classification datasets by name, as arrays in memory."""

from nct_tf.datasets import digits, fake, tfds_images
from nct_tf.datasets.image_dataset import ImageDataset

__all__ = ["ImageDataset", "load"]


def load(name, data_dir=None, download=False, image_size=None, **fake_options):
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
    **fake_options: of `fake.load`.

  Returns:
    an `ImageDataset`.

  Raises:
    InvalidInputError: if there is no such dataset, if it is not in
      `data_dir`, or if it is not one of image classification.
  """
  if name == "digits":
    dataset = digits.load()
  elif name == "fake":
    dataset = fake.load(**fake_options)
  else:
    return tfds_images.load(name, data_dir, download, image_size)
  return dataset.resize(image_size) if image_size else dataset
