"""The losses of gce, sce, nce_rce and elr."""

import math

from absl.testing import absltest, parameterized
import numpy as np
import tensorflow as tf

from nct_tf import errors, methods
from nct_tf.methods import gce
from nct_tf.models import classifier
from tests.support import golden_batch

CROSS_ENTROPY = np.array(golden_batch.CROSS_ENTROPY1)


class GoldenTest(parameterized.TestCase):
  @parameterized.named_parameters(
    (
      "gce",
      "gce",
      {},
      [0.16013786, 0.94634252, 0.64721309, 0.16013786],
      0.478457831,
    ),
    (
      "sce",
      "sce",
      {},
      None,
      3.932911866,
    ),
    (
      "sce_cifar100",
      "sce",
      {"sce_alpha": 6.0, "sce_beta": 0.1},
      None,
      4.516105693,
    ),
    ("nce_rce", "nce_rce", {}, None, 4.045729411),
    (
      "nce_rce_cifar100",
      "nce_rce",
      {"nce_rce_alpha": 10.0, "nce_rce_beta": 0.1},
      None,
      2.202866699,
    ),
    (
      "nce",
      "nce_rce",
      {"nce_rce_beta": 0.0},
      [0.03082763, 0.42454922, 0.24037885, 0.03082763],
      0.181645834,
    ),
    (
      "rce",
      "sce",
      {"sce_alpha": 0.0},
      [1.43870366, 7.25828649, 5.32064049, 1.43870366],
      3.864083577,
    ),
    ("elr", "elr", {}, None, 0.126908601),
  )
  def test_equals_golden_numbers(self, method, options, expected, mean):
    (loss,) = golden_batch.losses(golden_batch.create(method, **options))
    self.assertAlmostEqual(np.mean(loss), mean, places=5)
    if expected:
      np.testing.assert_allclose(loss, expected, atol=1e-6)

  @parameterized.parameters("gce", "sce", "nce_rce", "elr")
  def test_certain_predictions_have_finite_losses_and_gradients(self, method):
    model = golden_batch.create(method)
    logits = tf.constant([[1e4, 0, 0], [0, 1e4, 0], [0, 0, -1e4], [0, 0, 0]])
    for _ in range(50):
      with tf.GradientTape() as tape:
        tape.watch(logits)
        found = model.network_losses([logits], golden_batch.targets())
        loss = classifier.per_example(found)["loss"]
      self.assertTrue(np.isfinite(loss).all())
      self.assertTrue(np.isfinite(tape.gradient(loss, logits)).all())


class GeneralizedCrossEntropyTest(absltest.TestCase):
  def test_a_small_q_is_cross_entropy_and_1_the_absolute_error(self):
    logits = tf.constant(golden_batch.LOGITS1)
    np.testing.assert_allclose(
      gce.generalized_cross_entropy(logits, golden_batch.LABELS, 1e-3),
      CROSS_ENTROPY,
      rtol=2e-3,
    )
    np.testing.assert_allclose(
      gce.generalized_cross_entropy(logits, golden_batch.LABELS, 1.0),
      1 - np.exp(-CROSS_ENTROPY),
      atol=1e-6,
    )

  def test_truncated_it_leaves_unlikely_labels_out(self):
    model = golden_batch.create("gce", gce_truncation=0.5)
    (before,) = golden_batch.losses(model)
    at_k = (1 - 0.5**0.7) / 0.7
    self.assertAlmostEqual(at_k, 0.549182562, places=6)
    np.testing.assert_allclose(
      before, golden_batch.evaluation_losses(model)[0] - at_k, atol=1e-6
    )
    # The batch's examples are 3, 5, 0 and 7.
    rows = {3: 0, 5: 1, 0: 2, 7: 3}
    logits = np.zeros([1, golden_batch.NUM_EXAMPLES, 3], np.float32)
    labels = np.zeros(golden_batch.NUM_EXAMPLES, np.int64)
    for example, row in rows.items():
      logits[0, example] = golden_batch.LOGITS1[row]
      labels[example] = golden_batch.LABELS[row]
    training_set = classifier.TrainingSet(30, labels, lambda: logits)
    schedule = model.schedules(30)["prunes"]
    self.assertEqual(
      [epoch for epoch in range(40) if schedule(epoch)], [9, 19, 29, 39]
    )
    model.between_epochs(8, training_set)
    np.testing.assert_array_equal(golden_batch.losses(model)[0], before)
    model.between_epochs(9, training_set)
    (loss,) = golden_batch.losses(model)
    np.testing.assert_array_equal(loss != 0, [True, False, False, True])
    self.assertAlmostEqual(np.mean(loss), -0.194522352, places=6)

  def test_a_batch_of_unlikely_labels_teaches_nothing(self):
    model = golden_batch.create("gce", gce_truncation=0.5)
    model.example_state["pruned"].set_state(
      np.ones([golden_batch.NUM_EXAMPLES, 1], np.float32)
    )
    (loss,) = golden_batch.losses(model)
    np.testing.assert_array_equal(loss, np.zeros(4))

  def test_pruning_needs_a_truncation(self):
    with self.assertRaisesRegex(
      errors.InvalidInputError, "gce_prune_epochs.*gce_truncation"
    ):
      methods.get_options("gce")(gce_prune_epochs=3)


class EarlyLearningTest(absltest.TestCase):
  def test_targets_average_predictions(self):
    model = golden_batch.create("elr")
    table = model.example_state["target"]
    expected = np.zeros([golden_batch.NUM_EXAMPLES, 3])
    p = tf.nn.softmax(golden_batch.LOGITS1).numpy().astype(np.float64)
    for _ in range(3):
      golden_batch.losses(model)
      expected[[3, 5, 0, 7]] = 0.7 * expected[[3, 5, 0, 7]] + 0.3 * p
      np.testing.assert_allclose(table.get_state(), expected, atol=1e-6)

  def test_equals_golden_regularizers(self):
    model = golden_batch.create("elr", elr_lambda=1.0)
    for expected in (-0.187124763, -0.346082668):
      (loss,) = golden_batch.losses(model)
      self.assertAlmostEqual(np.mean(loss - CROSS_ENTROPY), expected, places=5)
    np.testing.assert_allclose(
      model.example_state["target"].get_state()[3] / (1 - 0.7**2),
      np.array([0.25313842, 0.03425856, 0.01260302]) / (1 - 0.7),
      atol=1e-6,
    )

  def test_the_regularizer_is_bounded(self):
    model = golden_batch.create("elr", elr_lambda=1.0)
    logits = tf.constant([[50.0, 0, 0]] * 4)
    for _ in range(100):
      found = model.network_losses([logits], golden_batch.targets())
    least = float(tf.reduce_min(found[0].unlabelled))
    self.assertBetween(least, math.log(1.5e-4), math.log(4e-4))

  def test_evaluation_leaves_the_table_alone(self):
    model = golden_batch.create("elr")
    golden_batch.losses(model)
    before = model.example_state["target"].get_state()
    (loss,) = golden_batch.evaluation_losses(model)
    np.testing.assert_allclose(loss, CROSS_ENTROPY, atol=1e-6)
    np.testing.assert_array_equal(
      before, model.example_state["target"].get_state()
    )


if __name__ == "__main__":
  absltest.main()
