"""Each method under Keras' own `fit`, `save` and callbacks, on both stacks."""

from absl.testing import absltest, parameterized
import keras
import numpy as np
import tensorflow as tf

from nct_tf import distribution, methods
from tests.support import linear_networks, virtual_devices

NUM_CLASSES = 3
NUM_EXAMPLES = 40
BATCH_SIZE = 8
ALL_METHODS = [(name, name) for name in methods.names()]


def create(method, num_classes=NUM_CLASSES, **kwargs):
  """Returns a model of linear networks, with schedule weights above 0."""
  keras.utils.set_random_seed(1)
  model = methods.get_model(method)
  networks = [
    linear_networks.create(num_classes)
    for _ in range(model.Options.NUM_NETWORKS)
  ]
  model = model(*networks, **kwargs)
  for name in model.schedules(num_epochs=1):
    getattr(model, name).assign(0.4)
  return model


def compiled(method, optimizer=None, num_classes=NUM_CLASSES, **kwargs):
  """As `create`; steps are not traced, which would take longer than they do."""
  model = create(method, num_classes)
  kwargs = {"run_eagerly": True, **kwargs}
  model.compile(optimizer or linear_networks.sgd(), **kwargs)
  return model


def fit(model, features, labels, **kwargs):
  """Trains on batches in order; returns the history."""
  return model.fit(
    features,
    labels,
    **{"batch_size": BATCH_SIZE, "shuffle": False, "verbose": 0, **kwargs},
  ).history


def assert_same_weights(one, other):
  for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
    np.testing.assert_array_equal(a, b)


class FitTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    rng = np.random.default_rng(0)
    shape = (NUM_EXAMPLES, linear_networks.NUM_FEATURES)
    self.features = rng.standard_normal(shape).astype(np.float32)
    self.labels = rng.integers(NUM_CLASSES, size=NUM_EXAMPLES)
    self.one_hot = np.eye(NUM_CLASSES)[self.labels]
    self.weights = rng.uniform(0, 2, size=NUM_EXAMPLES)


def losses_of(model, features, labels):
  """Returns each network's `NetworkLoss` before training."""
  return model.network_losses(
    model.logits(features), {"label": tf.constant(labels, tf.int32)}
  )


