"""Each method under Keras' own `fit`, `save` and callbacks, on both stacks."""

import dataclasses
import pathlib
import tempfile
from typing import ClassVar
import warnings

from absl.testing import absltest, parameterized
import keras
import numpy as np
import tensorflow as tf

from nct_tf import distribution, methods, metrics as metrics_lib
from nct_tf.methods import options as options_lib
from nct_tf.models import classifier, example_table
from nct_tf.options import fields
from nct_tf.system import addons
from tests.support import (
  killed_fit,
  linear_networks,
  long_tests,
  processes,
  virtual_devices,
)

NUM_CLASSES = 3
NUM_EXAMPLES = 24
BATCH_SIZE = killed_fit.BATCH_SIZE
# Those that need nothing but images and labels.
FIT_METHODS = [
  (name, name)
  for name in (
    "nct",
    "bootstrap",
    *long_tests.also("standard", "dml", "gce", "sce", "nce_rce", "decoupling"),
    *long_tests.also("meta_cleaner"),
  )
]
# One of two networks and one of one. `make test-long` has the others as well.
SOME_METHODS = [
  (name, name)
  for name in ("nct", "bootstrap", *long_tests.also("standard", "dml"))
]
# Those that remember the examples.
REMEMBERING_METHODS = [
  (name, name)
  for name in (
    "elr",
    *long_tests.also(
      "co_teaching",
      "co_teaching_plus",
      "jocor",
      "forward_correction",
      "dividemix",
      "m_correction",
      "pencil",
      "joint_optim",
      "incv",
      "mlnt",
    ),
  )
]


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


def embedding():
  """Returns a network of integers, whose first gradient is sparse."""
  return keras.Sequential(
    [
      keras.Input((5,), dtype="int32"),
      keras.layers.Embedding(10, 2),
      keras.layers.Flatten(),
      keras.layers.Dense(NUM_CLASSES),
    ]
  )


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

  def make_folder(self):
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    return pathlib.Path(folder.name)


def losses_of(model, features, labels):
  """Returns each network's `NetworkLoss` before training."""
  return model.network_losses(
    model.logits(features), {"label": tf.constant(labels, tf.int32)}
  )


class ClippingTest(FitTest):
  def steps_of(self, clip_norm):
    """Returns what a step takes from each weight: the gradient."""
    keras.utils.set_random_seed(1)
    model = methods.get_model("standard")(embedding(), clip_norm=clip_norm)
    model.compile(keras.optimizers.SGD(1.0), run_eagerly=True)
    before = model.get_weights()
    # All numbers are there more than once.
    features = np.arange(NUM_EXAMPLES * 5).reshape(-1, 5) % 10
    fit(model, features, self.labels, batch_size=NUM_EXAMPLES)
    after = model.get_weights()
    return [old - new for old, new in zip(before, after, strict=True)]

  def test_the_norm_of_a_sparse_gradient_is_that_of_the_dense_one(self):
    whole = self.steps_of(None)
    norm = np.sqrt(sum(np.sum(step**2) for step in whole))
    for clip_norm, factor in ((0.5 * norm, 0.5), (1.01 * norm, 1.0)):
      for one, clipped in zip(whole, self.steps_of(clip_norm), strict=True):
        np.testing.assert_allclose(clipped, factor * one, atol=1e-6)


class RememberingTest(FitTest):
  @parameterized.named_parameters(*REMEMBERING_METHODS)
  def test_learns_from_numbered_examples(self, method):
    model = compiled(method)
    targets = {"label": self.labels, "example": np.arange(NUM_EXAMPLES)}
    with self.assertRaisesRegex(ValueError, "call the model's `remember"):
      fit(model, self.features, targets)
    # A tenth of them is held out, with an example for each class.
    num_examples = 10 * max(NUM_CLASSES, NUM_EXAMPLES)
    model = compiled(method)
    model.remember(num_examples, NUM_CLASSES, BATCH_SIZE)
    history = fit(model, self.features, targets, epochs=3)
    self.assertLess(history["loss"][-1], history["loss"][0])
    folder = self.make_folder()
    model.save(folder / "model.keras")
    loaded = keras.models.load_model(folder / "model.keras")
    for name, variable in model.example_variables.items():
      np.testing.assert_array_equal(loaded.example_variables[name], variable)


