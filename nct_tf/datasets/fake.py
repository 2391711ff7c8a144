"""Random images with random labels, of any size: for trying things out."""

import numpy as np

from nct_tf import errors
from nct_tf.datasets import image_dataset


def load(
  num_train_examples=1024,
  num_test_examples=256,
  height=32,
  num_channels=3,
  num_classes=10,
  seed=0,
):
  """Returns an `ImageDataset` of uniform noise; there is nothing to learn.

  Args:
    num_train_examples: int, at least `num_classes`.
    num_test_examples: int, at least `num_classes`.
    height: int, the side of the square images in pixels.
    num_channels: int.
    num_classes: int, at least 2; they are equally frequent.
    seed: int.
  """
  errors.check_range("num_classes", num_classes, 2, float("inf"))
  rng = np.random.default_rng(seed)

  def split(name, num_examples):
    errors.check_range(f"fake_{name}", num_examples, num_classes, float("inf"))
    shape = (num_examples, height, height, num_channels)
    return (
      rng.integers(256, size=shape, dtype=np.uint8),
      rng.permutation(np.arange(num_examples) % num_classes),
    )

  train_images, train_labels = split("num_train_examples", num_train_examples)
  test_images, test_labels = split("num_test_examples", num_test_examples)
  return image_dataset.ImageDataset(
    name="fake",
    train_images=train_images,
    train_labels=train_labels,
    test_images=test_images,
    test_labels=test_labels,
    class_names=tuple(f"class{number}" for number in range(num_classes)),
  )
