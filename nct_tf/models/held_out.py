"""Training examples that a method does not learn from for a while.

What networks predict of examples that they have not learned tells how noisy the
labels are.
"""

import numpy as np

from nct_tf import errors
from nct_tf.models import example_table

SHARE = 0.1


def create(num_examples, num_classes, batch_size, seed, option):
  """Draws the examples: a tenth of all.

  Args:
    num_examples: int, of the training data.
    num_classes: int.
    batch_size: int, the largest global batch.
    seed: int, of the draw.
    option: str, that of the method which needs them.

  Returns:
    an `ExampleTable` of one column, 1 where an example is held out, else 0.

  Raises:
    InvalidInputError: if there would be fewer than classes.
  """
  if not is_enough(num_examples, num_classes):
    raise errors.InvalidInputError(
      f"Argument `{option}`=estimated holds a tenth of the training examples "
      f"out, and needs at least {num_classes} there, one for each class. "
      f"Received: {num_examples} training examples"
    )
  rows = np.zeros([num_examples, 1], np.float32)
  rng = np.random.default_rng(seed)
  rows[rng.permutation(num_examples)[: _count(num_examples)]] = 1
  table = example_table.ExampleTable(num_examples, 1, batch_size)
  table.set_state(rows)
  return table


def is_enough(num_examples, num_classes):
  """Returns whether a tenth of the examples has one for each class: bool."""
  return _count(num_examples) >= num_classes


def _count(num_examples):
  return round(SHARE * num_examples)


def which(table):
  """Returns which examples are held out, by a table of `create`: bool array."""
  return table.get_state()[:, 0] > 0
