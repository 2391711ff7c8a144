from absl.testing import absltest, parameterized
import numpy as np
import tensorflow as tf

from nct_tf import distribution, metrics
from nct_tf.models import label_scores
from tests.support import virtual_devices

_NUM_EXAMPLES = 11
_NUM_CLASSES = 3


def strategy_of(num_replicas):
  if num_replicas == 1:
    return tf.distribute.get_strategy()
  return distribution.create("mirrored", num_virtual_cpus=num_replicas)


def shares(size, num_replicas):
  return np.array_split(np.arange(size), num_replicas)


def run(strategy, function, *values):
  """Calls a function on each replica with its share of some arrays."""
  parts = shares(len(values[0]), strategy.num_replicas_in_sync)

  def value(context):
    part = parts[context.replica_id_in_sync_group]
    return tuple(tf.constant(array[part]) for array in values)

  def call(values):
    function(values)  # Keras 2 would return an operation.

  distributed = strategy.experimental_distribute_values_from_function(value)
  tf.function(lambda: strategy.run(call, args=(distributed,)))()


class LabelScoresTest(parameterized.TestCase):
  @parameterized.parameters(1, 2, virtual_devices.NUM_DEVICES)
  def test_means_against_numpy(self, num_replicas):
    rng = np.random.default_rng(0)
    labels = rng.integers(_NUM_CLASSES, size=_NUM_EXAMPLES).astype(np.int32)
    strategy = strategy_of(num_replicas)
    with strategy.scope():
      scores = label_scores.LabelScores(_NUM_EXAMPLES, batch_size=6)
    expected = [[] for _ in range(_NUM_EXAMPLES)]
    # A full batch, one that is not full, and an example that never comes.
    for batch in ([9, 2, 4, 7, 0, 1], [3, 4, 5, 6, 8], [0, 9, 8, 1, 2, 3]):
      logits = rng.normal(size=(len(batch), _NUM_CLASSES)).astype(np.float32)
      exponentials = np.exp(logits)
      probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
      for example, row in zip(batch, probabilities, strict=True):
        given = row[labels[example]]
        other = max(np.delete(row, labels[example]))
        expected[example].append(other / (given + other))
      run(
        strategy,
        lambda values: scores.update(
          values[0],
          {"label": values[1], "example": values[2], "position": values[3]},
        ),
        logits,
        labels[batch],
        np.array(batch, np.int32),
        np.arange(len(batch), dtype=np.int32),
      )
    means = [np.mean(values) if values else np.nan for values in expected]
    np.testing.assert_allclose(scores.means(), means, rtol=1e-5)
    self.assertTrue(np.isnan(means[10]))

    state = scores.get_state()
    with strategy.scope():
      other = label_scores.LabelScores(_NUM_EXAMPLES, batch_size=6)
    other.set_state(state)
    np.testing.assert_array_equal(other.get_state(), state)

  def test_two_classes_that_are_mixed_leave_no_other(self):
    scores = label_scores.LabelScores(2, batch_size=2)
    logits = tf.constant([[1.0, 0.0], [1.0, 0.0]])
    targets = {"label": tf.constant([0, 0]), "example": tf.constant([0, 1])}
    scores.update(logits, targets)
    first = scores.means()
    scores.update(
      logits,
      {
        **targets,
        "mixed_label": tf.constant([0, 1]),
        "label_share": tf.constant([0.6, 0.6]),
      },
    )
    np.testing.assert_allclose(scores.means(), first)
    np.testing.assert_allclose(scores.get_state()[:, 1], [1.6, 1])


class BalancedAccuracyTest(parameterized.TestCase):
  @parameterized.parameters(1, 2, virtual_devices.NUM_DEVICES)
  def test_against_numpy(self, num_replicas):
    rng = np.random.default_rng(0)
    strategy = strategy_of(num_replicas)
    with strategy.scope():
      metric = metrics.BalancedAccuracy(4)
    labels, predicted = [], []
    for size in (7, 5):
      # The last class has no example.
      labels.append(rng.choice(3, size=size, p=[0.6, 0.3, 0.1]))
      probabilities = rng.random((size, 4)).astype(np.float32)
      predicted.append(probabilities.argmax(axis=1))
      run(
        strategy,
        lambda values: metric.update_state(*values),
        labels[-1].astype(np.int32),
        probabilities,
      )
    labels, predicted = np.concatenate(labels), np.concatenate(predicted)
    accuracies = [
      np.mean(predicted[labels == label] == label)
      for label in np.unique(labels)
    ]
    self.assertAlmostEqual(
      float(metric.result()), np.mean(accuracies), places=6
    )
    np.testing.assert_allclose(
      metric.per_class()[np.unique(labels)], accuracies, rtol=1e-6
    )
    self.assertTrue(np.isnan(metric.per_class()[3]))
    metric.reset_state()
    self.assertEqual(float(metric.result()), 0)


if __name__ == "__main__":
  absltest.main()
