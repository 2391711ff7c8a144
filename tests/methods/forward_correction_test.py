import pathlib
import tempfile

from absl.testing import absltest, parameterized
import numpy as np
import tensorflow as tf

from nct_tf import errors
from nct_tf.methods import forward_correction
from nct_tf.models import classifier
from tests.support import golden_batch

TRANSITION = [[0.8, 0.2, 0], [0.1, 0.9, 0], [0.25, 0.25, 0.5]]


def slow_estimate(probabilities, is_filtered):
  """The anchors, written from the paper."""
  rows = []
  for label in range(probabilities.shape[1]):
    order = np.argsort(-probabilities[:, label], kind="stable")
    if is_filtered:
      own = probabilities[:, label]
      threshold = np.percentile(own, 97, method="higher")
      order = [i for i in order if own[i] < threshold] or [0]
    rows.append(probabilities[order[0]])
  return np.array(rows)


class LossTest(absltest.TestCase):
  def test_equals_golden_numbers(self):
    loss = forward_correction.forward_loss(
      golden_batch.LOGITS1, golden_batch.LABELS, tf.constant(TRANSITION)
    )
    np.testing.assert_allclose(
      loss, [0.36103038, 2.24459189, 0.68638752, 0.8629932], atol=1e-6
    )
    self.assertAlmostEqual(np.linalg.cond(TRANSITION), 2.340180, places=6)

  def test_by_the_identity_it_is_the_cross_entropy(self):
    loss = forward_correction.forward_loss(
      golden_batch.LOGITS1, golden_batch.LABELS, tf.eye(3)
    )
    np.testing.assert_allclose(loss, golden_batch.CROSS_ENTROPY1, atol=1e-6)

  def test_a_label_that_the_matrix_has_nowhere_is_no_infinite_loss(self):
    transition = tf.constant([[1.0, 0, 0], [0, 1, 0], [0, 1, 0]])
    loss = forward_correction.forward_loss(tf.zeros([1, 3]), [2], transition)
    np.testing.assert_allclose(loss, [-np.log(1e-7)], rtol=1e-5)


class EstimateTest(parameterized.TestCase):
  @parameterized.parameters(True, False)
  def test_equals_the_slow_version(self, is_filtered):
    rng = np.random.default_rng(0)
    for num_examples in (1, 5, 100, 1000):
      probabilities = rng.dirichlet([0.3] * 4, num_examples)
      np.testing.assert_allclose(
        forward_correction.estimate_transition(probabilities, is_filtered),
        slow_estimate(probabilities, is_filtered),
        atol=2e-6,
      )

  def test_predictions_that_are_all_alike_give_no_nan(self):
    probabilities = np.full([50, 4], 0.25)
    found = forward_correction.estimate_transition(probabilities)
    np.testing.assert_allclose(found, np.full([4, 4], 0.25))

  def test_is_blended_with_the_identity(self):
    found = forward_correction.estimate_transition(
      np.full([50, 4], 0.25), blend=0.2
    )
    np.testing.assert_allclose(found, 0.2 * np.eye(4) + 0.2, atol=1e-6)


class PhasesTest(absltest.TestCase):
  def test_a_plain_training_comes_first(self):
    model = golden_batch.create("forward_correction")
    first, second = model.phases(21)
    self.assertEqual((first.num_epochs, second.num_epochs), (10, 11))
    self.assertEqual((first.restart, second.restart), (False, True))
    schedule = model.schedules(21)["corrects"]
    self.assertEqual(
      [schedule(epoch) for epoch in (0, 9, 10, 20)], [0, 0, 1, 1]
    )

  def test_held_out_examples_count_in_the_second_phase_alone(self):
    model = golden_batch.create("forward_correction")
    rows = np.zeros([golden_batch.NUM_EXAMPLES, 1], np.float32)
    rows[5] = 1  # The second example of the batch.
    model.example_state["held_out"].set_state(rows)
    model.example_state["transition"].assign(TRANSITION)
    (loss,) = golden_batch.losses(model)
    expected = np.array(golden_batch.CROSS_ENTROPY1) * [1, 0, 1, 1] * 4 / 3
    np.testing.assert_allclose(loss, expected, atol=1e-6)
    model.corrects.assign(1)
    (loss,) = golden_batch.losses(model)
    self.assertAlmostEqual(np.mean(loss), 1.038750749, places=6)

  def test_the_matrix_is_that_of_the_best_epoch(self):
    model = golden_batch.create("forward_correction")
    model.remember(300, 3, 4)
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=300)
    # No two examples are alike.
    sure = rng.uniform(1, 3, [300, 1]).astype(np.float32)
    good = sure * np.eye(3, dtype=np.float32)[labels]

    def after(epoch, logits):
      model.between_epochs(
        epoch, classifier.TrainingSet(6, labels, lambda: logits[None])
      )
      return model.example_state["transition"].numpy()

    first = after(0, 0.1 * good)
    best = after(1, good)
    self.assertGreater(best[0, 0], first[0, 0])
    np.testing.assert_array_equal(after(2, -good), best)
    # The second phase estimates nothing.
    np.testing.assert_array_equal(after(3, 2 * good), best)

  def test_warns_of_classes_that_are_rarer_than_the_filter(self):
    model = golden_batch.create("forward_correction")
    model.remember(300, 3, 4)
    logits = np.zeros([1, 300, 3], np.float32)
    for num_rare, is_warned in ((0, True), (9, True), (10, False)):
      labels = np.repeat([0, 1, 2], [150, 150 - num_rare, num_rare])
      with self.assertLogs("nct_tf") as logs:
        model.between_epochs(
          2, classifier.TrainingSet(6, labels, lambda: logits)
        )
      text = "\n".join(logs.output)
      self.assertEqual("at most 3 % of the labels: 1." in text, is_warned)


class GivenMatrixTest(parameterized.TestCase):
  def create(self, content):
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    path = pathlib.Path(folder.name) / "matrix.csv"
    path.write_text(content)
    return golden_batch.create(
      "forward_correction", transition_matrix=str(path)
    )

  def test_is_taken_from_a_file(self):
    model = self.create("0.8,0.2,0\n0.1,0.9,0\n0.25,0.25,0.5\n")
    self.assertLen(model.phases(10), 1)
    self.assertEqual(model.options.uses, ())
    (loss,) = golden_batch.losses(model)
    self.assertAlmostEqual(np.mean(loss), 1.038750749, places=6)

  def test_true_is_said(self):
    model = golden_batch.create("forward_correction", transition_matrix="true")
    self.assertEqual(model.options.uses, ("the true transition matrix",))
    np.testing.assert_array_equal(model.example_state["transition"], np.eye(3))

  @parameterized.named_parameters(
    ("singular", "1,0,0\n1,0,0\n0,0,1\n", "singular"),
    ("sum", "1,0,0\n0,1,0.5\n0,0,1\n", "row 2, must sum to 1"),
    ("size", "1,0\n0,1\n", "3 x 3"),
  )
  def test_refuses_another(self, content, message):
    with self.assertRaisesRegex(errors.InvalidInputError, message):
      self.create(content)

  def test_warns_of_a_bad_condition(self):
    with self.assertLogs("nct_tf", "WARNING") as logs:
      self.create("0.335,0.33,0.335\n0.33,0.335,0.335\n0.33,0.33,0.34\n")
    self.assertIn("condition number", logs.output[0])


if __name__ == "__main__":
  absltest.main()
