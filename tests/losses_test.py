from absl.testing import absltest, parameterized
import numpy as np
import tensorflow as tf

from nct_tf import errors, losses

# Two examples of three classes, and what the paper's formulas give for them
# at temperature 4.
LOGITS1 = [[2.0, 0.0, -1.0], [0.0, 1.0, 0.0]]
LOGITS2 = [[1.0, 1.0, 0.0], [0.0, 0.0, 2.0]]
LABELS1 = [0, 1]
LABELS2 = [0, 2]
TEMPERATURE = 4.0
ALPHA = 0.469841131


def slow_softmax(logits):
  exponentials = np.exp(logits - np.max(logits))
  return exponentials / exponentials.sum()


def slow_mimicry(logits, peer_logits, temperature):
  """The formula, one example and one class at a time."""
  result = []
  for own, peer in zip(logits, peer_logits, strict=True):
    q = slow_softmax(np.asarray(own) / temperature)
    p = slow_softmax(np.asarray(peer) / temperature)
    result.append(
      temperature**2
      * sum(p[c] * (np.log(p[c]) - np.log(q[c])) for c in range(len(p)))
    )
  return np.array(result)


class GoldenValuesTest(parameterized.TestCase):
  @parameterized.parameters(
    (LOGITS1, LABELS1, 0.360645), (LOGITS2, LABELS2, 0.550770)
  )
  def test_cross_entropy(self, logits, labels, expected):
    actual = losses.cross_entropy(tf.constant(logits), tf.constant(labels))
    self.assertAlmostEqual(float(np.mean(actual)), expected, delta=1e-6)

  @parameterized.parameters(
    (LOGITS1, LOGITS2, 0.040995880), (LOGITS2, LOGITS1, 0.040748261)
  )
  def test_divergence(self, logits, peer_logits, expected):
    actual = losses.mimicry_loss(
      tf.constant(logits), tf.constant(peer_logits), TEMPERATURE
    )
    self.assertAlmostEqual(
      float(np.mean(actual)) / TEMPERATURE**2, expected, delta=1e-6
    )

  @parameterized.parameters(
    (LOGITS1, LOGITS2, LABELS1, 0.499384167),
    (LOGITS2, LOGITS1, LABELS2, 0.598318839),
  )
  def test_concurrent_loss(self, logits, peer_logits, labels, expected):
    actual = losses.concurrent_loss(
      tf.constant(logits),
      tf.constant(peer_logits),
      tf.constant(labels),
      ALPHA,
      TEMPERATURE,
    )
    self.assertEqual(actual.shape, (2,))
    self.assertAlmostEqual(float(np.mean(actual)), expected, delta=1e-6)


class MimicryLossTest(parameterized.TestCase):
  @parameterized.parameters(1.0, 4.0, 0.5)
  def test_equals_the_slow_formula(self, temperature):
    rng = np.random.default_rng(0)
    logits, peer_logits = 3 * rng.standard_normal((2, 20, 7))
    np.testing.assert_allclose(
      losses.mimicry_loss(
        tf.constant(logits), tf.constant(peer_logits), temperature
      ),
      slow_mimicry(logits, peer_logits, temperature),
      rtol=1e-4,
      atol=1e-5,
    )

  def test_of_equal_logits_is_zero(self):
    actual = losses.mimicry_loss(
      tf.constant(LOGITS1), tf.constant(LOGITS1), TEMPERATURE
    )
    np.testing.assert_allclose(actual, 0.0, atol=1e-6)

  def test_large_logits_stay_finite(self):
    actual = losses.mimicry_loss(
      tf.constant([[1e4, -1e4]]), tf.constant([[-1e4, 1e4]]), 1.0
    )
    self.assertTrue(np.isfinite(actual).all())

  def test_bfloat16_is_computed_in_float32(self):
    logits = tf.cast(tf.constant(LOGITS1), tf.bfloat16)
    peer_logits = tf.cast(tf.constant(LOGITS2), tf.bfloat16)
    actual = losses.mimicry_loss(logits, peer_logits, TEMPERATURE)
    self.assertEqual(actual.dtype, tf.float32)
    np.testing.assert_allclose(
      actual, slow_mimicry(LOGITS1, LOGITS2, TEMPERATURE), atol=1e-5
    )

  @parameterized.parameters(0, -1.0)
  def test_refuses_temperature(self, temperature):
    with self.assertRaisesRegex(errors.InvalidInputError, "`temperature`"):
      losses.mimicry_loss(
        tf.constant(LOGITS1), tf.constant(LOGITS2), temperature
      )


class GradientTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("mimicry", lambda own, peer: losses.mimicry_loss(own, peer, 4.0)),
    (
      "concurrent",
      lambda own, peer: losses.concurrent_loss(
        own, peer, tf.constant(LABELS1), 0.9, 4.0
      ),
    ),
  )
  def test_none_flows_to_the_peer(self, loss):
    own, peer = tf.Variable(LOGITS1), tf.Variable(LOGITS2)
    with tf.GradientTape() as tape:
      value = loss(own, peer)
    to_own, to_peer = tape.gradient(
      value, [own, peer], unconnected_gradients="zero"
    )
    np.testing.assert_array_equal(to_peer, np.zeros((2, 3)))
    self.assertGreater(np.abs(to_own).max(), 0.01)

  def test_without_alpha_it_is_cross_entropy(self):
    np.testing.assert_array_equal(
      losses.concurrent_loss(
        tf.constant(LOGITS1),
        tf.constant(LOGITS2),
        tf.constant(LABELS1),
        0.0,
        4.0,
      ),
      losses.cross_entropy(tf.constant(LOGITS1), tf.constant(LABELS1)),
    )


if __name__ == "__main__":
  absltest.main()
