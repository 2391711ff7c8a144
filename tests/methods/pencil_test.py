from absl.testing import absltest, parameterized
import numpy as np
import tensorflow as tf

from nct_tf import errors
from nct_tf.methods import pencil
from nct_tf.models import classifier
from tests.support import golden_batch

ALPHA = 0.4
GIVEN, LEARNED, FIXED = 0.0, 1.0, 2.0


def create(stage, **options):
  model = golden_batch.create("pencil", **options)
  model.pencil_stage.assign(stage)
  return model


def label_losses(label_logits, logits, labels):
  """What the labels minimise, as the authors' code has it: a scalar."""
  log_p = tf.nn.log_softmax(logits)
  log_q = tf.nn.log_softmax(label_logits)
  cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(
    labels, tf.nn.softmax(label_logits)
  )
  divergence = tf.reduce_mean(tf.exp(log_p) * (log_p - log_q))
  return divergence + ALPHA * tf.reduce_mean(cross_entropy)


class LossTest(parameterized.TestCase):
  def test_equals_golden_numbers(self):
    model = create(LEARNED)
    logits = tf.constant(golden_batch.LOGITS1)
    (found,) = model.network_losses([logits], golden_batch.targets())
    self.assertAlmostEqual(np.mean(found.loss), 1.145053889, places=5)
    parts = {name: np.mean(value) for name, value in found.parts.items()}
    self.assertAlmostEqual(parts["divergence"], 1.145053889, places=5)
    self.assertAlmostEqual(parts["compatibility"], 0.551502444, places=5)
    self.assertAlmostEqual(parts["entropy"], 0.253434856, places=5)
    np.testing.assert_allclose(
      model.label_logits(golden_batch.targets(), 3)[1],
      [10.59307629, 28.80184264, -29.39491893],
      atol=1e-4,
    )
    (loss,) = golden_batch.losses(create(LEARNED))
    self.assertAlmostEqual(
      np.mean(loss), 1.145053889 + 0.1 * 0.253434856, places=5
    )

  def test_labels_descend_the_gradient_that_tensorflow_finds(self):
    rng = np.random.default_rng(0)
    label_logits, logits = (
      tf.constant(rng.normal(scale=scale, size=[6, 4]), tf.float32)
      for scale in (3.0, 2.0)
    )
    labels = tf.constant(rng.integers(4, size=6))
    with tf.GradientTape() as tape:
      tape.watch(label_logits)
      loss = label_losses(label_logits, logits, labels)
    found = pencil.label_gradient(label_logits, logits, labels, ALPHA) / 6
    np.testing.assert_allclose(
      found, tape.gradient(loss, label_logits), atol=1e-6
    )

  @parameterized.parameters(GIVEN, FIXED)
  def test_labels_move_in_the_second_stage_alone(self, stage):
    model = create(stage)
    (loss,) = golden_batch.losses(model)
    self.assertFalse(model.recall("moves").any())
    if stage == GIVEN:
      np.testing.assert_allclose(loss, golden_batch.CROSS_ENTROPY1, atol=1e-6)
    else:
      self.assertAlmostEqual(np.mean(loss), 1.145053889, places=5)

  def test_an_example_without_weight_keeps_its_label(self):
    model = create(LEARNED)
    golden_batch.losses(model, sample_weight=tf.constant([1.0, 0, 1, 1]))
    moves = model.recall("moves")
    self.assertFalse(moves[5].any())
    self.assertTrue(moves[[3, 0, 7]].any(axis=1).all())

  def test_labels_that_are_right_stay_and_all_is_finite(self):
    model = create(LEARNED)
    logits = [10.0 * tf.one_hot(golden_batch.LABELS, 3)]
    for _ in range(20):
      model.network_losses(logits, golden_batch.targets())
    np.testing.assert_allclose(model.recall("moves"), 0, atol=0.1)
    for extreme in (0.0, 1e4):
      logits = tf.constant(extreme * np.eye(3)[[1, 1, 1, 1]], tf.float32)
      with tf.GradientTape() as tape:
        tape.watch(logits)
        found = model.network_losses([logits], golden_batch.targets())
        loss = classifier.per_example(found)["loss"]
      self.assertTrue(np.isfinite(loss).all())
      self.assertTrue(np.isfinite(tape.gradient(loss, logits)).all())
      self.assertTrue(np.isfinite(model.recall("moves")).all())


class PhasesTest(parameterized.TestCase):
  def test_are_the_published_ones(self):
    model = create(
      GIVEN, pencil_learning_rate=0.06, pencil_final_learning_rate=0.2
    )
    found = model.phases(320)
    self.assertEqual([p.num_epochs for p in found], [70, 130, 40, 40, 40])
    np.testing.assert_allclose(
      [p.learning_rate for p in found], [0.06, 0.06, 0.2, 0.02, 0.002]
    )
    self.assertFalse(any(p.restart for p in found))
    stage = model.schedules(320)["pencil_stage"]
    self.assertEqual(
      [stage(epoch) for epoch in (0, 69, 70, 199, 200, 319)],
      [GIVEN, GIVEN, LEARNED, LEARNED, FIXED, FIXED],
    )

  @parameterized.parameters((4, [1, 2, 1]), (5, [1, 2, 1, 1]), (3, [1, 1, 1]))
  def test_of_few_epochs(self, num_epochs, expected):
    model = create(GIVEN, pencil_final_learning_rate=0.2)
    self.assertEqual([p.num_epochs for p in model.phases(num_epochs)], expected)

  def test_needs_an_epoch_of_each(self):
    with self.assertRaisesRegex(
      errors.InvalidInputError,
      "`num_epochs` must be above the 2 of `pencil_begin_epochs` and ",
    ):
      create(GIVEN).phases(2)

  def test_says_how_many_labels_have_changed(self):
    model = create(GIVEN)
    labels = np.arange(golden_batch.NUM_EXAMPLES) % 3
    moves = np.zeros([golden_batch.NUM_EXAMPLES, 3], np.float32)
    moves[[0, 1, 5], (labels[[0, 1, 5]] + 1) % 3] = 11
    model.example_state["moves"].set_state(moves)
    training_set = classifier.TrainingSet(32, labels, predict=None)
    with self.assertLogs(pencil.__name__) as logged:
      for epoch in (6, 19, 31):
        model.between_epochs(epoch, training_set)
    self.assertLen(logged.output, 1)
    self.assertIn("After epoch 20: 3 of 40 labels", logged.output[0])


if __name__ == "__main__":
  absltest.main()