class WeightsTest(FitTest):
  @parameterized.named_parameters(*ALL_METHODS)
  def test_weights_multiply_what_the_labels_say(self, method):
    model = compiled(method, keras.optimizers.SGD(0.0))
    losses = losses_of(model, self.features, self.labels)
    expected = sum(
      np.mean(self.weights * loss.loss)
      + (0 if loss.unlabelled is None else np.mean(loss.unlabelled))
      for loss in losses
    )
    scores = model.evaluate(
      self.features,
      self.labels,
      sample_weight=self.weights,
      return_dict=True,
      verbose=0,
    )
    self.assertAlmostEqual(scores["loss"], expected, places=5)
    # What is logged of its parts is not weighted.
    cross_entropy = np.mean(losses[0].parts["cross_entropy"])
    self.assertAlmostEqual(
      scores["cross_entropy_1"], float(cross_entropy), places=5
    )

  @parameterized.named_parameters(
    ("nct", "nct", 0.6), ("dml", "dml", 1.0), ("standard", "standard", 1.0)
  )
  def test_weights_multiply_the_cross_entropy_alone(self, method, factor):
    logits = create(method).logits(self.features)
    kwargs = {"sample_weight": self.weights, "return_dict": True, "verbose": 0}
    model = compiled(method)
    weighted = model.evaluate(self.features, self.labels, **kwargs)
    plain = model.evaluate(
      self.features, self.labels, return_dict=True, verbose=0
    )
    cross_entropies = [
      -np.log(linear_networks.softmax(np.asarray(z)))[
        np.arange(NUM_EXAMPLES), self.labels
      ]
      for z in logits
    ]
    difference = factor * sum(
      np.mean((self.weights - 1) * each) for each in cross_entropies
    )
    self.assertAlmostEqual(
      weighted["loss"] - plain["loss"], difference, places=5
    )

  @parameterized.named_parameters(
    ("standard", "standard"), ("bootstrap", "bootstrap")
  )
  def test_a_weight_of_2_is_an_example_twice(self, method):
    model, twice = (compiled(method) for _ in range(2))
    batch, labels = self.features[:BATCH_SIZE], self.labels[:BATCH_SIZE]
    weights = np.where(np.arange(BATCH_SIZE) < 4, 2.0, 0.0)
    fit(model, batch, labels, sample_weight=weights)
    fit(twice, np.tile(batch[:4], (2, 1)), np.tile(labels[:4], 2))
    for a, b in zip(model.get_weights(), twice.get_weights(), strict=True):
      np.testing.assert_allclose(a, b, atol=1e-6)

  @parameterized.named_parameters(*ALL_METHODS)
  def test_weights_of_1_change_nothing(self, method):
    plain, weighted, by_class = (compiled(method) for _ in range(3))
    history = fit(plain, self.features, self.labels)
    ones = np.ones(NUM_EXAMPLES)
    self.assertEqual(
      fit(weighted, self.features, self.labels, sample_weight=ones), history
    )
    fit(
      by_class,
      self.features,
      self.labels,
      class_weight=dict.fromkeys(range(NUM_CLASSES), 1.0),
    )
    assert_same_weights(plain, weighted)
    assert_same_weights(plain, by_class)

  @parameterized.named_parameters(
    ("integers", "labels"), ("one_hot", "one_hot")
  )
  def test_class_weights_are_sample_weights(self, form):
    class_weight = {0: 0.5, 1: 2.0, 2: 1.0}
    one, other = (compiled("nct") for _ in range(2))
    history = fit(
      one, self.features, getattr(self, form), class_weight=class_weight
    )
    weights = np.array([class_weight[label] for label in self.labels])
    expected = fit(other, self.features, self.labels, sample_weight=weights)
    self.assertEqual(history, expected)
    assert_same_weights(one, other)

  @parameterized.named_parameters(*ALL_METHODS)
  def test_validation_data_may_have_weights(self, method):
    model = compiled(method, keras.optimizers.SGD(0.0))
    history = fit(
      model,
      self.features,
      self.labels,
      validation_data=(self.features, self.labels, self.weights),
    )
    scores = model.evaluate(
      self.features, self.labels, sample_weight=self.weights, verbose=0
    )
    self.assertAlmostEqual(history["val_loss"][0], scores[0], places=5)
    self.assertNotAlmostEqual(
      history["val_loss"][0],
      model.evaluate(self.features, self.labels, verbose=0)[0],
      places=2,
    )

  def test_targets_in_a_dict_may_have_weights(self):
    one, other = (compiled("nct") for _ in range(2))
    fit(one, self.features, self.labels, sample_weight=self.weights)
    targets = {"label": self.labels, "example": np.arange(NUM_EXAMPLES)}
    fit(other, self.features, targets, sample_weight=self.weights)
    assert_same_weights(one, other)

  def test_without_weights_there_is_no_operation_for_them(self):
    def operations(*data):
      model = compiled("dml")
      model.optimizer.build(model.trainable_variables)
      step = tf.function(model.train_step).get_concrete_function(data)
      return len(step.graph.get_operations())

    features = tf.TensorSpec([None, linear_networks.NUM_FEATURES])
    labels = tf.TensorSpec([None], tf.int32)
    without = operations(features, labels)
    self.assertGreater(
      operations(features, labels, tf.TensorSpec([None])), without
    )
    # A weight that is None is none.
    self.assertEqual(operations(features, labels, None), without)


