import json

from absl.testing import absltest
import numpy as np
import tensorflow as tf

from nct_tf.evaluation import evaluation

NAMES = ("ant", "bee", "cow")


def random_predictions(num_examples=300, seed=0):
  rng = np.random.default_rng(seed)
  labels = rng.integers(3, size=num_examples)
  logits = rng.standard_normal((2, num_examples, 3)) + np.eye(3)[labels]
  return logits, labels


class EvaluateTest(absltest.TestCase):
  def test_equals_counting(self):
    logits, labels = random_predictions()
    scores = evaluation.evaluate(logits, labels, NAMES)
    predicted = (logits[0] + logits[1]).argmax(1)
    matrix = np.zeros((3, 3), int)
    for label, guess in zip(labels, predicted, strict=True):
      matrix[label, guess] += 1
    n = len(labels)
    self.assertEqual(scores["confusion_matrix"], matrix.tolist())
    self.assertAlmostEqual(scores["ensemble_accuracy"], matrix.trace() / n)
    self.assertAlmostEqual(
      scores["network2_accuracy"], np.mean(logits[1].argmax(1) == labels)
    )
    for index, name in enumerate(NAMES):
      self.assertAlmostEqual(
        scores["per_class_accuracy"][name],
        matrix[index, index] / matrix[index].sum(),
      )
    by_chance = matrix.sum(0) @ matrix.sum(1) / n**2
    observed = matrix.trace() / n
    self.assertAlmostEqual(
      scores["cohen_kappa"], (observed - by_chance) / (1 - by_chance)
    )
    rows, columns = matrix.sum(1) / n, matrix.sum(0) / n
    self.assertAlmostEqual(
      scores["matthews_correlation"],
      (observed - rows @ columns)
      / np.sqrt((1 - rows @ rows) * (1 - columns @ columns)),
    )
    json.dumps(scores)

  def test_a_class_without_examples_has_no_accuracy(self):
    logits, labels = random_predictions()
    keep = labels != 1
    scores = evaluation.evaluate(logits[:, keep], labels[keep], NAMES)
    self.assertIsNone(scores["per_class_accuracy"]["bee"])
    self.assertIn(
      "-", evaluation.format_evaluation({**scores, "method": "nct"})
    )

  def test_one_network(self):
    logits, labels = random_predictions()
    scores = evaluation.evaluate(logits[:1], labels, NAMES)
    self.assertEqual(scores["ensemble_accuracy"], scores["network1_accuracy"])
    self.assertNotIn("network2_accuracy", scores)


class FormatEvaluationTest(absltest.TestCase):
  def test_a_matrix_of_many_classes_is_left_to_the_file(self):
    names = [f"class{i}" for i in range(30)]
    scores = {
      "method": "nct",
      "ensemble_accuracy": 1.0,
      "cohen_kappa": 1.0,
      "matthews_correlation": 1.0,
      "expected_calibration_error": 0.0,
      "per_class_accuracy": dict.fromkeys(names, 1.0),
      "confusion_matrix": [[0] * 30] * 30,
    }
    text = evaluation.format_evaluation(scores)
    self.assertIn("class29", text)
    self.assertNotIn("predicted", text)

  def test_the_matrix_of_few_classes_and_each_network_alone(self):
    logits, labels = random_predictions()
    scores = {"method": "nct", **evaluation.evaluate(logits, labels, NAMES)}
    text = evaluation.format_evaluation(scores)
    for name, row in zip(NAMES, scores["confusion_matrix"], strict=True):
      self.assertRegex(text, rf"{name} +{row[0]} +{row[1]} +{row[2]}")
    for name in ("ensemble", "balanced", "network1", "network2"):
      self.assertRegex(
        text, rf"{name} accuracy +{100 * scores[f'{name}_accuracy']:.1f} %"
      )


class ExpectedCalibrationErrorTest(absltest.TestCase):
  def test_equals_the_slow_formula(self):
    logits, labels = random_predictions()
    probabilities = tf.nn.softmax(2 * logits[0]).numpy()
    error = 0.0
    for k in range(15):
      inside = [
        i
        for i, p in enumerate(probabilities.max(1))
        if k / 15 < p <= (k + 1) / 15
      ]
      if inside:
        accuracy = np.mean(probabilities[inside].argmax(1) == labels[inside])
        confidence = np.mean(probabilities[inside].max(1))
        error += len(inside) / 300 * abs(accuracy - confidence)
    self.assertAlmostEqual(
      evaluation.expected_calibration_error(probabilities, labels), error
    )

  def test_certain_and_right_is_zero_certain_and_wrong_is_one(self):
    probabilities = np.eye(2)[[0, 1, 0]]
    for labels, expected in (([0, 1, 0], 0.0), ([1, 0, 1], 1.0)):
      self.assertEqual(
        evaluation.expected_calibration_error(probabilities, np.array(labels)),
        expected,
      )


if __name__ == "__main__":
  absltest.main()
