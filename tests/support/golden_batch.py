"""A batch of four examples of three classes, whose losses are known.

Ties are on purpose: in the third row the first two classes are equally likely,
and the first example's loss equals the last one's.
"""

import keras
import numpy as np
import tensorflow as tf

from nct_tf import methods
from nct_tf.models import classifier
from tests.support import linear_networks

LOGITS1 = [[2.0, 0, -1], [0, 1, 0], [1, 1, 0], [-1, 0, 2]]
LOGITS2 = [[1.0, 1, 0], [0, 0, 2], [2, 0, 0], [0, 1, 1]]
LABELS = [0, 2, 1, 2]
CROSS_ENTROPY1 = [0.16984602, 1.55144471, 0.8619948, 0.16984602]
CROSS_ENTROPY2 = [0.8619948, 0.23954477, 2.23954477, 0.8619948]
NUM_EXAMPLES = 40


def create(method, **options):
  """Returns a model of a method, of linear networks, that remembers examples.

  Args:
    method: str, its name.
    **options: those of the method.
  """
  # No test is to fail by chance.
  keras.utils.set_random_seed(0)
  cls = methods.get_model(method)
  networks = [
    linear_networks.create(3) for _ in range(cls.Options.NUM_NETWORKS)
  ]
  model = cls(*networks, **options)
  model.remember(NUM_EXAMPLES, 3, 4, 0.25, np.eye(3).tolist())
  return model


def targets(**more):
  """Returns the targets of the batch, as a step gets them."""
  return {
    "label": tf.constant(LABELS),
    "example": tf.constant([3, 5, 0, 7]),
    "step": tf.zeros([4], tf.int32),
    **more,
  }


def losses(model, **more):
  """Returns what each network minimises the mean of: list of [batch]."""
  logits = [tf.constant(each) for each in (LOGITS1, LOGITS2)]
  found = model.network_losses(logits[: len(model.networks)], targets(**more))
  return [classifier.per_example([each])["loss"].numpy() for each in found]


def evaluation_losses(model):
  """Returns the same of evaluation."""
  logits = [tf.constant(each) for each in (LOGITS1, LOGITS2)]
  found = model.evaluation_losses(
    logits[: len(model.networks)], {"label": tf.constant(LABELS)}
  )
  return [classifier.per_example([each])["loss"].numpy() for each in found]
