import functools

from absl.testing import absltest, parameterized
import keras
import numpy as np
import tensorflow as tf

from nct_tf import distribution, networks
from nct_tf.audit import label_audit
from nct_tf.input_pipeline import batching, noisy_dataset
from nct_tf.methods import nct, standard as standard_lib
from nct_tf.models import label_scores
from nct_tf.training import epoch_schedules
from tests.support import linear_networks, long_tests, virtual_devices

TEMPERATURE = 4.0


def gradients(logits, labels, alpha):
  """Of each network's loss to its logits, by Equations 1 and 2."""
  result = []
  for k in (0, 1):
    onehot = np.eye(logits[k].shape[1])[labels]
    cross_entropy = linear_networks.softmax(logits[k]) - onehot
    # d/dz of T^2 KL(softmax(z'/T) || softmax(z/T)) is T times this.
    mimicry = linear_networks.softmax(
      logits[k] / TEMPERATURE
    ) - linear_networks.softmax(logits[1 - k] / TEMPERATURE)
    result.append((1 - alpha) * cross_entropy + alpha * TEMPERATURE * mimicry)
  return result


class OneStepTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("alpha_0", 0.0, 0.0, 5, 0.0),
    ("alpha_half", 0.5, 0.0, 5, 0.0),
    ("alpha_1", 1.0, 0.0, 5, 0.0),
    ("weight_decay", 0.9, 0.1, 5, 0.0),
    # Of two classes, a random label that is never the given one is the other.
    ("flipped_targets", 0.3, 0.01, 2, 1.0),
    ("all_in_a_graph", 0.3, 0.01, 2, 1.0, False),
  )
  def test_equals_numpy(
    self, alpha, weight_decay, num_classes, rate, run_eagerly=True
  ):
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(0)
    model = nct.ConcurrentModel(
      linear_networks.create(num_classes),
      linear_networks.create(num_classes),
      weight_decay=weight_decay,
    )
    model.compile(
      optimizer=linear_networks.sgd(),
      run_eagerly=run_eagerly,
      jit_compile=False,
    )
    model.alpha.assign(alpha)
    model.target_variability_rate.assign(rate)
    slow = linear_networks.SlowTraining(model, weight_decay)
    for _ in range(3):
      features, labels = linear_networks.random_batch(rng, num_classes)
      model.fit(features, labels, batch_size=6, shuffle=False, verbose=0)
      trained_on = 1 - labels if rate == 1.0 else labels
      slow.step(features, gradients(slow.logits(features), trained_on, alpha))
    slow.check(model)

  def test_networks_get_different_targets_from_step_to_step(self):
    model = nct.ConcurrentModel(
      linear_networks.create(10), linear_networks.create(10), seed=3
    )
    model.compile(optimizer=linear_networks.sgd(), jit_compile=False)
    model.target_variability_rate.assign(0.5)
    targets = {"label": tf.zeros([200], tf.int32)}
    first = [labels.numpy() for labels in model.random_labels(targets, 10)]
    again = [labels.numpy() for labels in model.random_labels(targets, 10)]
    model.optimizer.iterations.assign(1)
    second = [labels.numpy() for labels in model.random_labels(targets, 10)]
    np.testing.assert_array_equal(first, again)
    for a, b in ((first[0], first[1]), (first[0], second[0])):
      self.assertGreater(np.mean(a != b), 0.5)


class ReplicasTest(absltest.TestCase):
  """Keras' own `fit` under a strategy."""

  def train(self, strategy, dataset):
    keras.utils.set_random_seed(2)
    with strategy.scope():
      model = nct.ConcurrentModel(
        networks.create("mlp", (5, 5, 1), 4, 8),
        networks.create("mlp", (5, 5, 1), 4, 8),
        weight_decay=0.01,
      )
      model.compile(optimizer=linear_networks.sgd(), jit_compile=False)
    model.alpha.assign(0.5)
    model.target_variability_rate.assign(0.4)
    history = model.fit(
      dataset, epochs=3, steps_per_epoch=4, shuffle=False, verbose=0
    )
    weights = [np.asarray(w) for w in model.get_weights()]
    return weights, history.history

  @long_tests.only
  def test_one_and_two_give_the_same_weights_and_metrics(self):
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(29, 5, 5, 1), dtype=np.uint8)
    labels = rng.integers(4, size=29)
    # Batches of 8, 8, 8 and 5: the last does not split evenly.
    examples = noisy_dataset.Examples(images, labels, labels, np.arange(29))
    dataset = batching.Batching(
      mean=[0.5], std=[0.3], batch_size=8, num_epochs=3
    ).train(examples)
    one_weights, one_history = self.train(tf.distribute.get_strategy(), dataset)
    self.assertGreaterEqual(virtual_devices.NUM_DEVICES, 2)
    mirrored = distribution.create("mirrored", num_virtual_cpus=2)
    self.assertEqual(mirrored.num_replicas_in_sync, 2)
    two_weights, two_history = self.train(mirrored, dataset)
    for one, two in zip(one_weights, two_weights, strict=True):
      np.testing.assert_allclose(one, two, atol=1e-6)
    for name, values in one_history.items():
      np.testing.assert_allclose(values, two_history[name], atol=1e-5)


