"""Keeps decoded images of any source in memory, on disk, or nowhere.

A source has `num_examples(split)`, `image_shape`, `image_bytes`,
`batches(split)`, which decodes all images in order, and `open(split, folder)`,
which makes `StoredImages` and labels without decoding.
"""

import numpy as np

from nct_tf.datasets.storage import image_cache, image_storage

_LABEL_TYPE = np.dtype("<i8")


def keep(source, splits, cache, folder):
  """Makes images ready to be read; where they are kept does not change them.

  Args:
    source: see the module.
    splits: list of str.
    cache: str, where decoded images are kept: `memory`, `disk`, or `none`,
      which decodes an image whenever it is needed. None chooses by their size.
    folder: `pathlib.Path`, the folder of this source in the cache.

  Returns:
    a triple: a list with the images of each split, uint8 [num_examples, height,
    width, channels], an array or `StoredImages`; a list with the labels of each
    split, int64 [num_examples]; whether the images are in memory.

  Raises:
    InvalidInputError: if the cache cannot be written.
  """
  cache = cache or _choose(source, splits, folder)
  images, labels = zip(
    *(_READERS[cache](source, split, folder) for split in splits), strict=True
  )
  return list(images), list(labels), cache == "memory"


def _choose(source, splits, folder):
  sizes = {
    split: source.num_examples(split) * source.image_bytes for split in splits
  }
  missing = [
    size
    for split, size in sizes.items()
    if not _images_file(folder, split).exists()
  ]
  return image_cache.choose(sum(sizes.values()), sum(missing), folder.parent)


def _images_file(folder, split):
  return folder / f"{split}.images"


def _read_into_memory(source, split, folder):
  """Returns uint8 images and int64 labels as arrays."""
  del folder  # Nothing is kept there.
  num_examples = source.num_examples(split)
  images = np.empty((num_examples, *source.image_shape), np.uint8)
  labels = np.empty(num_examples, np.int64)
  end = 0
  for batch_images, batch_labels in source.batches(split):
    begin, end = end, end + len(batch_labels)
    images[begin:end] = batch_images
    labels[begin:end] = batch_labels
  return images, labels


def _keep_on_disk(source, split, folder):
  """Returns `FileImages` and labels; makes their file if need be."""
  num_examples = source.num_examples(split)
  num_bytes = num_examples * source.image_bytes

  def write(file):
    labels = []
    for batch_images, batch_labels in source.batches(split):
      file.write(batch_images.data)
      labels.append(batch_labels)
    file.write(np.concatenate(labels).astype(_LABEL_TYPE).tobytes())

  def read(path):
    if path.stat().st_size != num_bytes + num_examples * _LABEL_TYPE.itemsize:
      return None
    labels = np.fromfile(path, _LABEL_TYPE, offset=num_bytes)
    images = image_storage.FileImages(path, num_examples, source.image_shape)
    return images, labels.astype(np.int64)

  return image_cache.obtain(_images_file(folder, split), read, write)


def _keep_nothing(source, split, folder):
  return source.open(split, folder)


_READERS = {
  "memory": _read_into_memory,
  "disk": _keep_on_disk,
  "none": _keep_nothing,
}
