"""MetaCleaner: sets of images, and the clean features made of them."""

from absl.testing import absltest, parameterized
import keras
import numpy as np
import tensorflow as tf

from nct_tf.methods import meta_cleaner
from nct_tf.models import classifier
from tests.support import linear_networks, long_tests

NUM_CLASSES = 3


def create(**options):
  keras.utils.set_random_seed(4)
  network = linear_networks.create(NUM_CLASSES)
  model = meta_cleaner.MetaCleanerModel(network, **options)
  model.compile(keras.optimizers.Adam(0.05))
  return model


def targets_of(labels):
  return {
    "label": tf.constant(labels, tf.int32),
    "step": tf.zeros([len(labels)], tf.int32),
  }


class SetsTest(parameterized.TestCase):
  def test_fill_in_the_order_of_keys(self):
    found = meta_cleaner.sets(
      tf.constant([1, 0, 1, 1, 0, 1]),
      tf.constant([True] * 5 + [False]),
      tf.constant([0.9, 0.5, 0.1, 0.2, 0.5, 0.0]),
      2,
    )
    expected = np.eye(6)
    expected[2, 3] = expected[3, 2] = 1
    expected[1, 4] = expected[4, 1] = 1
    np.testing.assert_array_equal(found, expected)

  def test_are_of_one_label_and_as_large_as_may_be(self):
    rng = np.random.default_rng(0)
    labels = rng.integers(4, size=50)
    found = meta_cleaner.sets(
      tf.constant(labels),
      tf.fill([50], True),
      tf.constant(rng.uniform(size=50), tf.float32),
      5,
    ).numpy()
    for label in range(4):
      rows = found[labels == label]
      self.assertFalse(rows[:, labels != label].any())
      sizes = sorted(1 / row.sum() for row in rows)
      self.assertAlmostEqual(sum(sizes), np.ceil(len(rows) / 5), places=5)


class MetaCleanerTest(parameterized.TestCase):
  def test_loss_is_that_of_clean_features(self):
    model = create(meta_cleaner_set_size=3, meta_cleaner_units=2)
    images = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    labels = [0, 1, 0, 0, 1]
    logits, losses = model.training_losses(
      tf.constant(images), targets_of(labels)
    )
    kernel, bias = model.network1.get_weights()
    np.testing.assert_allclose(logits[0], images @ kernel + bias, rtol=1e-5)
    expected = []
    hidden, to_hidden = model.hidden.get_weights()
    confidence, to_confidence = model.confidence.get_weights()
    for rows in ([0, 2, 3], [1, 4]):
      own = images[rows]
      context = np.tile(own.mean(axis=0), [len(rows), 1])
      seen = np.concatenate([own, context], axis=1) @ hidden + to_hidden
      seen = np.maximum(seen, 0) @ confidence + to_confidence
      weights = 1 / (1 + np.exp(-seen))
      clean = np.sum(weights * own, axis=0) / np.sum(weights)
      p = linear_networks.softmax((clean @ kernel + bias)[None])[0]
      expected.append(-np.log(p[labels[rows[0]]]))
    found = classifier.per_example(losses)["loss"]
    np.testing.assert_allclose(np.mean(found), np.mean(expected), rtol=1e-5)

  def test_sets_of_one_are_plain_training(self):
    model = create(meta_cleaner_set_size=1)
    images = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    labels = [0, 1, 0, 0, 1]
    logits, losses = model.training_losses(
      tf.constant(images), targets_of(labels)
    )
    (plain,) = classifier.plain_losses(logits, targets_of(labels))
    found = classifier.per_example(losses)["loss"]
    np.testing.assert_allclose(found, plain.loss, rtol=1e-5)

  @long_tests.only
  def test_wrong_labels_get_less_confidence(self):
    rng = np.random.default_rng(0)
    model = create(meta_cleaner_set_size=8, meta_cleaner_units=16)
    true = rng.integers(NUM_CLASSES, size=96)
    images = np.eye(4)[true] * 3 + rng.normal(size=(96, 4))
    is_wrong = rng.uniform(size=96) < 0.3
    labels = np.where(is_wrong, (true + 1) % NUM_CLASSES, true)
    images, targets = tf.constant(images, tf.float32), targets_of(labels)

    @tf.function
    def train(step):
      model.train_step((images, {**targets, "step": tf.fill([96], step)}))

    for step in range(60):
      train(tf.constant(step))
    _, (loss,) = model.training_losses(images, targets)
    confidence = loss.parts["confidence"].numpy()
    self.assertLess(
      confidence[is_wrong].mean(), confidence[~is_wrong].mean() - 0.05
    )


if __name__ == "__main__":
  absltest.main()