class LabelsTest(FitTest):
  @parameterized.named_parameters(*ALL_METHODS)
  def test_one_hot_and_integer_labels_train_alike(self, method):
    forms = {
      "integers": self.labels,
      "uint8": self.labels.astype(np.uint8),
      "column": self.labels[:, None],
      "one_hot": self.one_hot,
      "integer_one_hot": self.one_hot.astype(np.int32),
      "bool_one_hot": self.one_hot.astype(bool),
    }
    results = {}
    for name, labels in forms.items():
      model = compiled(method)
      history = fit(model, self.features, labels, validation_split=0.2)
      results[name] = history, [w.tolist() for w in model.get_weights()]
    for name, result in results.items():
      self.assertEqual(result, results["integers"], name)

  def test_two_columns_are_two_classes(self):
    one, other = (compiled("nct", num_classes=2) for _ in range(2))
    labels = self.labels % 2
    history = fit(one, self.features, np.eye(2)[labels])
    self.assertEqual(fit(other, self.features, labels), history)

  @parameterized.named_parameters(
    ("soft", [0.9, 0.1, 0.0]),
    ("of_two_classes", [1.0, 1.0, 0.0]),
    ("of_none", [0.0, 0.0, 0.0]),
    ("negative", [1.0, -1.0, 1.0]),
    ("not_a_number", [1.0, np.nan, 0.0]),
  )
  def test_refuses_other_rows(self, row):
    labels = self.one_hot.copy()
    labels[11] = row
    with self.assertRaisesRegex(
      tf.errors.InvalidArgumentError, "must be one-hot"
    ):
      fit(compiled("nct"), self.features, labels)

  def test_a_traced_step_refuses_them_as_well(self):
    model = compiled("nct", run_eagerly=False)
    with self.assertRaisesRegex(
      tf.errors.InvalidArgumentError, "must be one-hot"
    ):
      fit(model, self.features, 0.9 * self.one_hot)

  @parameterized.named_parameters(("fewer", 2), ("more", 4))
  def test_refuses_another_number_of_columns(self, num_columns):
    labels = np.eye(num_columns)[self.labels % 2]
    for method in ("nct", "standard"):
      model = compiled(method, run_eagerly=False)
      start = model.get_weights()
      with self.assertRaisesRegex(ValueError, r"must be \[batch, 3\]"):
        fit(model, self.features, labels)
      for before, after in zip(start, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)

  @parameterized.named_parameters(
    ("no_labels", None, None, r"must be \(images, labels\)"),
    ("too_many_axes", (2, 3), None, r"integers \[batch\], or one-hot"),
    ("weights_of_columns", (), (3,), r"`sample_weight` must be of shape"),
  )
  def test_refuses_other_shapes(self, axes, weight_axes, message):
    labels = weights = None
    if axes is not None:
      labels = np.zeros((NUM_EXAMPLES, *axes))
    if weight_axes is not None:
      weights = np.ones((NUM_EXAMPLES, *weight_axes))
    data = (self.features, labels, weights)
    dataset = tf.data.Dataset.from_tensors(
      tuple(part for part in data if part is not None)
    )
    with self.assertRaisesRegex(ValueError, message):
      compiled("nct").fit(dataset, verbose=0)


def rank_of_labels(labels, probabilities):
  """A metric that somebody wrote."""
  return len(labels.shape) + 0.0 * tf.reduce_sum(probabilities, axis=-1)


class Count(keras.metrics.Metric):
  """Another one, which is no mean."""

  def __init__(self, name="count", **kwargs):
    super().__init__(name=name, **kwargs)
    self.total = self.add_weight(name="total", shape=(), initializer="zeros")

  def update_state(self, labels, probabilities, sample_weight=None):
    self.total.assign_add(tf.cast(tf.shape(probabilities)[0], tf.float32))

  def result(self):
    return tf.convert_to_tensor(self.total)


