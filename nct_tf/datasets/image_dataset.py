"""The form of every dataset: images, labels and class names."""

import dataclasses
import functools
import pathlib

import numpy as np
import tqdm

from nct_tf import errors, preprocessing
from nct_tf.datasets import digests
from nct_tf.datasets.storage import image_cache, image_storage
from nct_tf.pictures import decoding

SPLITS = ("train", "validation", "test")

_CHUNK_BYTES = 2**24
_PROGRESS_DELAY_SECONDS = 2

_CIFAR10 = ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
_CIFAR100 = ((0.507, 0.487, 0.441), (0.267, 0.256, 0.276))

# Mean and standard deviation of the training split's channels, as the paper's
# authors use them and, for Tiny-ImageNet, the authors of Co-teaching+. Those of
# other datasets are computed.
_KNOWN_MOMENTS = {
  "cifar10": _CIFAR10,
  "cifar10_n": _CIFAR10,
  "cifar100": _CIFAR100,
  "cifar100_n": _CIFAR100,
  "clothing1m": ((0.6959, 0.6537, 0.6371), (0.3113, 0.3192, 0.3214)),
  "tiny_imagenet": ((0.4802, 0.4481, 0.3975), (0.2302, 0.2265, 0.2262)),
}


@dataclasses.dataclass(frozen=True)
class ImageDataset:
  """A train and a test split, in memory or in storage.

  Attributes:
    name: str.
    train_images: uint8 [num_train, height, width, channels], an array or
      `StoredImages`.
    train_labels: int64 array [num_train], in [0, num_classes), as the dataset
      gives them.
    test_images: uint8 [num_test, height, width, channels], likewise.
    test_labels: int64 array [num_test].
    class_names: tuple of str, one a class.
    validation_images: as `test_images`, of the dataset's own validation split;
      None if it has none.
    validation_labels: int64 array [num_validation], or None.
    extra_tests: dict from the name of each further test split to a pair: its
      images and labels, in the form of the test split's.
    train_clean_labels: int64 array [num_train], the labels known to be right;
      None if `train_labels` count as right.
    human_labels: dict from a type of `label_noise.HUMAN` to the labels that
      people gave, int64 array [num_train].
    train_files: sequence of `pathlib.Path`, the training examples' own files,
      whose pictures may be larger than `train_images`; None if there are none.
    train_ids: tuple of str, a name for each training example, such as its path;
      None for its number.
    validation_files: as `train_files`, of the validation examples.
    validation_ids: tuple of str, likewise. None for names such as
      `validation/12`, with its number.
    test_files: as `train_files`, of the test examples.
    test_ids: tuple of str, likewise. None for names such as `test/12`. No two
      examples of a dataset have the same name.
    train_digests: `digests.DTYPE` array [num_train], of each training picture
      as it was read; None to make them of `train_images`.
    validation_digests: likewise.
    test_digests: likewise.
    published: str, the full name and version of a published dataset, which say
      what its pictures are; empty for pictures that are known by digests.
    test_labels_are_clean: bool, whether `test_labels` and `validation_labels`
      count as right. Those of one's own pictures do only if clean labels were
      given apart.
    resizing: str, how pictures got the size of `train_images`, see
      `preprocessing.resize`.
    findings: tuple of `findings.Finding`, the dataset's problems.
    counts_file: `pathlib.Path`, a file in the cache that keeps the counts from
      which `moments` are computed; None to count anew.
  """

  name: str
  train_images: np.ndarray | image_storage.StoredImages
  train_labels: np.ndarray
  test_images: np.ndarray | image_storage.StoredImages
  test_labels: np.ndarray
  class_names: tuple
  validation_images: np.ndarray | image_storage.StoredImages | None = None
  validation_labels: np.ndarray | None = None
  extra_tests: dict = dataclasses.field(default_factory=dict)
  train_clean_labels: np.ndarray | None = None
  human_labels: dict = dataclasses.field(default_factory=dict)
  train_ids: tuple | None = None
  train_files: tuple | None = None
  validation_ids: tuple | None = None
  validation_files: tuple | None = None
  test_ids: tuple | None = None
  test_files: tuple | None = None
  train_digests: np.ndarray | None = None
  validation_digests: np.ndarray | None = None
  test_digests: np.ndarray | None = None
  published: str = ""
  test_labels_are_clean: bool = True
  resizing: str = "stretch"
  findings: tuple = ()
  counts_file: pathlib.Path | None = None

  def __post_init__(self):
    if self.num_classes < 2:
      raise errors.InvalidInputError(
        f"Dataset {self.name} must have at least two classes. Received: "
        f"{', '.join(self.class_names) or 'none'}"
      )
    splits = {
      "train": (self.train_images, self.train_labels),
      "validation": (self.validation_images, self.validation_labels),
      "test": (self.test_images, self.test_labels),
      **self.extra_tests,
    }
    for split, (images, labels) in splits.items():
      if images is None:
        continue
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
  def ids(self):
    """The names of the training examples: a sequence of str."""
    return self.split_ids("train")

  def split_ids(self, split):
    """Returns the names of a split's examples: a tuple of str.

    Args:
      split: str, `train`, `validation` or `test`; empty if there is no such
        split.
    """
    ids = getattr(self, f"{split}_ids")
    if ids is not None:
      return ids
    labels = getattr(self, f"{split}_labels")
    numbers = range(0 if labels is None else len(labels))
    if split == "train":
      return tuple(map(str, numbers))
    return names_of(split, numbers)

  def split_digests(self, split):
    """Returns what tells a split's pictures from others.

    Args:
      split: str, `train`, `validation` or `test`, which is there.

    Returns:
      `digests.DTYPE` array [num_examples]; None for a published dataset.
    """
    if self.published:
      return None
    known, images = (
      getattr(self, f"{split}_{what}") for what in ("digests", "images")
    )
    return digests.of_images(images) if known is None else known

  def picture(self, number, split="train"):
    """Returns an example to look at: uint8 [height, width, channels].

    Args:
      number: int, of the example in its split.
      split: str, `train`, `validation` or `test`.
    """
    images, files = (
      getattr(self, f"{split}_{what}") for what in ("images", "files")
    )
    if files is not None:
      return decoding.decode(files[number])
    return images[number : number + 1][0]

  @property
  def image_shape(self):
    """Three ints, (height, width, channels)."""
    return self.train_images.shape[1:]

  @functools.cached_property
  def moments(self):
    """Mean and standard deviation per channel of training pixels in [0, 1].

    Two tuples of float; a constant channel has deviation 1.
    """
    if self.name in _KNOWN_MOMENTS:
      return _KNOWN_MOMENTS[self.name]
    # Counting values is exact, and needs no copy of the images as floats.
    counts = self._value_counts()
    values = np.arange(256) / 255
    num_pixels = counts[0].sum()
    mean = counts @ values / num_pixels
    variance = (counts * (values - mean[:, None]) ** 2).sum(1) / num_pixels
    std = np.where(variance > 0, np.sqrt(variance), 1.0)
    return tuple(mean.tolist()), tuple(std.tolist())

  def _value_counts(self):
    """Returns the counts of `_count_values`, from the cache if possible."""
    if self.counts_file is None:
      return _count_values(self.train_images)

    def read(path):
      counts = image_cache.read_arrays(path, ["counts"])
      return counts and counts["counts"]

    return image_cache.obtain(
      self.counts_file,
      read,
      lambda file: np.savez(file, counts=_count_values(self.train_images)),
    )

  def resize(self, image_size):
    """Returns this dataset with images of `image_size` x `image_size`."""
    changed = {}
    for split in SPLITS:
      images = getattr(self, f"{split}_images")
      if images is not None:
        changed[f"{split}_images"] = _resize(images, image_size)
        changed[f"{split}_digests"] = self.split_digests(split)
    return dataclasses.replace(self, **changed)