class CostTest(absltest.TestCase):
  """What is switched off is not in the graph."""

  @staticmethod
  @functools.cache
  def operations(**options):
    model = nct.ConcurrentModel(
      linear_networks.create(5), linear_networks.create(5), **options
    )
    model.compile(optimizer=linear_networks.sgd(), jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    graph = (
      tf.function(model.train_step)
      .get_concrete_function(
        (
          tf.TensorSpec([None, linear_networks.NUM_FEATURES]),
          tf.TensorSpec([None], tf.int32),
        )
      )
      .graph
    )
    return [operation.type for operation in graph.get_operations()]

  def test_without_target_variability_nothing_is_drawn(self):
    drawing = [
      kind for kind in self.operations() if kind.startswith("StatelessRandom")
    ]
    self.assertNotEmpty(drawing)
    without = self.operations(target_variability_max=0)
    self.assertEmpty([k for k in without if k.startswith("StatelessRandom")])

  def test_without_mimicry_there_are_no_soft_predictions(self):
    self.assertIn("LogSoftmax", self.operations())
    self.assertNotIn("LogSoftmax", self.operations(alpha_max=0))

  def test_without_both_it_is_standard_training_twice(self):
    keras.utils.set_random_seed(4)
    concurrent = nct.ConcurrentModel(
      linear_networks.create(5),
      linear_networks.create(5),
      alpha_max=0,
      target_variability_max=0,
    )
    standard = standard_lib.StandardModel(linear_networks.create(5))
    standard.network1.set_weights(concurrent.network1.get_weights())
    rng = np.random.default_rng(0)
    features = rng.standard_normal((40, linear_networks.NUM_FEATURES)).astype(
      np.float32
    )
    labels = rng.integers(5, size=40)
    for model in (concurrent, standard):
      model.compile(optimizer=linear_networks.sgd(), jit_compile=False)
      model.fit(features, labels, batch_size=8, shuffle=False, verbose=0)
    for a, b in zip(
      concurrent.network1.get_weights(),
      standard.network1.get_weights(),
      strict=True,
    ):
      np.testing.assert_allclose(a, b, atol=1e-6)


class KerasTest(absltest.TestCase):
  """It behaves as a Keras model does."""

  def setUp(self):
    super().setUp()
    rng = np.random.default_rng(0)
    self.features = rng.standard_normal(
      (64, linear_networks.NUM_FEATURES)
    ).astype(np.float32)
    self.labels = (self.features @ rng.standard_normal((4, 3))).argmax(axis=1)
    self.model = nct.ConcurrentModel(
      linear_networks.create(3), linear_networks.create(3)
    )
    self.model.compile(optimizer=linear_networks.sgd(), jit_compile=False)

  def test_fits_evaluates_and_predicts_arrays(self):
    schedule = epoch_schedules.EpochSchedule(
      "alpha", lambda epoch: 0.02 * epoch, self.model.alpha.assign
    )
    history = self.model.fit(
      self.features,
      self.labels,
      epochs=20,
      validation_data=(self.features, self.labels),
      callbacks=[schedule],
      verbose=0,
    ).history
    np.testing.assert_allclose(history["alpha"], np.arange(20) * 0.02)
    self.assertGreater(history["val_ensemble_accuracy"][-1], 0.8)
    scores = self.model.evaluate(
      self.features, self.labels, return_dict=True, verbose=0
    )
    probabilities = self.model.predict(self.features, verbose=0)
    logits = [
      network.predict(self.features, verbose=0)
      for network in self.model.networks
    ]
    np.testing.assert_allclose(
      probabilities,
      linear_networks.softmax((logits[0] + logits[1]) / 2),
      atol=1e-5,
    )
    hits = [z.argmax(axis=1) == self.labels for z in logits]
    self.assertAlmostEqual(scores["accuracy_1"], hits[0].mean(), places=5)
    self.assertAlmostEqual(scores["accuracy_2"], hits[1].mean(), places=5)
    self.assertAlmostEqual(
      scores["ensemble_accuracy"],
      np.mean(probabilities.argmax(axis=1) == self.labels),
      places=5,
    )
    self.assertAlmostEqual(
      scores["agreement"],
      np.mean(logits[0].argmax(axis=1) == logits[1].argmax(axis=1)),
      places=5,
    )

  def test_accuracy_is_against_the_given_labels(self):
    self.model.compile(optimizer=linear_networks.sgd(), run_eagerly=True)
    self.model.target_variability_rate.assign(1.0)
    for network in self.model.networks:  # Both predict the first class.
      network.set_weights([np.zeros((4, 3)), np.array([9.0, 0.0, 0.0])])
    targets = {
      "label": np.zeros(64, np.int32),
      "true_label": np.ones(64, np.int32),
    }
    dataset = tf.data.Dataset.from_tensors((self.features, targets))
    history = self.model.fit(dataset, shuffle=False, verbose=0).history
    self.assertEqual(history["ensemble_accuracy"], [1.0])
    self.assertEqual(history["ensemble_true_accuracy"], [0.0])
    # The loss was taken against other labels than the given ones.
    self.assertGreater(history["cross_entropy_1"][0], 8.0)

  def test_networks_may_have_regularisers(self):
    def regularised():
      return keras.Sequential(
        [
          keras.Input((linear_networks.NUM_FEATURES,)),
          keras.layers.Dense(3, kernel_regularizer=keras.regularizers.L2(50)),
        ]
      )

    model = nct.ConcurrentModel(regularised(), regularised())
    model.compile(optimizer=keras.optimizers.SGD(0.01), run_eagerly=True)
    model.network1.set_weights([np.ones((4, 3)), np.zeros(3)])
    model.fit(self.features, self.labels, batch_size=64, verbose=0)
    # The gradient of 50 w^2 is 100 w: a step of 0.01 takes all of w.
    kernel = model.network1.get_weights()[0]
    self.assertLess(np.abs(kernel).max(), 0.1)

  def test_ignores_variables_that_no_loss_depends_on(self):
    network = linear_networks.create(3)
    network.unused = network.add_weight(
      name="unused", shape=(2,), initializer="ones", trainable=True
    )
    model = nct.ConcurrentModel(
      network, linear_networks.create(3), weight_decay=0.1
    )
    model.compile(optimizer=keras.optimizers.SGD(0.5), run_eagerly=True)
    model.fit(self.features, self.labels, batch_size=64, verbose=0)
    np.testing.assert_allclose(np.asarray(network.unused), 0.95, rtol=1e-6)

  def test_fit_tells_how_suspicious_each_label_was(self):
    self.model.compile(optimizer=keras.optimizers.SGD(0.0), jit_compile=False)
    scores = label_scores.LabelScores(65, batch_size=16)
    self.model.track(scores)
    targets = {"label": self.labels, "example": np.arange(64)}
    self.model.fit(self.features, targets, batch_size=16, epochs=3, verbose=0)
    probabilities = self.model.predict(self.features, verbose=0)
    means = scores.means()
    # Nothing was learned: each epoch had what is predicted in the end.
    np.testing.assert_allclose(
      means[:64],
      label_audit.scores_of(self.labels, probabilities),
      atol=1e-5,
    )
    self.assertTrue(np.isnan(means[64]))  # It was never trained on.

  def test_label_scores_need_the_numbers_of_examples(self):
    self.model.track(label_scores.LabelScores(64, batch_size=16))
    with self.assertRaisesRegex(ValueError, '"example": np.arange'):
      self.model.fit(self.features, self.labels, verbose=0)

  def test_takes_labels_of_any_integer_type(self):
    for dtype in (np.uint8, np.int64):
      self.model.fit(self.features, self.labels.astype(dtype), verbose=0)


if __name__ == "__main__":
  absltest.main()
