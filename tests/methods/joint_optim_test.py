from absl.testing import absltest, parameterized
import numpy as np
import tensorflow as tf

from nct_tf import errors
from nct_tf.methods import joint_optim
from nct_tf.models import classifier
from tests.support import golden_batch

SOFT_LABELS = [
  [0.7, 0.2, 0.1],
  [0.1, 0.1, 0.8],
  [0.3, 0.6, 0.1],
  [0.2, 0.2, 0.6],
]
EXAMPLES = [3, 5, 0, 7]  # Of the golden batch.


def create(regularizes=1.0, **options):
  model = golden_batch.create("joint_optim", **options)
  model.regularizes.assign(regularizes)
  return model


def set_soft_labels(model):
  rows = model.recall("soft_labels")
  rows[EXAMPLES] = SOFT_LABELS
  model.example_state["soft_labels"].set_state(rows)


class LossTest(parameterized.TestCase):
  def test_equals_golden_numbers(self):
    model = create()
    set_soft_labels(model)
    logits = tf.constant(golden_batch.LOGITS1)
    (found,) = model.network_losses([logits], golden_batch.targets())
    self.assertAlmostEqual(np.mean(found.loss), 1.113282889, places=5)
    parts = {name: np.mean(value) for name, value in found.parts.items()}
    self.assertAlmostEqual(parts["divergence"], 0.004745043, places=5)
    self.assertAlmostEqual(parts["entropy"], 0.760304568, places=5)
    (loss,) = golden_batch.losses(model)
    # The published total is off by a constant, that of the divergence.
    self.assertAlmostEqual(
      np.mean(loss), 3.045555134 - 1.2 * np.log(3), places=5
    )
    model.regularizes.assign(0.0)
    (loss,) = golden_batch.losses(model)
    self.assertAlmostEqual(np.mean(loss), 1.113282889, places=5)

  def test_learns_the_given_labels_at_first(self):
    (loss,) = golden_batch.losses(create(regularizes=0.0))
    np.testing.assert_allclose(loss, golden_batch.CROSS_ENTROPY1, atol=1e-6)

  @parameterized.parameters(0.0, 1e4)
  def test_constant_predictions_are_finite(self, extreme):
    model = create()
    logits = tf.constant(extreme * np.eye(3)[[1, 1, 1, 1]], tf.float32)
    with tf.GradientTape() as tape:
      tape.watch(logits)
      found = model.network_losses([logits], golden_batch.targets())
      loss = classifier.per_example(found)["loss"]
    self.assertTrue(np.isfinite(loss).all())
    self.assertTrue(np.isfinite(tape.gradient(loss, logits)).all())


class RingTest(absltest.TestCase):
  def test_labels_become_the_mean_of_ten_epochs(self):
    model = create()
    num_examples = golden_batch.NUM_EXAMPLES
    labels = np.arange(num_examples) % 3
    training_set = classifier.TrainingSet(32, labels, predict=None)
    slot = model.schedules(32)["ring_slot"]
    rng = np.random.default_rng(0)
    seen = []
    for epoch in range(20):  # All epochs of the first step.
      model.ring_slot.assign(slot(epoch))
      logits = tf.constant(rng.normal(size=[num_examples, 3]), tf.float32)
      seen.append(tf.nn.softmax(logits).numpy())
      model.network_losses(
        [logits],
        {"label": tf.constant(labels), "example": tf.range(num_examples)},
      )
      with self.assertLogs(joint_optim.__name__) as logged:
        joint_optim._logger.info("an epoch")
        model.between_epochs(epoch, training_set)
      expected = np.mean(seen[-10:], axis=0)
      if epoch + 1 < 7:
        expected = np.zeros_like(expected)
      np.testing.assert_allclose(
        model.recall("soft_labels"), expected, atol=1e-3
      )
    changed = np.sum(expected.argmax(axis=1) != labels)
    self.assertIn(f"{changed} of 40 labels", logged.output[-1])
    before = model.recall("soft_labels")
    model.between_epochs(20, training_set)
    np.testing.assert_array_equal(model.recall("soft_labels"), before)
    self.assertEqual(model.recall("ring").dtype, np.float16)

  def test_an_example_that_was_not_seen_keeps_its_label(self):
    ring = np.zeros([2, 3, 2], np.float16)
    ring[0, 0] = [0.25, 0.75]
    ring[:, 1] = [[0.25, 0.75], [0.75, 0.25]]
    before = np.float32([[0, 0], [0, 0], [0.1, 0.9]])
    np.testing.assert_allclose(
      joint_optim.mean_prediction(ring.reshape(6, 2), before),
      [[0.25, 0.75], [0.5, 0.5], [0.1, 0.9]],
    )


class PhasesTest(parameterized.TestCase):
  def test_are_the_published_ones(self):
    model = create(joint_learning_rate=0.08)
    first, second = model.phases(320)
    self.assertEqual((first.num_epochs, first.learning_rate), (200, 0.08))
    self.assertEqual((second.num_epochs, second.learning_rate), (120, None))
    self.assertFalse(first.restart)
    self.assertTrue(second.restart)
    schedules = model.schedules(320)
    self.assertEqual([schedules["regularizes"](e) for e in (199, 200)], [1, 0])
    self.assertEqual([schedules["ring_slot"](e) for e in (0, 9, 10)], [0, 9, 0])
    self.assertEqual(model._num_given(320), 70)

  @parameterized.parameters(
    ({}, 1, "`num_epochs` must be above the 1 of `joint_first_epochs`"),
    ({"joint_first_epochs": 9}, 9, "`num_epochs` must be above the 9"),
    (
      {"joint_first_epochs": 2, "joint_replace_epochs": 3},
      9,
      "`joint_replace_epochs` must be at most .*Received: .*=3 of 2",
    ),
  )
  def test_refuses_epochs_that_do_not_fit(self, options, num_epochs, message):
    with self.assertRaisesRegex(errors.InvalidInputError, message):
      create(**options).phases(num_epochs)


if __name__ == "__main__":
  absltest.main()