def names_of(split, numbers):
  """Returns names of examples that have no other: a tuple of str.

  Args:
    split: str, `validation` or `test`.
    numbers: iterable of int.
  """
  return tuple(f"{split}/{number}" for number in numbers)


def _resize(images, side):
  """Returns an array of images of `side` x `side`."""
  # At once, their values as floats would take several times their memory.
  resized = np.empty((len(images), side, side, images.shape[-1]), np.uint8)
  larger = max(images.shape[1:], resized.shape[1:], key=np.prod)
  for part in _chunks(len(images), larger, "resizing"):
    resized[part] = preprocessing.resize(images[part], (side, side)).numpy()
  return resized


def _count_values(images):
  """Returns how often each channel has each value: int64 [channels, 256]."""
  counts = np.zeros((images.shape[-1], 256), np.int64)
  for part in _chunks(len(images), images.shape[1:], "counting values"):
    for count, channel in zip(
      counts, images[part].reshape(-1, len(counts)).T, strict=True
    ):
      count += np.bincount(channel, minlength=256)
  return counts


def _chunks(num_images, image_shape, title):
  """Yields slices of images of up to `_CHUNK_BYTES`, with a progress bar."""
  chunk_size = max(1, _CHUNK_BYTES // int(np.prod(image_shape)))
  with tqdm.tqdm(
    desc=title, total=num_images, delay=_PROGRESS_DELAY_SECONDS
  ) as progress:
    for begin in range(0, num_images, chunk_size):
      end = min(begin + chunk_size, num_images)
      yield slice(begin, end)
      progress.update(end - begin)
