"""Finds whether mirrored pictures are still pictures of their class."""

import numpy as np
from sklearn import discriminant_analysis

from nct_tf import preprocessing

_SIZE = 12
# Pictures of a class: one does not tell how they vary.
_MIN_TAUGHT = 2
_MAX_DROP = 0.1  # Of what is recognised beyond the commonest class.
_MAX_STANDARD_ERRORS = 2


def compare(images, labels, seed=0):
  """Recognises pictures and their mirror images by their pixels alone.

  Half of the pictures teach a linear classifier, which then sees the other
  half, as they are and mirrored. Wrong labels lower both accuracies alike.

  Args:
    images: uint8 array [num_images, height, width, channels].
    labels: integer array [num_images].
    seed: int, of the halves.

  Returns:
    the share of the other half that is recognised as it is, that share of its
    mirror images, and the share of its commonest label, floats; and how many
    pictures these are of, an int. Classes of which there are too few pictures
    are left out; None if hardly any are left.
  """
  small = preprocessing.resize(images, (_SIZE, _SIZE)).numpy() / 255
  order = np.random.default_rng(seed).permutation(len(labels))
  halves = np.array_split(order, 2)
  known = np.flatnonzero(np.bincount(labels[halves[0]]) >= _MIN_TAUGHT)
  taught, seen = (half[np.isin(labels[half], known)] for half in halves)
  if len(known) < 2 or not len(seen):
    return None
  classifier = discriminant_analysis.LinearDiscriminantAnalysis(
    solver="lsqr", shrinkage="auto"
  )
  classifier.fit(small[taught].reshape(len(taught), -1), labels[taught])

  def share(pictures):
    predicted = classifier.predict(pictures.reshape(len(seen), -1))
    return float(np.mean(predicted == labels[seen]))

  return (
    share(small[seen]),
    share(small[seen][:, :, ::-1]),
    float(np.bincount(labels[seen]).max() / len(seen)),
    len(seen),
  )


def keeps_class(recognised, mirrored, commonest, num_images):
  """Returns whether mirrored pictures are recognised as well as the others.

  Args:
    recognised: float, see `compare`, as for the others.
    mirrored: float.
    commonest: float.
    num_images: int.
  """
  standard_error = (2 * recognised * (1 - recognised) / num_images) ** 0.5
  allowed = max(
    _MAX_DROP * (recognised - commonest), _MAX_STANDARD_ERRORS * standard_error
  )
  return recognised - mirrored <= allowed
