import tracemalloc

from absl.testing import absltest, parameterized
import numpy as np
from sklearn import metrics as sklearn_metrics

from nct_tf import errors
from nct_tf.audit import label_audit
from tests.support import long_tests


def predictions(true_labels, num_classes, certainty=0.7):
  """Returns probabilities that favour the true labels, and vary."""
  rng = np.random.default_rng(1)
  rest = rng.dirichlet(np.ones(num_classes), len(true_labels))
  sure = rng.uniform(certainty - 0.2, certainty + 0.2, len(true_labels))
  probabilities = (1 - sure)[:, None] * rest
  probabilities[np.arange(len(true_labels)), true_labels] += sure
  return probabilities


def example(noise_rate, num_examples=6000, num_classes=4, directed=True):
  """Returns true labels, given labels and predictions."""
  rng = np.random.default_rng(0)
  true_labels = rng.integers(num_classes, size=num_examples)
  wrong = rng.random(num_examples) < noise_rate
  step = 1 + (true_labels == 0)
  if not directed:
    step = rng.integers(1, num_classes, num_examples)
  labels = (true_labels + wrong * step) % num_classes
  return true_labels, labels, predictions(true_labels, num_classes)


class AuditTest(parameterized.TestCase):
  def test_against_a_slow_loop(self):
    _, labels, pred_probs = example(0.3, num_examples=300, directed=False)
    result = label_audit.audit(labels, pred_probs)
    for number, (row, label) in enumerate(zip(pred_probs, labels, strict=True)):
      others = [(p, -c) for c, p in enumerate(row) if c != label]
      self.assertEqual(result.suggested[number], -max(others)[1])
      self.assertAlmostEqual(
        result.score[number],
        max(others)[0] / (max(others)[0] + row[label]),
        places=5,
      )
      self.assertAlmostEqual(
        result.margin[number], max(others)[0] - row[label], places=5
      )
    by_rank = np.argsort(result.rank)
    self.assertTrue(np.all(np.diff(result.score[by_rank]) <= 0))
    np.testing.assert_array_equal(np.sort(result.rank), np.arange(1, 301))
    self.assertEqual(
      result.flagged.sum(), round(result.noise_rate.value * len(labels))
    )

  @parameterized.parameters(False, True)
  def test_directed_mistakes_follow_the_rule_of_bayes(self, with_score):
    true_labels, labels, _ = example(0.3, num_examples=900)
    pred_probs = predictions(true_labels, 4, certainty=0.3)
    score = label_audit.scores_of(labels, pred_probs)
    result = label_audit.audit(
      labels, pred_probs, score if with_score else None
    )
    noise_rate = result.noise_rate.value
    matrix = 0.8 * result.transition.value + 0.2 * noise_rate / 3
    np.fill_diagonal(
      matrix, 0.8 * result.transition.value.diagonal() + 0.2 * (1 - noise_rate)
    )
    for number, (row, label) in enumerate(zip(pred_probs, labels, strict=True)):
      joint = [p * matrix[k, label] for k, p in enumerate(row)]
      others = [(p, -k) for k, p in enumerate(joint) if k != label]
      suggested = -max(others)[1]
      self.assertEqual(result.suggested[number], suggested)
      odds = joint[suggested] / joint[label]
      if with_score:
        odds = score[number] / (1 - score[number])
        odds *= matrix[suggested, label] / matrix[label, label]
      self.assertAlmostEqual(result.score[number], odds / (1 + odds), places=5)
    found = label_audit.compare_with_truth(result, true_labels)
    plain = sklearn_metrics.average_precision_score(
      labels != true_labels, score
    )
    self.assertGreater(found["average_precision"], plain)

  def test_scores_of_a_training_are_taken_where_there_are_some(self):
    pred_probs = [[0.5, 0.3, 0.2], [1.0, 0.0, 0.0], [0.2, 0.2, 0.6]]
    result = label_audit.audit([0, 0, 2], pred_probs, [0.2, 0.4, np.nan])
    np.testing.assert_allclose(result.score, [0.2, 0.4, 0.25], rtol=1e-5)
    np.testing.assert_array_equal(result.rank, [3, 1, 2])
    np.testing.assert_allclose(result.pred_probs, pred_probs)

  @parameterized.parameters([[0.2]], [[0.2, 1.5]])
  def test_bad_scores(self, scores):
    with self.assertRaisesRegex(errors.InvalidInputError, "must be 2 numbers"):
      label_audit.audit([0, 1], [[0.5, 0.5], [0.5, 0.5]], scores)

  @parameterized.parameters(0.0, 0.1, 0.4)
  def test_rate_and_matrix_are_found(self, noise_rate):
    true_labels, labels, pred_probs = example(noise_rate)
    result = label_audit.audit(labels, pred_probs)
    self.assertAlmostEqual(
      result.noise_rate.value, np.mean(labels != true_labels), delta=0.01
    )
    self.assertBetween(
      result.noise_rate.value, result.noise_rate.low, result.noise_rate.high
    )
    transition = np.zeros((4, 4))
    np.add.at(transition, (true_labels, labels), 1)
    transition /= transition.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(result.transition.value, transition, atol=0.03)
    self.assertTrue(
      np.all(result.transition.low <= result.transition.value + 1e-12)
    )
    self.assertTrue(
      np.all(result.transition.high >= result.transition.value - 1e-12)
    )

  @parameterized.parameters((20, 18), *long_tests.also((100, 88)))
  def test_the_interval_covers_what_it_ought_to(self, num_parts, at_least):
    """Of 95 % intervals, nearly all hold the rate of the whole population."""
    true_labels, labels, pred_probs = example(0.25, num_examples=40_000)
    whole = label_audit.audit(labels, pred_probs).noise_rate.value
    covered = 0
    for part in np.array_split(np.arange(40_000), 100)[:num_parts]:
      estimate = label_audit.audit(labels[part], pred_probs[part]).noise_rate
      covered += estimate.low <= whole <= estimate.high
    self.assertBetween(covered, at_least, num_parts)

  def test_a_class_that_is_not_there(self):
    result = label_audit.audit(
      [0, 1, 1], [[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.9, 0.1, 0.0]]
    )
    np.testing.assert_allclose(
      result.transition.value[2], [0, 0, 1], atol=0.001
    )
    self.assertTrue(np.isfinite(result.transition.low).all())

  def test_memory_with_many_classes(self):
    """The square of 1,000 classes is 8 MB; nothing may need many of those."""
    rng = np.random.default_rng(0)
    labels = rng.integers(1000, size=10_000)
    pred_probs = np.full((10_000, 1000), 0.2 / 999, np.float32)
    pred_probs[np.arange(10_000), labels] = 0.8
    given = np.where(np.arange(10_000) % 5, labels, (labels + 1) % 1000)
    tracemalloc.start()
    self.addCleanup(tracemalloc.stop)
    result = label_audit.audit(given, pred_probs)
    _, peak = tracemalloc.get_traced_memory()
    self.assertLess(peak, 200e6)
    self.assertAlmostEqual(result.noise_rate.value, 0.2, delta=0.05)

  def test_nothing_is_wrong(self):
    result = label_audit.audit([0, 1], [[0.9, 0.1], [0.1, 0.9]])
    self.assertEqual(result.noise_rate.value, 0)
    self.assertFalse(result.flagged.any())

  def test_nothing_is_flagged_then_however_high_a_score_is(self):
    pred_probs = [[1.0, 0.0]] * 2 + [[0.0, 1.0]] * 2
    labels = np.array([0, 0, 1, 1])
    score = np.array([1.0, 0.5, 0.5, 0.0])
    result = label_audit.audit(labels, pred_probs, score)
    self.assertEqual(result.noise_rate.value, 0)
    self.assertEqual(result.score.max(), 1)
    self.assertFalse(result.flagged.any())

  @parameterized.named_parameters(
    ("shape", [0, 1], [[0.5, 0.5]], "must have shapes"),
    ("range", [2], [[0.5, 0.5]], r"must be in \[0, 2\)"),
    ("floats", [0.0], [[0.5, 0.5]], "must be integers"),
    ("logits", [0], [[2.0, -1.0]], "probabilities that add up to 1"),
    ("sums", [0], [[0.5, 0.6]], "probabilities that add up to 1"),
  )
  def test_bad_arguments(self, labels, pred_probs, message):
    with self.assertRaisesRegex(errors.InvalidInputError, message):
      label_audit.audit(labels, np.array(pred_probs))


class CompareWithTruthTest(absltest.TestCase):
  def test_by_hand(self):
    labels = np.array([0, 0, 1, 1])
    pred_probs = [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.6, 0.4]]
    result = label_audit.audit(labels, pred_probs)
    # Ranked: 1 (wrong), 3 (right), 2 (wrong), 0 (right).
    truth = label_audit.compare_with_truth(result, np.array([0, 1, 0, 1]))
    self.assertAlmostEqual(truth["average_precision"], (1 + 2 / 3) / 2)
    self.assertEqual(truth["precision_at_wrong"], 0.5)
    self.assertEqual(truth["suggestion_accuracy"], 1)
    self.assertEqual(truth["noise_rate"], 0.5)

  def test_no_wrong_label(self):
    result = label_audit.audit([0, 1], [[0.9, 0.1], [0.1, 0.9]])
    self.assertIsNone(label_audit.compare_with_truth(result, result.labels))


if __name__ == "__main__":
  absltest.main()
