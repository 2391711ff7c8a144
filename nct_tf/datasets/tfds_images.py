"""Any image classification dataset of tensorflow-datasets, by its name."""

import difflib
import logging

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
import tqdm

from nct_tf import errors, preprocessing
from nct_tf.datasets import image_dataset

_logger = logging.getLogger(__name__)

_SPLIT_SEED = 0
_TEST_FRACTION = 0.2
_READ_BATCH_SIZE = 1024
_PROGRESS_DELAY_SECONDS = 2  # Small datasets need no progress bar.
_TEST_SPLITS = ("test", "validation")


def load(name, data_dir=None, download=False, image_size=None):
  """Reads a dataset into memory.

  The test split is `test`, or `validation` where there is none or where its
  labels are kept back (-1); a dataset of one split alone is parted, stratified,
  four to one.

  Args:
    name: str, as `tfds.builder` takes it, with `/config` where it has some.
    data_dir: str, or None for the default of tensorflow-datasets.
    download: bool, whether to download and prepare what is not there.
    image_size: int, the side to resize to; needed where sizes differ.

  Returns:
    an `ImageDataset`.

  Raises:
    InvalidInputError: if the dataset is unknown, absent or unfit.
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
  splits = builder.info.splits
  if "train" not in splits:
    raise errors.InvalidInputError(
      f"Dataset {name} must have a split named train. Received: "
      f"{', '.join(splits)}"
    )

  def read(split):
    return _read(builder, split, image_key, label_key, image_size)

  train_images, train_labels = read("train")
  test_split = None
  for split in (name for name in _TEST_SPLITS if name in splits):
    test_split = split
    test_images, test_labels = read(split)
    if test_labels.min() >= 0:  # Some keep their test labels to themselves.
      break
  if test_split is None:
    is_test = image_dataset.stratified_sample(
      train_labels,
      round(_TEST_FRACTION * len(train_labels)),
      _SPLIT_SEED,
      "test split",
    )
    test_images, test_labels = train_images[is_test], train_labels[is_test]
    train_images, train_labels = train_images[~is_test], train_labels[~is_test]
  _logger.info("Test split: %s", test_split or "a held-out fifth of train")
  return image_dataset.ImageDataset(
    name=builder.name,
    train_images=train_images,
    train_labels=train_labels,
    test_images=test_images,
    test_labels=test_labels,
    class_names=tuple(builder.info.features[label_key].names),
  )


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
  except Exception as error:  # Whatever its servers and parsers raise.
    raise errors.InvalidInputError(
      f"Dataset {name} could not be downloaded into {builder.data_path}: "
      f"{type(error).__name__}: {_first_line(error)}"
    ) from error


def _first_line(error):
  return (str(error).strip().splitlines() or [""])[0]


def _read(builder, split, image_key, label_key, image_size):
  """Returns uint8 images and int64 labels in the order of the files."""

  def to_pair(example):
    image = example[image_key]
    if image_size is not None:
      image = preprocessing.resize(image, (image_size, image_size))
    return image, example[label_key]

  batches = (
    builder.as_dataset(split=split, shuffle_files=False)
    .map(to_pair, num_parallel_calls=tf.data.AUTOTUNE)
    .batch(_READ_BATCH_SIZE)
  )
  images, labels = [], []
  with tqdm.tqdm(
    desc=f"reading {split}",
    total=builder.info.splits[split].num_examples,
    delay=_PROGRESS_DELAY_SECONDS,
  ) as progress:
    for batch_images, batch_labels in batches.as_numpy_iterator():
      images.append(batch_images)
      labels.append(batch_labels)
      progress.update(len(batch_labels))
  return np.concatenate(images), np.concatenate(labels).astype(np.int64)
