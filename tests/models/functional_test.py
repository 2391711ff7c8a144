"""Networks with other weights than their own, and second derivatives."""

from absl.testing import absltest, parameterized
import keras
import numpy as np
import tensorflow as tf

from nct_tf.models import functional
from nct_tf.networks import layers

_SHAPE = (5, 5, 2)


def create(dtype="float32", has_norm=True):
  """Returns a network of own layers, without corners in its output.

  Convolutions are some that have a gradient of their own on CPUs.
  """
  images = keras.Input(_SHAPE, dtype=dtype)
  x = layers.Conv2D(3, 3, padding="same", dtype=dtype)(images)
  if has_norm:
    x = layers.BatchNormalization(momentum=0.9, dtype=dtype)(x)
    x = layers.Dropout(0.5, seed=3, dtype=dtype)(x)
  x = keras.layers.Activation("tanh", dtype=dtype)(x)
  x = layers.Conv2D(3, 3, strides=2, padding="valid", dtype=dtype)(x)
  x = keras.layers.Activation("tanh", dtype=dtype)(x)
  x = keras.layers.Flatten(dtype=dtype)(x)
  return keras.Model(images, keras.layers.Dense(2, dtype=dtype)(x))


def after_a_step(compute, weights):
  """Returns a mean of squares after a step, and its gradient."""
  with tf.GradientTape() as outer:
    outer.watch(weights)
    with tf.GradientTape() as inner:
      inner.watch(weights)
      before = tf.reduce_mean(compute(weights) ** 2)
    steps = inner.gradient(before, weights)
    moved = [
      each - 0.5 * step for each, step in zip(weights, steps, strict=True)
    ]
    after = tf.reduce_mean(compute(moved) ** 2)
  return after, outer.gradient(after, weights)


class FunctionalTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    keras.utils.set_random_seed(0)
    self.rng = np.random.default_rng(0)

  @parameterized.parameters(True, False)
  def test_computes_with_the_given_weights_and_changes_nothing(self, training):
    network, other = create(), create()
    other.set_weights(
      [
        each + self.rng.uniform(0, 0.1, np.shape(each)).astype(each.dtype)
        for each in network.get_weights()
      ]
    )
    images = self.rng.normal(size=(4, *_SHAPE)).astype(np.float32)
    before = network.get_weights()
    found = functional.call(
      network,
      [tf.convert_to_tensor(each) for each in other.trainable_variables],
      images,
      training,
      [tf.convert_to_tensor(each) for each in functional.statistics_of(other)],
    )
    for weight, expected in zip(network.get_weights(), before, strict=True):
      np.testing.assert_array_equal(weight, expected)
    np.testing.assert_allclose(found, other(images, training=training), 1e-5)
    self.assertEqual(
      [each.shape for each in network.trainable_variables],
      [each.shape for each in other.trainable_variables],
    )

  def test_second_derivatives_are_exact(self):
    network = create("float64", has_norm=False)
    images = self.rng.normal(size=(4, *_SHAPE))
    weights = [tf.convert_to_tensor(v) for v in network.trainable_variables]

    def compute(weights):
      return functional.call(network, weights, images, training=True)

    _, gradients = after_a_step(compute, weights)
    directions = [self.rng.normal(size=each.shape) for each in gradients]

    def moved(size):
      ends = [
        weight + size * direction
        for weight, direction in zip(weights, directions, strict=True)
      ]
      return after_a_step(compute, ends)[0]

    expected = (moved(1e-6) - moved(-1e-6)) / 2e-6
    found = [
      np.sum(gradient * direction)
      for gradient, direction in zip(gradients, directions, strict=True)
    ]
    np.testing.assert_allclose(sum(found), expected, rtol=1e-6)

  def test_fused_batch_norm_has_second_derivatives(self):
    network = keras.Sequential(
      [
        keras.Input(_SHAPE),
        layers.BatchNormalization(epsilon=1e-3),
        keras.layers.Activation("tanh"),
      ]
    )
    images = self.rng.normal(size=(4, *_SHAPE)).astype(np.float32)

    def fused(weights):
      gamma, beta, shift = weights
      return functional.call(
        network, [gamma, beta], images + shift**2, training=True
      )

    def explicit(weights):
      gamma, beta, shift = weights
      shifted = images + shift**2
      mean, variance = tf.nn.moments(shifted, [0, 1, 2])
      return tf.tanh(
        tf.nn.batch_normalization(shifted, mean, variance, beta, gamma, 1e-3)
      )

    weights = [
      tf.constant(self.rng.normal(size=shape), tf.float32)
      for shape in ((2,), (2,), images.shape)
    ]
    _, expected = after_a_step(explicit, weights)
    _, found = after_a_step(fused, weights)
    for one, other in zip(found, expected, strict=True):
      np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


if __name__ == "__main__":
  absltest.main()
