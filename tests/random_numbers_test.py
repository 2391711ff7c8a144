from absl.testing import absltest, parameterized
import numpy as np
import tensorflow as tf

from nct_tf import random_numbers

SEED = tf.constant([3, 4], tf.int64)


class RandomNumbersTest(parameterized.TestCase):
  @parameterized.parameters(False, True)
  def test_are_tensorflows_own_with_and_without_xla(self, jit_compile):
    # XLA must not see the seed: what is constant, TensorFlow computes.
    @tf.function(jit_compile=jit_compile)
    def draw(seed):
      return (
        random_numbers.fold_in(seed, 5),
        random_numbers.split(seed),
        random_numbers.uniform([501, 3], seed),
        random_numbers.integers([501], seed, 1, 10),
      )

    folded, halves, uniform, integers = draw(SEED)
    np.testing.assert_array_equal(
      folded,
      tf.random.experimental.stateless_fold_in(SEED, tf.constant(5, tf.int64)),
    )
    np.testing.assert_array_equal(
      halves, tf.random.experimental.stateless_split(SEED)
    )
    np.testing.assert_array_equal(
      uniform, tf.random.stateless_uniform([501, 3], SEED)
    )
    np.testing.assert_array_equal(
      integers, tf.random.stateless_uniform([501], SEED, 1, 10, tf.int32)
    )

  def test_the_nth_number_does_not_depend_on_how_many_are_drawn(self):
    np.testing.assert_array_equal(
      random_numbers.uniform([7], SEED), random_numbers.uniform([90], SEED)[:7]
    )


if __name__ == "__main__":
  absltest.main()
