"""What every dataset is here: images, true labels and class names."""

import dataclasses
import functools

import numpy as np
from sklearn import model_selection

from nct_tf import errors, preprocessing

_CHUNK_SIZE = 1000  # Images.

# Of the training split, as the paper's authors normalise; others are computed.
_KNOWN_MOMENTS = {
  "cifar10": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
  "cifar100": ((0.507, 0.487, 0.441), (0.267, 0.256, 0.276)),
}


@dataclasses.dataclass(frozen=True)
class ImageDataset:
  """A train and a test split in memory.

  Attributes:
    name: str.
    train_images: uint8 array [num_train, height, width, channels].
    train_labels: int64 array [num_train], in [0, num_classes).
    test_images: uint8 array [num_test, height, width, channels].
    test_labels: int64 array [num_test].
    class_names: tuple of str, one a class.
  """

  name: str
  train_images: np.ndarray
  train_labels: np.ndarray
  test_images: np.ndarray
  test_labels: np.ndarray
  class_names: tuple

  def __post_init__(self):
    if self.num_classes < 2:
      raise errors.InvalidInputError(
        f"Dataset {self.name} must have at least two classes. Received: "
        f"{', '.join(self.class_names) or 'none'}"
      )
    for split in ("train", "test"):
      images = getattr(self, f"{split}_images")
      labels = getattr(self, f"{split}_labels")
      if images.dtype != np.uint8 or images.ndim != 4 or not len(images):
        raise errors.InvalidInputError(
          f"The {split} images of dataset {self.name} must be uint8 [examples, "
          f"height, width, channels]. Received: {images.dtype} "
          f"{list(images.shape)}"
        )
      if not 0 <= labels.min() <= labels.max() < self.num_classes:
        raise errors.InvalidInputError(
          f"The {split} labels of dataset {self.name} must be in [0, "
          f"{self.num_classes}). Received labels from {labels.min()} to "
          f"{labels.max()}"
        )

  @property
  def num_classes(self):
    """The number of classes."""
    return len(self.class_names)

  @property
  def image_shape(self):
    """Three ints, (height, width, channels)."""
    return self.train_images.shape[1:]

  @functools.cached_property
  def moments(self):
    """Mean and deviation per channel of training pixels in [0, 1].

    Two tuples of float; a channel that never changes has deviation 1.
    """
    if self.name in _KNOWN_MOMENTS:
      return _KNOWN_MOMENTS[self.name]
    # Counting values is exact, and needs no copy of the images as floats.
    values = np.arange(256) / 255
    counts = sum(
      np.stack([np.bincount(channel, minlength=256) for channel in chunk.T])
      for chunk in self._pixels_in_chunks()
    )
    num_pixels = counts[0].sum()
    mean = counts @ values / num_pixels
    variance = (counts * (values - mean[:, None]) ** 2).sum(1) / num_pixels
    std = np.where(variance > 0, np.sqrt(variance), 1.0)
    return tuple(mean.tolist()), tuple(std.tolist())

  def _pixels_in_chunks(self):
    """Yields uint8 arrays [num_pixels, channels] of the training images."""
    for start in range(0, len(self.train_images), _CHUNK_SIZE):
      chunk = self.train_images[start : start + _CHUNK_SIZE]
      yield chunk.reshape(-1, self.image_shape[-1])

  def resize(self, image_size):
    """Returns this dataset with images of `image_size` x `image_size`."""
    size = (image_size, image_size)
    return dataclasses.replace(
      self,
      train_images=preprocessing.resize(self.train_images, size).numpy(),
      test_images=preprocessing.resize(self.test_images, size).numpy(),
    )


def stratified_sample(labels, num_examples, seed, name):
  """Chooses examples with the classes in their proportions.

  Args:
    labels: integer array [n].
    num_examples: int, at most n.
    seed: int.
    name: str, of the argument that set `num_examples`, for the message.

  Returns:
    bool array [n], True for the chosen.

  Raises:
    InvalidInputError: if there are too few examples for that.
  """
  chosen = np.zeros(len(labels), bool)
  if num_examples == len(labels):
    return ~chosen
  # Where fewer examples remain than there are classes, which of them do
  # changes no proportion.
  few_remain = len(labels) - num_examples < len(np.unique(labels))
  try:
    index, _ = model_selection.train_test_split(
      np.arange(len(labels)),
      train_size=num_examples,
      stratify=None if few_remain else labels,
      random_state=seed,
    )
  except ValueError as error:
    raise errors.InvalidInputError(
      f"Argument `{name}` must give each class an example. Received: "
      f"{num_examples} of {len(labels)} examples ({error})"
    ) from error
  chosen[index] = True
  return chosen
