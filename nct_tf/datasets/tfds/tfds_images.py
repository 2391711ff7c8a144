"""Any image classification dataset of tensorflow-datasets, by its name."""

import difflib
import logging

import numpy as np
import tensorflow_datasets as tfds

from nct_tf import errors, label_noise
from nct_tf.datasets import image_dataset, stratified
from nct_tf.datasets.storage import image_keeping, image_storage
from nct_tf.datasets.tfds import (
  builders,  # noqa: F401 An import registers them.
  tfds_source,
)
from nct_tf.system import files

_logger = logging.getLogger(__name__)

_SPLIT_SEED = 0
_TEST_FRACTION = 0.2
_TEST_SPLITS = ("test", "validation")
_CLEAN_LABEL = "clean_label"  # A feature that `builders`, and others, may have.


def load(
  name,
  data_dir=None,
  download=False,
  image_size=None,
  cache=None,
  cache_dir=None,
):
  """Reads a dataset, or makes it ready to be read image by image.

  The test split is `test`. It is `validation` if there is no `test`, or if the
  labels of `test` are not public (-1). If the dataset has neither, a stratified
  fifth of `train` is held out as the test split. If it has both, `validation`
  serves for validation. Images, labels and their order do not depend on the
  cache.

  Args:
    name: str, as `tfds.builder` takes it, with `/config` if it has configs.
    data_dir: str, or None for the default of tensorflow-datasets.
    download: bool, whether to download and prepare data that are not there.
    image_size: int, the side in pixels to resize to. It is needed if the
      images' sizes differ. They then keep their aspect ratio, and the square in
      their middle is taken.
    cache: str, where decoded images are kept, see `image_keeping.keep`.
    cache_dir: str, the folder for images that are kept on disk; None for
      `files.cache_folder`.

  Returns:
    an `ImageDataset`.

  Raises:
    InvalidInputError: if the dataset is unknown, absent or unfit, or if the
      cache cannot be written.
  """
  builder = _builder(name, data_dir)
  image_key, label_key = _keys(name, builder.info.features)
  shape = builder.info.features[image_key].shape
  if image_size is None and None in shape[:2]:
    raise errors.InvalidInputError(
      f"Dataset {name} has images of different sizes: give the size to make "
      "them, as in --image_size=64"
    )
  _prepare(name, builder, download)
  if "train" not in builder.info.splits:
    raise errors.InvalidInputError(
      f"Dataset {name} must have a split named train. Received: "
      f"{', '.join(builder.info.splits)}"
    )
  source = tfds_source.Source(builder, image_key, label_key, image_size)
  test_split = _test_split(source)
  validation_split = _validation_split(source, test_split)
  extra_tests = [
    split
    for split in getattr(builder, "EXTRA_TESTS", ())
    if split in builder.info.splits
  ]
  splits = ["train", *filter(None, [test_split, validation_split])]
  splits += extra_tests
  folder = files.cache_folder(cache_dir)
  folder = folder / f"{builder.name}-{source.fingerprint()}"
  *found, in_memory = image_keeping.keep(source, splits, cache, folder)
  images, labels = (dict(zip(splits, values, strict=True)) for values in found)
  more_labels = _read_more_labels(source)
  _logger.info("Test split: %s", test_split or "a held-out fifth of train")
  if not test_split:
    test_split = "test"
    _hold_test_out(images, labels, more_labels)
  return image_dataset.ImageDataset(
    name=builder.name,
    train_images=images["train"],
    train_labels=labels["train"],
    validation_images=images.get(validation_split),
    validation_labels=labels.get(validation_split),
    test_images=images[test_split],
    test_labels=labels[test_split],
    extra_tests={name: (images[name], labels[name]) for name in extra_tests},
    class_names=tuple(builder.info.features[label_key].names),
    train_clean_labels=more_labels.get(_CLEAN_LABEL),
    human_labels={
      noise_type: more_labels[key]
      for noise_type, key in label_noise.HUMAN.items()
      if key in more_labels
    },
    published=builder.info.full_name,
    resizing=source.resizing,
    counts_file=None if in_memory else folder / "train.counts.npz",
  )


