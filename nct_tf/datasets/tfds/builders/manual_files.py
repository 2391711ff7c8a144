"""Checks that datasets downloaded by hand are complete and can be read."""

import io
import logging

import tensorflow as tf
import tensorflow_datasets as tfds

from nct_tf import errors

# The share of a split's images. If more are unreadable, it is no accident.
MAX_UNREADABLE_RATE = 0.01

_NUM_NAMED = 5

_logger = logging.getLogger(__name__)


def check_present(folder, names):
  """Raises `InvalidInputError` if a folder lacks files; names all of them.

  Args:
    folder: a path.
    names: sequence of str, of files or folders in it.
  """
  missing = [name for name in names if not (folder / name).exists()]
  if missing:
    raise errors.InvalidInputError(
      f"Folder {folder} must hold {', '.join(names)}. Missing: "
      f"{', '.join(missing)}"
    )


def check_count(what, expected, actual):
  """Raises `InvalidInputError` unless the number is the expected one."""
  if actual != expected:
    raise errors.InvalidInputError(
      f"{what} must be {expected:,}, or the download is not whole. Received: "
      f"{actual:,}"
    )


def read_labels(path, num_classes):
  """Reads lines of a name and a label.

  Args:
    path: a path.
    num_classes: int.

  Returns:
    dict from name to int, in the file's order.

  Raises:
    InvalidInputError: for the first line that does not have that form.
  """
  labels = {}
  for number, line in enumerate(path.read_text().splitlines(), start=1):
    name, _, label = line.rpartition(" ")
    if not name or not label.isdecimal() or int(label) >= num_classes:
      raise errors.InvalidInputError(
        f"{path}, line {number}, must be a file and a label in [0, "
        f"{num_classes}). Received: {line!r}"
      )
    labels[name] = int(label)
  return labels


def class_names(path, synsets):
  """Returns a name for each synset, such as `n01443537 goldfish`.

  Args:
    path: a path of a file whose lines are a synset and words for it.
    synsets: sequence of str.

  Returns:
    list of str, all different.

  Raises:
    InvalidInputError: if the file lacks one of the synsets.
  """
  lines = (line.split(None, 1) for line in path.read_text().splitlines())
  words = dict(line for line in lines if len(line) == 2)
  unknown = [synset for synset in synsets if synset not in words]
  if unknown:
    raise errors.InvalidInputError(
      f"{path} must have a line for each class. Missing: "
      f"{', '.join(unknown[:_NUM_NAMED])}"
    )
  return [
    f"{synset} {words[synset].split(',')[0].strip()}" for synset in synsets
  ]


class ManualBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """A builder that skips images that cannot be decoded."""

  def _generate_examples(self, split, files):
    """Reads images.

    Args:
      split: str, for the messages.
      files: list of triples: str, the example's id; the image's path; dict of
        the example's other features.

    Yields:
      pairs: the id, the example.

    Raises:
      InvalidInputError: as soon as more than `MAX_UNREADABLE_RATE` of the
        images cannot be read.
    """
    shape = self.info.features["image"].shape
    unreadable = []
    for name, path, features in files:
      contents, problem = _read(path, shape)
      if problem is None:
        yield name, {"id": name, "image": io.BytesIO(contents), **features}
        continue
      unreadable.append(f"{name} ({problem})")
      if len(unreadable) > MAX_UNREADABLE_RATE * len(files):
        raise errors.InvalidInputError(
          f"More than {MAX_UNREADABLE_RATE:.0%} of the {len(files):,} images "
          f"of {split} cannot be read: {_named(unreadable)}"
        )
    if unreadable:
      _logger.warning(
        "%d of the %d images of %s cannot be read and are left out: %s",
        len(unreadable),
        len(files),
        split,
        ", ".join(unreadable),
      )


def _named(items):
  more = len(items) - _NUM_NAMED
  return ", ".join(items[:_NUM_NAMED]) + (
    f" and {more} more" if more > 0 else ""
  )


def _read(path, shape):
  """Returns an image's bytes and None, or None and what is wrong with it."""
  try:
    contents = path.read_bytes()
  except (OSError, tf.errors.OpError):
    return None, "cannot be opened"
  try:
    # As tensorflow-datasets will decode it.
    image = tf.io.decode_image(contents, channels=shape[-1])
  except tf.errors.InvalidArgumentError:
    return None, "is damaged or no image"
  if not image.shape.is_compatible_with(shape):  # An animation has four axes.
    return None, f"has the shape {image.shape.as_list()}"
  return contents, None
