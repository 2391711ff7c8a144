"""Tests of the divergence from equally frequent classes."""

from absl.testing import absltest
import numpy as np
import tensorflow as tf

from nct_tf.models import class_prior
from tests.support import golden_batch


class DivergenceTest(absltest.TestCase):
  def test_it_is_the_published_formula(self):
    p = tf.nn.softmax(tf.constant(golden_batch.LOGITS1))
    value = class_prior.divergence(p).numpy()
    np.testing.assert_allclose(value, [0.004745043] * 4, atol=1e-6)

  def test_the_mean_has_the_gradient_of_the_divergence(self):
    p = tf.nn.softmax(tf.constant(golden_batch.LOGITS1))

    def plain(p):
      return -tf.reduce_mean(tf.math.log(3 * tf.reduce_mean(p, axis=0)))

    def own(p):
      return tf.reduce_mean(class_prior.divergence(p))

    gradients = []
    for function in (plain, own):
      with tf.GradientTape() as tape:
        tape.watch(p)
        value = function(p)
      gradients.append(tape.gradient(value, p))
    np.testing.assert_allclose(*gradients, rtol=1e-5)

  def test_a_class_that_is_never_predicted_gives_a_number(self):
    value = class_prior.divergence(tf.constant([[1.0, 0.0], [1.0, 0.0]]))
    self.assertTrue(np.isfinite(value).all())


if __name__ == "__main__":
  absltest.main()