def prepare(name, data_dir=None):
  """Downloads and prepares a dataset that is not there, with progress bars.

  Args:
    name: str, see `load`.
    data_dir: str, see there.

  Raises:
    InvalidInputError: if the dataset is unknown, or cannot be downloaded.
  """
  _prepare(name, _builder(name, data_dir), download=True)


def _test_split(source):
  """Returns the name of the split to test on; None if there is none."""
  splits = [
    split for split in _TEST_SPLITS if split in source.builder.info.splits
  ]
  for split in splits[:-1]:
    if source.has_labels(split):  # Some datasets do not publish test labels.
      return split
  return splits[-1] if splits else None


def _validation_split(source, test_split):
  """Returns the name of the split to validate on; None if there is none."""
  has_one = "validation" in source.builder.info.splits
  if has_one and test_split == "test" and source.has_labels("validation"):
    return "validation"
  return None


def _hold_test_out(images, labels, more_labels):
  """Holds a part of the train split out as the test split.

  Args:
    images: dict from split to images; changed in place, like the others.
    labels: dict from split to labels.
    more_labels: dict from feature to labels of the train split.
  """
  is_test = stratified.sample(
    labels["train"],
    round(_TEST_FRACTION * len(labels["train"])),
    _SPLIT_SEED,
    "test split",
  )
  images["test"] = image_storage.subset(images["train"], is_test)
  labels["test"] = more_labels.get(_CLEAN_LABEL, labels["train"])[is_test]
  images["train"] = image_storage.subset(images["train"], ~is_test)
  labels["train"] = labels["train"][~is_test]
  for key, values in more_labels.items():
    more_labels[key] = values[~is_test]


def _read_more_labels(source):
  """Returns train's clean and human labels: dict from feature to array."""
  keys = [_CLEAN_LABEL, *label_noise.HUMAN.values()]
  keys = [key for key in keys if key in source.builder.info.features]
  return source.read_labels("train", keys) if keys else {}


def _builder(name, data_dir):
  try:
    return tfds.builder(name, data_dir=data_dir)
  except tfds.core.DatasetNotFoundError:
    reason = "is unknown"
  except (ValueError, AssertionError, ImportError) as error:
    reason = f"cannot be made by tensorflow-datasets ({_first_line(error)})"
  known = ["digits", "fake", *tfds.list_builders()]
  similar = difflib.get_close_matches(
    name.lower().replace("-", "_"), known, n=5
  )
  raise errors.InvalidInputError(
    f"Dataset {name!r} {reason}: there are digits, fake, and the image "
    "classification datasets of tensorflow-datasets (cifar10, cifar100, "
    "fashion_mnist, ...)"
    + (f"; near to it are {', '.join(similar)}" if similar else "")
  )


def _keys(name, features):
  """Returns the names of the image and of the label feature."""
  image_keys = [
    key
    for key, feature in features.items()
    if isinstance(feature, tfds.features.Image) and feature.np_dtype == np.uint8
  ]
  label_keys = [
    key
    for key, feature in features.items()
    if isinstance(feature, tfds.features.ClassLabel)
  ]
  for keys, preferred in ((image_keys, "image"), (label_keys, "label")):
    keys.sort(key=lambda key, preferred=preferred: key != preferred)
  if not image_keys or not label_keys:
    raise errors.InvalidInputError(
      f"Dataset {name} must have an image of 8 bits and a class label. "
      f"Received features: {', '.join(features)}"
    )
  return image_keys[0], label_keys[0]


def _prepare(name, builder, download):
  if builder.data_path.exists():
    return
  if not download:
    raise errors.InvalidInputError(
      f"Dataset {name} is not in {builder.data_path}: give --data_dir, the "
      "folder where tensorflow-datasets prepared it, or --download to have it "
      "downloaded and prepared there"
    )
  try:
    builder.download_and_prepare()
  except errors.InvalidInputError:
    raise
  except Exception as error:  # Its servers and parsers raise many kinds.
    if "Manual directory" in str(error):
      raise errors.InvalidInputError(
        f"Dataset {name}: {' '.join(str(error).split())}"
      ) from error
    raise errors.InvalidInputError(
      f"Dataset {name} could not be downloaded into {builder.data_path}: "
      f"{type(error).__name__}: {_first_line(error)}"
    ) from error


def _first_line(error):
  return (str(error).strip().splitlines() or [""])[0]