class MetricsTest(FitTest):
  @parameterized.named_parameters(*ALL_METHODS)
  def test_are_of_the_labels_and_the_ensemble(self, method):
    model = compiled(
      method,
      keras.optimizers.SGD(0.0),
      metrics=[
        "accuracy",
        keras.metrics.SparseTopKCategoricalAccuracy(2, "top2"),
      ],
      weighted_metrics=["accuracy"],
    )
    history = fit(
      model,
      self.features,
      self.labels,
      epochs=2,
      sample_weight=self.weights,
      validation_data=(self.features[:9], self.labels[:9], self.weights[:9]),
    )
    probabilities = model.predict(self.features, verbose=0)
    ranks = (-probabilities).argsort(axis=1)
    hits = ranks[:, 0] == self.labels
    expected = {
      "accuracy": np.mean(hits),
      "top2": np.mean(np.any(ranks[:, :2] == self.labels[:, None], axis=1)),
      "weighted_accuracy": np.average(hits, weights=self.weights),
      "val_accuracy": np.mean(hits[:9]),
      "val_weighted_accuracy": np.average(hits[:9], weights=self.weights[:9]),
    }
    for name, value in expected.items():
      # Each epoch counts anew.
      np.testing.assert_allclose(history[name], [value, value], rtol=1e-5)
    scores = model.evaluate(
      self.features, self.labels, return_dict=True, verbose=0
    )
    self.assertAlmostEqual(scores["accuracy"], expected["accuracy"], places=5)

  @parameterized.named_parameters(
    ("accuracy", "accuracy"), ("crossentropy", "crossentropy")
  )
  def test_names_that_take_labels_of_any_form(self, name):
    results = [
      fit(compiled("nct", metrics=[name]), self.features, labels)[name]
      for labels in (self.labels, self.labels[:, None], self.one_hot)
    ]
    self.assertEqual(results[0], results[1])
    self.assertEqual(results[0], results[2])

  def test_others_get_the_labels_as_they_were_given(self):
    metrics = [rank_of_labels, "categorical_accuracy", "accuracy"]
    history = fit(
      compiled("nct", metrics=metrics),
      self.features,
      self.one_hot,
      validation_split=0.2,
    )
    self.assertEqual(history["rank_of_labels"], [2.0])
    self.assertEqual(history["categorical_accuracy"], history["accuracy"])
    self.assertEqual(
      history["val_categorical_accuracy"], history["val_accuracy"]
    )
    model = compiled("nct", metrics=[rank_of_labels])
    history = fit(model, self.features, {"label": self.labels})
    self.assertEqual(history["rank_of_labels"], [1.0])

  def test_replicas_and_one_give_the_same(self):
    # Batches of 8 and one of 5, which does not split evenly.
    dataset = tf.data.Dataset.from_tensor_slices(
      (self.features[:29], self.one_hot[:29], self.weights[:29])
    ).batch(BATCH_SIZE)
    self.assertGreaterEqual(virtual_devices.NUM_DEVICES, 2)
    histories = []
    for strategy in (
      tf.distribute.get_strategy(),
      distribution.create("mirrored", num_virtual_cpus=2),
    ):
      with strategy.scope():
        # NCT draws labels by the place in a batch, which `fit` does not tell.
        model = compiled(
          "dml",
          metrics=["accuracy", "AUC", Count()],
          weighted_metrics=[
            "accuracy",
            keras.metrics.CategoricalCrossentropy(),
          ],
          run_eagerly=False,
          jit_compile=False,
        )
      histories.append(
        model.fit(dataset, validation_data=dataset, verbose=0).history
      )
    one, two = histories
    self.assertEqual(one["count"], [29.0])
    self.assertEqual(one.keys(), two.keys())
    for name, values in one.items():
      np.testing.assert_allclose(values, two[name], atol=1e-5, err_msg=name)

  def test_a_metric_of_another_scope_is_refused(self):
    strategy = distribution.create("mirrored", num_virtual_cpus=2)
    with strategy.scope():
      model = create("standard")
    with self.assertRaisesRegex(ValueError, "Received: count, made outside"):
      model.compile("sgd", metrics=[Count()])

  @parameterized.named_parameters(
    ("loss", {"loss": "mse"}, "StandardModel has its own loss.*loss=mse"),
    (
      "loss_weights",
      {"loss_weights": [1.0]},
      r"Received: .*loss_weights=\[1.0\]",
    ),
    ("twice", {"metrics": ["accuracy", "accuracy"]}, "Received: accuracy"),
    ("in_the_logs", {"metrics": [keras.metrics.Mean("loss")]}, "names"),
    ("unknown", {"metrics": ["nonsense"]}, "metric.*nonsense"),
  )
  def test_compile_refuses(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      create("standard").compile("sgd", **arguments)

  def test_compile_refuses_a_loss_by_position(self):
    with self.assertRaisesRegex(ValueError, "Received: loss=mse"):
      create("standard").compile("sgd", "mse")


if __name__ == "__main__":
  absltest.main()
