"""Optimizers against NumPy versions of PyTorch's."""

from absl.testing import absltest, parameterized
import keras
import numpy as np
import tensorflow as tf

from nct_tf import distribution, loss_scaling, optimizers
from nct_tf.methods import standard
from nct_tf.training import epoch_schedules
from tests.support import virtual_devices

NUM_STEPS = 10
RATE = 0.01

rng = np.random.default_rng(0)
WEIGHTS = rng.normal(size=[3, 2])


def beta_1(step):
  """Returns Co-teaching's, of a step that is counted from 1."""
  return 0.9 if step <= 6 else 0.1


def adam(gradient):
  """Yields the weights after each step of PyTorch's Adam.

  Args:
    gradient: function from the weights and the step, from 1, to the gradient.
  """
  weights = WEIGHTS
  first = second = np.zeros_like(weights)
  for step in range(1, NUM_STEPS + 1):
    slope = gradient(weights, step)
    first = beta_1(step) * first + (1 - beta_1(step)) * slope
    second = 0.999 * second + 0.001 * slope**2
    root = np.sqrt(second) / np.sqrt(1 - 0.999**step) + 1e-8
    weights = weights - RATE / (1 - beta_1(step) ** step) * first / root
    yield weights


class AdamTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("alone", {}),
    ("xla", {"jit_compile": True}),
    ("scaled", {"is_scaled": True}),
    ("replicas", {"num_replicas": virtual_devices.NUM_DEVICES}),
  )
  def test_is_pytorchs_while_beta_1_changes(self, case):
    # PyTorch's epsilon shows where gradients are small.
    gradients = rng.normal(size=[NUM_STEPS, *WEIGHTS.shape])
    gradients *= np.array([1, 1e-5, 1e-8])[:, np.newaxis]
    step_of = self.make_step(**case)
    expected = adam(lambda weights, step: gradients[step - 1])
    for step, weights in enumerate(expected, 1):
      actual = step_of(beta_1(step), gradients[step - 1])
      np.testing.assert_allclose(actual, weights, atol=2e-6)

  def make_step(self, jit_compile=False, is_scaled=False, num_replicas=1):
    """Returns a function from beta_1 and a gradient to the new weights."""
    strategy = tf.distribute.get_strategy()
    if num_replicas > 1:
      strategy = distribution.create("mirrored", num_virtual_cpus=num_replicas)
    with strategy.scope():
      variable = make_variable()
      optimizer = optimizers.create("adam", RATE)
      if is_scaled:
        optimizer = keras.mixed_precision.LossScaleOptimizer(optimizer)
      optimizer.build([variable])

    def apply(gradient):
      gradients = loss_scaling.rescale(optimizer, [gradient / num_replicas])
      optimizer.apply_gradients([(gradients[0], variable)])

    @tf.function(jit_compile=jit_compile)
    def run(gradient):
      strategy.run(apply, args=(gradient,))

    def step(momentum, gradient):
      optimizers.beta_1(optimizer).assign(momentum)
      run(tf.constant(gradient, "float32"))
      return value(variable)

    return step

  def test_weight_decay_is_a_term_of_the_gradient(self):
    images = rng.normal(size=[4, 3]).astype(np.float32)
    labels = np.array([0, 1, 1, 0])
    network = keras.Sequential(
      [keras.Input((3,)), keras.layers.Dense(2, use_bias=False)]
    )
    network.set_weights([WEIGHTS])
    self.assertTrue(optimizers.couples_weight_decay("adam", False))
    model = standard.StandardModel(network, weight_decay=0.1)
    optimizer = optimizers.create("adam", RATE)
    model.compile(optimizer)

    def gradient(weights, step):
      odds = np.exp(images @ weights)
      errors = odds / odds.sum(axis=1, keepdims=True) - np.eye(2)[labels]
      return images.T @ errors / len(labels) + 0.1 * weights

    for step, expected in enumerate(adam(gradient), 1):
      optimizers.beta_1(optimizer).assign(beta_1(step))
      model.train_on_batch(images, labels)
      np.testing.assert_allclose(network.get_weights()[0], expected, atol=1e-5)

  def test_is_saved_with_numbers_and_goes_on(self):
    variable = make_variable()
    one = optimizers.create("adam", RATE)
    one.build([variable])
    optimizers.beta_1(one).assign(0.5)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(one))
    self.assertIsInstance(again, optimizers.Adam)
    settings = again.get_config()
    self.assertEqual((settings["beta_1"], settings["epsilon"]), (0.5, 1e-8))
    again.build([make_variable()])
    self.assertLen(again.variables, len(one.variables))


class OthersTest(parameterized.TestCase):
  def test_adagrad_begins_at_nothing(self):
    gradients = rng.normal(size=[NUM_STEPS, *WEIGHTS.shape])
    gradients[:, 0] = 0.0
    variable = make_variable()
    optimizer = optimizers.create("adagrad", RATE)
    optimizer.build([variable])
    weights, total = WEIGHTS, np.zeros_like(WEIGHTS)
    for gradient in gradients:
      total = total + gradient**2
      weights = weights - RATE * gradient / (np.sqrt(total) + 1e-7)
      optimizer.apply_gradients([(tf.constant(gradient, "float32"), variable)])
      np.testing.assert_allclose(value(variable), weights, atol=1e-5)

  @parameterized.parameters(False, True)
  def test_sgd_is_pytorchs_at_any_rate(self, nesterov):
    rates = [0.1, 0.01, 0.01, 0.1, 0.0, 0.1]
    variable = make_variable()
    optimizer = optimizers.create("sgd", 0.1, nesterov=nesterov)
    optimizer.build([variable])
    schedule = epoch_schedules.LearningRateSchedule(
      rates.__getitem__,
      optimizer,
      lambda: optimizers.velocities("sgd", optimizer),
    )
    weights, velocity = WEIGHTS, np.zeros_like(WEIGHTS)
    for epoch, rate in enumerate(rates[:-1]):
      schedule.on_epoch_begin(epoch)
      for _ in range(2):
        gradient = rng.normal(size=WEIGHTS.shape)
        velocity = 0.9 * velocity + gradient
        ahead = gradient + 0.9 * velocity if nesterov else velocity
        weights = weights - rate * ahead
        pair = tf.constant(gradient, "float32"), variable
        optimizer.apply_gradients([pair])
      schedule.on_epoch_end(epoch)
      np.testing.assert_allclose(value(variable), weights, atol=1e-6)
    # After an epoch at 0 nothing is left that could be scaled.
    (left,) = optimizers.velocities("sgd", optimizer)
    np.testing.assert_array_equal(value(left), np.zeros_like(WEIGHTS))


def make_variable():
  """Returns a Keras variable of `WEIGHTS`."""
  layer = keras.layers.Dense(WEIGHTS.shape[1], use_bias=False)
  layer.build([None, WEIGHTS.shape[0]])
  layer.set_weights([WEIGHTS])
  return layer.kernel


def value(variable):
  return np.asarray(tf.convert_to_tensor(variable))


if __name__ == "__main__":
  absltest.main()
