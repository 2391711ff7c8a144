from absl.testing import absltest, parameterized
import keras
import numpy as np
import tensorflow as tf

from nct_tf import distribution, networks
from nct_tf.methods import standard
from nct_tf.models import weight_average
from tests.support import virtual_devices


class WeightAverageTest(parameterized.TestCase):
  @parameterized.parameters(1, virtual_devices.NUM_DEVICES)
  def test_equals_numpy(self, num_replicas):
    strategy = tf.distribute.get_strategy()
    if num_replicas > 1:
      strategy = distribution.create("mirrored", num_virtual_cpus=num_replicas)
    with strategy.scope():
      model = standard.StandardModel(
        networks.create("simple_cnn", (4, 4, 1), 3, 2)
      )
      model.compile(optimizer=keras.optimizers.SGD(), jit_compile=False)
    average = weight_average.WeightAverage(model, 0.5)
    expected = model.network1.get_weights()
    rng = np.random.default_rng(0)
    for step in range(12):
      weights = [rng.normal(size=w.shape).astype(np.float32) for w in expected]
      model.network1.set_weights(weights)
      average.update(step)
      decay = min(0.5, (1 + step) / (10 + step))
      expected = [
        decay * old + (1 - decay) * new
        for old, new in zip(expected, weights, strict=True)
      ]
    with average.swapped():
      self.assert_equal(model, expected)
    self.assert_equal(model, weights)

  def test_after_a_restart_it_is_a_fresh_one(self):
    num_before, rng = 7, np.random.default_rng(0)
    model = standard.StandardModel(networks.create("mlp", (2, 2, 1), 3, 2))
    shapes = [w.shape for w in model.network1.get_weights()]
    draws = [[rng.normal(size=s) for s in shapes] for _ in range(20)]

    def follow(average, first_step):
      average.restart()
      average.count_from(first_step)
      for step, weights in enumerate(draws[num_before:], first_step):
        model.network1.set_weights(weights)
        average.update(step)
      return average.weights["network1"]

    old = weight_average.WeightAverage(model, 0.9)
    for step, weights in enumerate(draws[:num_before]):
      model.network1.set_weights(weights)
      old.update(step)
    model.network1.set_weights(draws[0])
    restarted = follow(old, num_before)
    model.network1.set_weights(draws[0])
    fresh = follow(weight_average.WeightAverage(model, 0.9), 0)
    for one, other in zip(restarted, fresh, strict=True):
      np.testing.assert_array_equal(one, other)

  def assert_equal(self, model, expected):
    strategy = model.distribute_strategy
    for variable, value in zip(model.network1.weights, expected, strict=True):
      for replica in distribution.local_components(strategy, variable):
        np.testing.assert_allclose(replica.numpy(), value, atol=1e-6)


if __name__ == "__main__":
  absltest.main()
