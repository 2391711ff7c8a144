from absl.testing import absltest, parameterized
import keras
import numpy as np
from sklearn import metrics as sklearn_metrics

from nct_tf import config, errors, optimizers, schedules
from nct_tf.options import training as training_options
from nct_tf.system import addons
from nct_tf.training import epoch_schedules


def train_one_weight(optimizer, num_epochs=3, learning_rate=None, extra=()):
  """Minimises w, one step an epoch; returns w after each, from 1."""
  model = keras.Sequential(
    [keras.Input((1,)), keras.layers.Dense(1, use_bias=False)]
  )
  model.compile(optimizer=optimizer, loss=lambda y, z: z, jit_compile=False)
  model.set_weights([np.ones((1, 1))])
  values = []
  if learning_rate:
    extra = [
      epoch_schedules.EpochSchedule(name, schedule, setter(optimizer, name))
      for name, schedule in learning_rate.items()
    ]
  model.fit(
    np.ones((1, 1)),
    np.ones((1, 1)),
    epochs=num_epochs,
    verbose=0,
    callbacks=[
      *extra,
      keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: values.append(
          float(model.get_weights()[0][0, 0])
        )
      ),
    ],
  )
  return values


def setter(optimizer, name):
  return lambda value: setattr(optimizer, name, value)


class OptimizersTest(parameterized.TestCase):
  def test_decoupled_sgd_takes_rate_times_decay(self):
    values = train_one_weight(optimizers.create("sgd", 0.1, 0.0, 0.5))
    expected = [1.0]
    for _ in range(3):
      expected.append(expected[-1] - 0.1 * 0.5 * expected[-1] - 0.1)
    np.testing.assert_allclose(values, expected[1:], atol=1e-6)

  def test_momentum_is_of_pytorch_form(self):
    values = train_one_weight(optimizers.create("sgd", 0.1, 0.9))
    np.testing.assert_allclose(values, [0.9, 0.71, 0.439], atol=1e-6)

  def test_adamw_decays_apart_from_the_gradient(self):
    values = train_one_weight(optimizers.create("adamw", 0.01, 0.0, 0.5), 1)
    np.testing.assert_allclose(values, [1 - 0.01 * 0.5 - 0.01], atol=1e-5)

  def test_lamb_exists_on_both_stacks(self):
    values = train_one_weight(optimizers.create("lamb", 0.1), 1)
    # Adam's first direction is 1, and the trust ratio |w| / 1.
    np.testing.assert_allclose(values, [0.9], atol=1e-4)

  def test_learning_rate_can_be_set_by_epoch(self):
    for name in training_options.OPTIMIZERS:
      if name == "sgdw" and not addons.available():
        continue
      with self.subTest(name):
        values = train_one_weight(
          optimizers.create(name, 0.1, 0.0),
          learning_rate={"learning_rate": lambda epoch: 0.1 * (epoch == 0)},
        )
        self.assertLess(values[0], 0.95)
        np.testing.assert_allclose(values[1:], values[0], atol=1e-6)

  @parameterized.parameters("sgd", "sgdw")
  def test_velocity_drops_with_the_rate_as_in_pytorch(self, name):
    if name == "sgdw" and not addons.available():
      self.skipTest("SGDW needs tensorflow-addons")

    def rate(epoch):
      return schedules.step_decay(epoch, 0.1, (2,), 0.1)

    optimizer = optimizers.create(name, 0.1, 0.9)
    values = train_one_weight(
      optimizer,
      num_epochs=5,
      extra=[
        epoch_schedules.LearningRateSchedule(
          rate, optimizer, lambda: optimizers.velocities(name, optimizer)
        )
      ],
    )
    weight, velocity, expected = 1.0, 0.0, []
    for epoch in range(5):
      velocity = 0.9 * velocity + 1.0
      weight -= rate(epoch) * velocity
      expected.append(weight)
    np.testing.assert_allclose(values, expected, atol=1e-6)

  def test_sgdw_decay_follows_the_rate_when_told_to(self):
    if not addons.available():
      self.skipTest("SGDW needs tensorflow-addons")

    def decay(epoch):
      return schedules.step_decay(epoch, 0.5, (1,), 0.1)

    values = train_one_weight(
      optimizers.create("sgdw", 0.1, 0.0, 0.5),
      learning_rate={"weight_decay": decay},
    )
    expected = [1.0]
    for epoch in range(3):
      expected.append(expected[-1] * (1 - decay(epoch)) - 0.1)
    np.testing.assert_allclose(values, expected[1:], atol=1e-6)


class MissingTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    if addons.available():
      self.skipTest("tensorflow-addons is here")

  def test_what_is_asked_for_by_name_is_refused(self):
    for arguments, name in (
      ({"optimizer": "sgdw"}, "--optimizer=sgdw"),
      (
        {"augmentation": "crop_flip_cutout"},
        "--augmentation=crop_flip_cutout",
      ),
    ):
      with self.assertRaisesRegex(
        errors.InvalidInputError, f"{name} needs tensorflow-addons"
      ):
        config.TrainConfig(**arguments)


class CohenKappaTest(parameterized.TestCase):
  @parameterized.parameters(2, 3, 4)
  def test_equals_scikit_learn(self, num_classes):
    if not addons.available():
      self.skipTest("Cohen's kappa as a metric needs tensorflow-addons")
    rng = np.random.default_rng(0)
    labels = rng.integers(num_classes, size=100)
    probabilities = rng.random((100, num_classes))
    probabilities += 0.5 * np.eye(num_classes)[labels]
    metric = addons.cohen_kappa(num_classes)
    metric.update_state(labels[:60], probabilities[:60])
    metric.update_state(labels[60:], probabilities[60:])
    self.assertAlmostEqual(
      float(metric.result()),
      sklearn_metrics.cohen_kappa_score(labels, probabilities.argmax(axis=1)),
      places=5,
    )


if __name__ == "__main__":
  absltest.main()