class WeightsTest(FitTest):
  @parameterized.named_parameters(*FIT_METHODS)
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
    ("standard", "standard"), *long_tests.also(("bootstrap", "bootstrap"))
  )
  def test_a_weight_of_2_is_an_example_twice(self, method):
    model, twice = (compiled(method) for _ in range(2))
    batch, labels = self.features[:BATCH_SIZE], self.labels[:BATCH_SIZE]
    weights = np.where(np.arange(BATCH_SIZE) < 4, 2.0, 0.0)
    fit(model, batch, labels, sample_weight=weights)
    fit(twice, np.tile(batch[:4], (2, 1)), np.tile(labels[:4], 2))
    for a, b in zip(model.get_weights(), twice.get_weights(), strict=True):
      np.testing.assert_allclose(a, b, atol=1e-6)

  @parameterized.named_parameters(*SOME_METHODS)
  def test_weights_of_1_change_nothing(self, method):
    plain, weighted = (compiled(method) for _ in range(2))
    history = fit(plain, self.features, self.labels)
    ones = np.ones(NUM_EXAMPLES)
    self.assertEqual(
      fit(weighted, self.features, self.labels, sample_weight=ones), history
    )
    assert_same_weights(plain, weighted)

  @parameterized.named_parameters(
    ("one_hot", "one_hot"), *long_tests.also(("integers", "labels"))
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

  @parameterized.named_parameters(
    ("nct", "nct"), *long_tests.also(("bootstrap", "bootstrap"))
  )
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

  @long_tests.only
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
  @parameterized.named_parameters(*SOME_METHODS)
  def test_one_hot_and_integer_labels_train_alike(self, method):
    integers, one_hot = (
      self.train_on(compiled(method), labels)
      for labels in (self.labels, self.one_hot)
    )
    self.assertEqual(integers, one_hot)

  def test_other_forms(self):
    forms = {
      "integers": self.labels,
      "uint8": self.labels.astype(np.uint8),
      "column": self.labels[:, None],
      "integer_one_hot": self.one_hot.astype(np.int32),
      "bool_one_hot": self.one_hot.astype(bool),
    }
    results = {
      name: self.train_on(compiled("standard"), labels)
      for name, labels in forms.items()
    }
    for name, result in results.items():
      self.assertEqual(result, results["integers"], name)

  def train_on(self, model, labels):
    """Returns the history, and the weights as lists."""
    history = fit(model, self.features, labels, validation_split=0.25)
    return history, [weight.tolist() for weight in model.get_weights()]

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
  @parameterized.named_parameters(*FIT_METHODS)
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
    ("accuracy", "accuracy"),
    *long_tests.also(("crossentropy", "crossentropy")),
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
      validation_split=0.25,
    )
    self.assertEqual(history["rank_of_labels"], [2.0])
    self.assertEqual(history["categorical_accuracy"], history["accuracy"])
    self.assertEqual(
      history["val_categorical_accuracy"], history["val_accuracy"]
    )
    model = compiled("nct", metrics=[rank_of_labels])
    history = fit(model, self.features, {"label": self.labels})
    self.assertEqual(history["rank_of_labels"], [1.0])

  @long_tests.only
  def test_replicas_and_one_give_the_same(self):
    # Batches of 8 and one of 5, which does not split evenly.
    dataset = tf.data.Dataset.from_tensor_slices(
      (self.features[:21], self.one_hot[:21], self.weights[:21])
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
    self.assertEqual(one["count"], [21.0])
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


@dataclasses.dataclass(frozen=True)
class OwnOptions(options_lib.MethodOptions):
  """Options of `OwnMethod`."""

  TITLE = "A method that somebody wrote"
  SUMMARY = "It weighs examples by how often it has seen them."
  ADVICE = "None."

  powers: tuple = fields.option((1.0, 0.5), "Of the counts.")


class OwnMethod(classifier.Classifier):
  """Weighs each example by powers of how often it was trained on."""

  Options: ClassVar[type] = OwnOptions

  def state(self, num_examples, num_classes, batch_size):
    return {
      "counts": example_table.ExampleTable(num_examples, 1, batch_size),
      "largest": tf.Variable(0.0),
    }

  def network_losses(self, logits, targets):
    counts = self.example_state["counts"].gather(targets)[:, 0]
    weight = tf.add_n([(1 + counts) ** power for power in self.options.powers])
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(
      targets["label"], logits[0]
    )
    parts = {"cross_entropy": loss}
    return [classifier.NetworkLoss(loss, weight=weight, parts=parts)]

  def prepare(self, images, targets):
    counts = self.example_state["counts"]
    counts.add(tf.cast(targets["example"], tf.float32)[:, None], targets)
    largest = self.example_state["largest"]
    largest.assign(tf.maximum(largest, tf.reduce_max(counts.variable)))
    return images, targets


class SavingTest(FitTest):
  def setUp(self):
    super().setUp()
    self.path = self.make_folder() / "model.keras"

  def saved(self, model, **kwargs):
    """Returns the model that the file of `model` holds."""
    with warnings.catch_warnings():
      warnings.simplefilter("error", UserWarning)
      model.save(self.path)
    return keras.models.load_model(self.path, **kwargs)

  def assert_go_on_alike(self, one, other, labels=None, **kwargs):
    """Trains both on; asserts that not a bit differs."""
    labels = self.labels if labels is None else labels
    kwargs = {"validation_data": (self.features, labels), **kwargs}
    histories = [
      fit(model, self.features, labels, **kwargs) for model in (one, other)
    ]
    self.assertEqual(*histories)
    assert_same_weights(one, other)
    slots = [
      [np.asarray(tf.convert_to_tensor(v)) for v in model.optimizer.variables]
      for model in (one, other)
    ]
    for a, b in zip(*slots, strict=True):
      np.testing.assert_array_equal(a, b)

  @parameterized.named_parameters(
    ("nct", "nct", {"temperature": 2.5, "target_variability_max": 0.2}),
    *long_tests.also(
      ("standard", "standard", {}),
      ("dml", "dml", {}),
      ("bootstrap", "bootstrap", {"bootstrap_type": "hard"}),
    ),
  )
  def test_a_loaded_model_goes_on_as_the_saved_one(self, method, options):
    validation_metrics = [metrics_lib.BalancedAccuracy(NUM_CLASSES)]
    if addons.available():
      validation_metrics.append(addons.cohen_kappa(NUM_CLASSES))
    model = create(
      method,
      seed=7,
      weight_decay=0.02,
      clip_norm=0.5,
      validation_metrics=validation_metrics,
      name="mine",
      **options,
    )
    model.compile(
      keras.optimizers.Adam(0.02),
      metrics=["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(2)],
      weighted_metrics=["accuracy"],
      run_eagerly=True,
    )
    fit(model, self.features, self.labels, sample_weight=self.weights)
    loaded = self.saved(model)
    self.assertIs(type(loaded), type(model))
    for name in ("name", "options", "seed", "weight_decay", "clip_norm"):
      self.assertEqual(getattr(loaded, name), getattr(model, name))
    self.assertTrue(loaded.run_eagerly)
    self.assert_go_on_alike(model, loaded, sample_weight=self.weights)
    np.testing.assert_array_equal(
      loaded.class_accuracies(), model.class_accuracies()
    )
    if addons.available():
      self.assertEqual(loaded.metrics[-4].name, "cohen_kappa")

  @parameterized.named_parameters(
    ("by_name", "adam"),
    *long_tests.also(
      ("average", "ema"),
      ("schedule", keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5)),
    ),
  )
  def test_optimizers(self, optimizer):
    if optimizer == "ema":
      optimizer = keras.optimizers.SGD(
        0.1, momentum=0.9, use_ema=True, ema_overwrite_frequency=3
      )
    elif optimizer != "adam":
      optimizer = keras.optimizers.SGD(optimizer, momentum=0.9)
    model = compiled("standard", optimizer)
    fit(model, self.features, self.labels)
    if optimizer == "adam":
      model.optimizer.learning_rate = 0.05
    self.assert_go_on_alike(model, self.saved(model))

  @parameterized.named_parameters(
    ("float16", "mixed_float16"),
    *long_tests.also(("bfloat16", "mixed_bfloat16")),
  )
  def test_mixed_precision(self, policy):
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(policy)
    try:
      model = compiled("nct")
    finally:
      keras.mixed_precision.set_global_policy(before)
    fit(model, self.features, self.labels)
    loaded = self.saved(model)
    self.assertEqual(loaded.dtype_policy.name, policy)
    self.assert_go_on_alike(model, loaded)

  def test_what_a_tensorflow_addons_optimizer_forgets_is_said(self):
    if not addons.available():
      self.skipTest("There is no tensorflow-addons on this stack.")
    model = compiled("standard", addons.lamb(0.01, 0.0))
    fit(model, self.features, self.labels)
    with self.assertWarnsRegex(UserWarning, "state of an optimizer like LAMB"):
      model.save(self.path)
    self.assertEqual(
      type(keras.models.load_model(self.path).optimizer).__name__, "LAMB"
    )

  def test_a_method_that_somebody_wrote(self):
    keras.utils.set_random_seed(1)
    model = OwnMethod(linear_networks.create(NUM_CLASSES), powers=(2.0, 1.0))
    model.compile(linear_networks.sgd(), run_eagerly=True)
    model.remember(NUM_EXAMPLES, NUM_CLASSES, BATCH_SIZE)
    targets = {"label": self.labels, "example": np.arange(NUM_EXAMPLES)}
    fit(model, self.features, targets)
    loaded = self.saved(model)
    self.assertEqual(loaded.options.powers, (2.0, 1.0))
    self.assert_go_on_alike(model, loaded, targets)
    for name in ("counts", "largest"):
      one, other = (m.example_state[name] for m in (model, loaded))
      if name == "counts":
        one, other = one.get_state(), other.get_state()
      np.testing.assert_array_equal(one, other)
    self.assertGreater(np.max(one), 0)
    # It is registered by itself, under its own package.
    self.assertEqual(
      keras.saving.get_registered_name(OwnMethod),
      f"{__name__.partition('.')[0]}>OwnMethod",
    )

  def test_networks_of_integers(self):
    model = methods.get_model("nct")(embedding(), embedding())
    model.compile("adam", run_eagerly=True)
    self.features = np.arange(NUM_EXAMPLES * 5).reshape(-1, 5) % 10
    model.predict(self.features, verbose=0)
    self.assert_go_on_alike(model, self.saved(model))

  def test_networks_that_were_built_by_their_first_batch(self):
    def network():
      return keras.Sequential([keras.layers.Dense(NUM_CLASSES)])

    model = methods.get_model("dml")(network(), network())
    model.compile(linear_networks.sgd(), run_eagerly=True)
    fit(model, self.features, self.labels)
    self.assert_go_on_alike(model, self.saved(model))

  def test_without_compiling(self):
    model = create("nct")
    loaded = self.saved(model)
    np.testing.assert_array_equal(
      model.predict(self.features, verbose=0),
      loaded.predict(self.features, verbose=0),
    )
    model.compile("adam", run_eagerly=True, metrics=["accuracy"])
    fit(model, self.features, self.labels)
    loaded = self.saved(model, compile=False)
    assert_same_weights(model, loaded)
    with self.assertRaisesRegex((RuntimeError, ValueError), "compile"):
      fit(loaded, self.features, self.labels)

  @long_tests.only
  def test_a_model_of_replicas_goes_on(self):
    strategy = distribution.create("mirrored", num_virtual_cpus=2)
    model = compiled("dml", run_eagerly=False, jit_compile=False)
    fit(model, self.features, self.labels)
    model.save(self.path)
    with strategy.scope():
      loaded = keras.models.load_model(self.path)
    self.assertIs(loaded.distribute_strategy, strategy)
    for each in (model, loaded):
      fit(each, self.features, self.labels)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
      np.testing.assert_allclose(a, b, atol=1e-6)

  @parameterized.named_parameters(*SOME_METHODS)
  def test_a_clone_has_weights_of_its_own(self, method):
    model = create(method, weight_decay=0.3)
    clone = keras.models.clone_model(model)
    self.assertIs(type(clone), type(model))
    self.assertEqual(clone.options, model.options)
    self.assertEqual(clone.weight_decay, 0.3)
    before = model.get_weights()
    clone.compile("adam", run_eagerly=True)
    fit(clone, self.features, self.labels)
    for a, b in zip(before, model.get_weights(), strict=True):
      np.testing.assert_array_equal(a, b)
    kernel, cloned = (m.network1.get_weights()[0] for m in (model, clone))
    self.assertGreater(np.abs(kernel - cloned).max(), 0.01)


class CallbacksTest(FitTest):
  """What Keras' `fit` offers beside."""

  def setUp(self):
    super().setUp()
    self.folder = self.make_folder()

  @parameterized.named_parameters(
    ("nct", "nct"), *long_tests.also(*SOME_METHODS[1:])
  )
  def test_checkpoints_and_files(self, method):
    model = compiled(method, run_eagerly=False, jit_compile=False)
    best = keras.callbacks.ModelCheckpoint(
      str(self.folder / "best.keras"), "val_loss", save_best_only=True
    )
    last = keras.callbacks.ModelCheckpoint(
      str(self.folder / "last.weights.h5"), save_weights_only=True
    )
    early = keras.callbacks.EarlyStopping(
      "val_ensemble_accuracy", mode="max", min_delta=1.0, patience=1
    )
    history = fit(
      model,
      self.features,
      self.labels,
      epochs=5,
      validation_split=0.25,
      callbacks=[best, last, early],
    )
    self.assertLen(history["loss"], 2)  # It never gets better by 1.
    probabilities = model.predict(self.features, verbose=0)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-5)
    other = create(method)
    other.load_weights(str(self.folder / "last.weights.h5"))
    assert_same_weights(model, other)
    other.save_weights(str(self.folder / "again.weights.h5"))
    model.load_weights(str(self.folder / "again.weights.h5"))
    assert_same_weights(model, other)
    loaded = keras.models.load_model(self.folder / "best.keras")
    scores = loaded.evaluate(
      self.features[-6:], self.labels[-6:], return_dict=True, verbose=0
    )
    self.assertAlmostEqual(scores["loss"], min(history["val_loss"]), places=5)
    model.export(str(self.folder / "export"))
    served = tf.saved_model.load(str(self.folder / "export"))
    np.testing.assert_allclose(
      served.serve(self.features), probabilities, atol=1e-6
    )

  @parameterized.named_parameters(
    ("bootstrap", "bootstrap"),
    *long_tests.also(SOME_METHODS[0], *SOME_METHODS[2:]),
  )
  def test_compiled_by_xla(self, method):
    models = [
      compiled(method),
      compiled(method, run_eagerly=False, jit_compile=True),
    ]
    for model in models:
      if method == "nct":  # XLA draws other random labels.
        model.target_variability_rate.assign(0.0)
      fit(
        model, self.features, self.one_hot, sample_weight=self.weights, epochs=2
      )
    plain, fast = (model.get_weights() for model in models)
    for a, b in zip(plain, fast, strict=True):
      np.testing.assert_allclose(a, b, atol=1e-5)

  @long_tests.only
  def test_goes_on_from_its_backup_after_a_kill(self):
    model = compiled("nct", run_eagerly=False, jit_compile=False)
    fit(model, self.features, self.labels)
    paths = [self.folder / name for name in ("m.keras", "data.npz", "backup")]
    model.save(paths[0])
    np.savez(paths[1], features=self.features, labels=self.labels)
    child = processes.run_python("-m", killed_fit.__name__, *map(str, paths))
    self.assertEqual(child.returncode, killed_fit.EXIT_CODE, child.stderr)
    resumed = keras.models.load_model(paths[0])
    backup = keras.callbacks.BackupAndRestore(str(paths[2]))
    kwargs = {"epochs": 3}
    history = fit(
      resumed, self.features, self.labels, callbacks=[backup], **kwargs
    )
    self.assertLen(history["loss"], 2)  # The first epoch is in the backup.
    expected = fit(model, self.features, self.labels, **kwargs)
    self.assertEqual(history["loss"], expected["loss"][1:])
    assert_same_weights(model, resumed)


if __name__ == "__main__":
  absltest.main()
