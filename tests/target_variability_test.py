from absl.testing import absltest, parameterized
import numpy as np
import tensorflow as tf

from nct_tf import target_variability

NUM_CLASSES = 5
LABELS = np.arange(4000, dtype=np.int32) % NUM_CLASSES


def randomize(rate, seed=(1, 2), labels=LABELS, **arguments):
  return np.asarray(
    target_variability.randomize_labels(
      tf.constant(labels), rate, NUM_CLASSES, tf.constant(seed), **arguments
    )
  )


class RandomizeLabelsTest(parameterized.TestCase):
  def test_rate_zero_changes_nothing(self):
    np.testing.assert_array_equal(randomize(0.0), LABELS)

  def test_rate_one_changes_everything(self):
    self.assertTrue((randomize(1.0) != LABELS).all())

  @parameterized.named_parameters(
    ("algorithm_2", True, 0.3),
    ("authors_code", False, 0.3 * (NUM_CLASSES - 1) / NUM_CLASSES),
  )
  def test_share_of_changed_labels(self, exclude_true, expected):
    changed = np.mean(randomize(0.3, exclude_true=exclude_true) != LABELS)
    # Five standard deviations of a binomial.
    deviation = np.sqrt(expected * (1 - expected) / len(LABELS))
    self.assertAlmostEqual(changed, expected, delta=5 * deviation)

  @parameterized.named_parameters(
    ("algorithm_2", True, [0, 800, 800, 800, 800]),
    ("authors_code", False, [640] * 5),
  )
  def test_drawn_labels_are_uniform(self, exclude_true, share):
    labels = np.zeros(3200, np.int32)
    drawn = randomize(1.0, labels=labels, exclude_true=exclude_true)
    counts = np.bincount(drawn, minlength=NUM_CLASSES)
    np.testing.assert_allclose(counts, share, atol=5 * np.sqrt(640))
    self.assertEqual(counts[0] == 0, exclude_true)

  def test_depends_on_the_seed_alone(self):
    np.testing.assert_array_equal(randomize(0.5), randomize(0.5))
    self.assertGreater(np.mean(randomize(0.5) != randomize(0.5, (1, 3))), 0.3)

  @parameterized.parameters(1, 2, 4)
  def test_shards_get_what_the_whole_batch_gets(self, num_shards):
    position = np.arange(len(LABELS), dtype=np.int32)
    shards = [
      randomize(0.5, labels=LABELS[part], position=tf.constant(part))
      for part in np.array_split(position, num_shards)
    ]
    np.testing.assert_array_equal(np.concatenate(shards), randomize(0.5))

  def test_an_empty_shard_stays_empty(self):
    empty = np.zeros(0, np.int32)
    self.assertEmpty(randomize(0.5, labels=empty, position=empty))

  @parameterized.product(dtype=[tf.int32, tf.int64], jit_compile=[False, True])
  def test_graph_xla_and_eager_agree(self, dtype, jit_compile):
    @tf.function(jit_compile=jit_compile)
    def in_graph(labels, rate, seed):
      return target_variability.randomize_labels(
        labels, rate, NUM_CLASSES, seed
      )

    actual = in_graph(
      tf.constant(LABELS, dtype), tf.constant(0.5), tf.constant([1, 2])
    )
    self.assertEqual(actual.dtype, dtype)
    np.testing.assert_array_equal(actual, randomize(0.5))


if __name__ == "__main__":
  absltest.main()
