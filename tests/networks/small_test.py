"""Small networks learn, whatever the size of the images.

`make test-long` trains all of them, for a minute each.
"""

from absl.testing import absltest, parameterized
import keras
import numpy as np

from nct_tf import networks, preprocessing
from nct_tf.datasets import digits
from nct_tf.methods import nct, standard
from nct_tf.training import epoch_schedules
from tests.support import long_tests

_NUM_TRAIN = 1300
_BATCH_SIZE = 32
_LEARNING_RATE = 0.02


def load(size):
  """Returns images and labels to learn from, and others to be asked about."""
  dataset = digits.load()
  images = np.concatenate([dataset.train_images, dataset.test_images])
  labels = np.concatenate([dataset.train_labels, dataset.test_labels])
  order = np.random.default_rng(0).permutation(len(labels))
  images = preprocessing.resize(images[order], (size, size)).numpy()
  images = (images - images.mean()) / images.std()
  parts = np.split(images.astype(np.float32), [_NUM_TRAIN])
  return zip(parts, np.split(labels[order], [_NUM_TRAIN]), strict=True)


def accuracy(method, name, size, width, num_epochs):
  """Returns the share of unseen digits that a network recognises."""
  (images, labels), unseen = load(size)
  keras.utils.set_random_seed(0)

  def create():
    return networks.create(name, (size, size, 1), 10, width)

  callbacks = [
    keras.callbacks.LearningRateScheduler(
      lambda epoch, _: _LEARNING_RATE * (1 if epoch < 0.9 * num_epochs else 0.1)
    )
  ]
  if method == "nct":
    model = nct.ConcurrentModel(create(), create(), weight_decay=1e-5)
    callbacks += epoch_schedules.concurrent_schedules(model, num_epochs)
  else:
    model = standard.StandardModel(create(), weight_decay=1e-5)
  model.compile(optimizer=keras.optimizers.SGD(_LEARNING_RATE, momentum=0.9))
  model.fit(
    images,
    labels,
    _BATCH_SIZE,
    epochs=num_epochs,
    callbacks=callbacks,
    verbose=0,
  )
  scores = model.evaluate(*unseen, return_dict=True, verbose=0)
  return scores["ensemble_accuracy"]


class LearningTest(parameterized.TestCase):
  @long_tests.only
  def test_a_small_one_learns_soon(self):
    self.assertGreater(accuracy("nct", "simple_cnn", 16, 12, 6), 0.9)

  @long_tests.only
  @parameterized.product(
    network=[("simple_cnn", 16), ("mlp", 64)], size=[8, 16, 32, 64]
  )
  def test_nct_learns_what_standard_training_does(self, network, size):
    name, width = network
    both = [
      accuracy(method, name, size, width, num_epochs=25)
      for method in ("nct", "standard")
    ]
    print(f"{name} {size}: nct {both[0]:.1%}, standard {both[1]:.1%}")
    self.assertGreater(min(both), 0.9)
    self.assertAlmostEqual(*both, delta=0.02)


if __name__ == "__main__":
  absltest.main()
