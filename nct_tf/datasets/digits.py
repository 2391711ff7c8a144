"""The handwritten digits in scikit-learn: 1,797 images of 8x8 pixels."""

import numpy as np
from sklearn import datasets as sklearn_datasets

from nct_tf.datasets import image_dataset, stratified

_NUM_TEST_EXAMPLES = 360
_SPLIT_SEED = 0
_MAX_PIXEL = 16  # Its pixels are counts of black dots in 4x4 blocks.


def load():
  """Returns an `ImageDataset` with a fixed stratified split, 1,437 and 360."""
  digits = sklearn_datasets.load_digits()
  images = np.rint(digits.images * (255 / _MAX_PIXEL)).astype(np.uint8)
  labels = digits.target.astype(np.int64)
  is_test = stratified.sample(
    labels, _NUM_TEST_EXAMPLES, _SPLIT_SEED, "num_test_examples"
  )
  return image_dataset.ImageDataset(
    name="digits",
    train_images=images[~is_test, :, :, None],
    train_labels=labels[~is_test],
    test_images=images[is_test, :, :, None],
    test_labels=labels[is_test],
    class_names=tuple(str(name) for name in digits.target_names),
  )
