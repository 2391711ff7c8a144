"""Layers of our own: the same numbers as Keras' layers, and the same files."""

import functools
import os
import tempfile

from absl.testing import absltest, parameterized
import h5py
import keras
import numpy as np
import tensorflow as tf

from nct_tf import networks
from nct_tf.networks import layers

_IS_KERAS_2 = keras.__version__.startswith("2.")


def convolve(images, kernel, stride):
  """PyTorch's convolution, with `size // 2` zeros around: float64."""
  size = kernel.shape[0]
  pad = [(size // 2,) * 2] * 2
  padded = np.pad(np.float64(images), [(0, 0), *pad, (0, 0)])
  windows = np.lib.stride_tricks.sliding_window_view(
    padded, (size,) * 2, (1, 2)
  )
  return np.einsum("bhwcij,ijco->bhwo", windows[:, ::stride, ::stride], kernel)


def compute(network, images, upstream, jit_compile=False):
  """Returns outputs, and gradients of images and of all weights."""

  @tf.function(jit_compile=jit_compile)
  def run():
    with tf.GradientTape() as tape:
      tape.watch(images)
      outputs = network(images, training=True)
      total = tf.reduce_sum(tf.cast(outputs, tf.float32) * upstream)
    weights = network.trainable_variables
    return outputs, tape.gradient(total, [images, *weights])

  outputs, gradients = run()
  return [np.asarray(tf.cast(x, tf.float32)) for x in [outputs, *gradients]]


def relative_error(actual, expected):
  return np.abs(actual - expected).max() / np.abs(expected).max()


class ConvTest(parameterized.TestCase):
  @parameterized.parameters(
    ((6, 5), 3, 1),
    ((6, 5), 3, 2),
    ((5, 8), 7, 2),
    ((6, 5), 1, 2),
    ((20, 20), 3, 1),
  )
  def test_pads_as_pytorch_and_has_its_gradients(self, shape, size, stride):
    rng = np.random.default_rng(0)
    images = rng.standard_normal((3, *shape, 4)).astype(np.float32)
    inputs = keras.Input((*shape, 4))
    network = keras.Model(
      inputs, layers.conv(inputs, 5, size, stride, "he_normal", "conv")
    )
    kernel = np.asarray(network.get_layer("conv").kernel)
    expected = convolve(images, kernel, stride)
    upstream = rng.standard_normal(expected.shape).astype(np.float32)
    outputs, to_images, to_kernel = compute(
      network, tf.constant(images), upstream
    )
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
      network(images, training=False), expected, rtol=1e-4, atol=1e-5
    )
    # The convolution is linear in both, so that these are its gradients.
    self.assertAlmostEqual(
      np.vdot(to_images, images) / np.vdot(upstream, expected), 1, delta=1e-4
    )
    other = rng.standard_normal(kernel.shape)
    self.assertLess(
      abs(
        np.vdot(to_kernel, other)
        - np.vdot(upstream, convolve(images, other, stride))
      ),
      1e-4 * np.linalg.norm(to_kernel) * np.linalg.norm(other),
    )

  @parameterized.product(
    stride=(1, 2), policy=("float32", "mixed_bfloat16"), use_bias=(False, True)
  )
  def test_swapped_gradient_is_keras_own(self, stride, policy, use_bias):
    rng = np.random.default_rng(0)
    images = tf.constant(rng.standard_normal((4, 9, 9, 8)).astype(np.float32))
    arguments = {
      "filters": 6,
      "kernel_size": 3,
      "strides": stride,
      "padding": "same" if stride == 1 else "valid",
      "use_bias": use_bias,
      "bias_initializer": "ones",
      "dtype": keras.mixed_precision.Policy(policy) if _IS_KERAS_2 else policy,
    }
    ours = layers.Conv2D(**arguments)
    keras_own = keras.layers.Conv2D(**arguments)
    upstream = rng.standard_normal(ours(images).shape).astype(np.float32)
    keras_own.build(images.shape)
    keras_own.set_weights(ours.get_weights())
    tolerance = 2e-2 if "bfloat16" in policy else 1e-5
    for actual, expected in zip(
      compute(ours, images, upstream),
      compute(keras_own, images, upstream),
      strict=True,
    ):
      self.assertLess(relative_error(actual, expected), tolerance)


class BatchNormalizationTest(parameterized.TestCase):
  @parameterized.product(
    dtype=("float32", "mixed_bfloat16", "mixed_float16"), jit=(False, True)
  )
  def test_equals_numpy(self, dtype, jit):
    if _IS_KERAS_2 and jit:
      self.skipTest("Keras 2 has its own layer there.")
    rng = np.random.default_rng(0)
    layer = layers.BatchNormalization(
      momentum=0.9,
      epsilon=1e-5,
      dtype=keras.mixed_precision.Policy(dtype) if _IS_KERAS_2 else dtype,
    )
    x = (2 + 3 * rng.standard_normal((2, 3, 4, 5))).astype(np.float32)
    layer.build(x.shape)
    gamma, beta, mean, variance = (rng.uniform(0.5, 1.5, 5) for _ in range(4))
    layer.set_weights([gamma, beta, mean, variance])
    upstream = rng.standard_normal(x.shape).astype(np.float32)
    tolerance = {"float32": 1e-5, "mixed_float16": 5e-3}.get(dtype, 4e-2)

    deviation = (variance + 1e-5) ** 0.5
    self.assertLess(
      relative_error(
        np.asarray(tf.cast(layer(x, training=False), tf.float32)),
        gamma * (x - mean) / deviation + beta,
      ),
      tolerance,
    )
    count = x.size / 5
    batch_mean, batch_variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    deviation = (batch_variance + 1e-5) ** 0.5
    normal = (x - batch_mean) / deviation
    sums = (upstream * normal).sum((0, 1, 2)), upstream.sum((0, 1, 2))
    expected = [
      gamma * normal + beta,
      gamma / deviation * (upstream - (normal * sums[0] + sums[1]) / count),
      *sums,
    ]
    results = compute(layer, tf.constant(x), upstream, jit)
    for actual, wanted in zip(results, expected, strict=True):
      self.assertLess(relative_error(actual, wanted), tolerance)
    # Keras 2's moving variance is the unbiased one, Keras 3's is not.
    unbiased = count / (count - 1) if _IS_KERAS_2 else 1
    moved = (
      0.9 * mean + 0.1 * batch_mean,
      0.9 * variance + 0.1 * batch_variance * unbiased,
    )
    for actual, wanted in zip(layer.get_weights()[2:], moved, strict=True):
      self.assertLess(relative_error(actual, wanted), tolerance)

  def test_is_one_operation(self):
    layer = layers.BatchNormalization()
    layer.build((None, 3, 4, 5))
    images = tf.TensorSpec((2, 3, 4, 5))
    for training in (False, True):
      step = tf.function(functools.partial(layer, training=training))
      graph = step.get_concrete_function(images).graph
      kinds = [operation.type for operation in graph.get_operations()]
      self.assertIn("FusedBatchNormV3", kinds)
      self.assertNotIn("Rsqrt", kinds)


class DropoutTest(parameterized.TestCase):
  @parameterized.parameters(False, True)
  def test_drops_the_same_with_and_without_xla(self, spatial):
    images = tf.fill([8, 9, 10, 16], 3.0)
    draws = []
    for jit in (False, True):
      layer = layers.Dropout(0.25, spatial, seed=5)
      layer.build(images.shape)
      drop = tf.function(
        functools.partial(layer, training=True),
        autograph=False,
        jit_compile=jit,
      )
      draws.append([drop(images).numpy() for _ in range(2)])
      self.assertEqual(int(layer.num_draws), 2)
    np.testing.assert_array_equal(*draws)
    (first, second), _ = draws
    self.assertTrue((first != second).any())
    self.assertLen(np.unique(first), 2)
    np.testing.assert_allclose(first.max(), 4.0, rtol=1e-6)
    if spatial:
      np.testing.assert_array_equal(first, first[:, :1, :1] + 0 * first)
    # The seed is given, so that this cannot fail by chance.
    share = (first[:, 0, 0] == 0 if spatial else first == 0).mean()
    self.assertAlmostEqual(share, 0.25, delta=0.15 if spatial else 0.03)

  def test_gradient_is_that_of_what_was_kept(self):
    layer = layers.Dropout(0.5, seed=1)
    values = tf.random.stateless_normal([4, 50], [1, 2])
    with tf.GradientTape() as tape:
      tape.watch(values)
      outputs = layer(values, training=True)
    np.testing.assert_allclose(
      tape.gradient(outputs, values), 2.0 * (outputs.numpy() != 0)
    )

  def test_does_nothing_but_in_training(self):
    layer = layers.Dropout(0.5)
    values = tf.ones([4, 50])
    for options in ({}, {"training": False}):
      np.testing.assert_array_equal(layer(values, **options), values)
    self.assertEqual(int(layer.num_draws), 0)

  def test_draws_by_the_global_seed_and_each_layer_its_own(self):
    def seeds():
      keras.utils.set_random_seed(3)
      return [
        network.get_layer(name).seed
        for network in (
          networks.create("mlp", (4, 4, 1), 3, 4, dropout=0.5) for _ in range(2)
        )
        for name in ("dropout1", "dropout2")
      ]

    self.assertEqual(seeds(), seeds())
    self.assertLen(set(seeds()), 4)

  def test_goes_on_from_a_file_and_is_exported(self):
    network = networks.create("mlp", (4, 4, 1), 3, 8, dropout=0.5)
    images = np.random.default_rng(0).standard_normal((2, 4, 4, 1))
    images = images.astype(np.float32)
    network(images, training=True)
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    path = os.path.join(folder.name, "network.keras")
    network.save(path)
    loaded = keras.models.load_model(path)
    for _ in range(2):
      np.testing.assert_array_equal(
        loaded(images, training=True), network(images, training=True)
      )
    path = os.path.join(folder.name, "exported")
    archive = keras.export.ExportArchive()
    archive.track(network)
    archive.add_endpoint(
      "serve",
      functools.partial(network, training=False),
      [tf.TensorSpec([None, 4, 4, 1])],
    )
    archive.write_out(path)
    exported = tf.saved_model.load(path)
    np.testing.assert_allclose(
      exported.serve(images), network(images, training=False), rtol=1e-5
    )


class FilesTest(absltest.TestCase):
  def test_network_is_loaded_whole_and_its_weights_are_named_as_ever(self):
    keras.utils.set_random_seed(0)
    network = networks.create("preact_resnet10", (8, 8, 1), 3, width=2)
    images = np.random.default_rng(0).standard_normal((2, 8, 8, 1))
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    path = os.path.join(folder.name, "network.keras")
    network.save(path)
    loaded = keras.models.load_model(path)
    self.assertIsInstance(loaded.get_layer("stem"), layers.Conv2D)
    self.assertIsInstance(
      loaded.get_layer("group1_block1_1_bn"), layers.BatchNormalization
    )
    np.testing.assert_array_equal(loaded(images), network(images))
    path = os.path.join(folder.name, "own.weights.h5")
    network.save_weights(path)
    with h5py.File(path) as file:
      groups = {
        name for name, group in file["layers"].items() if len(group["vars"])
      }
    # A class of another name would make another name, and older files useless.
    numbers = ["", *(f"_{number}" for number in range(1, 12))]
    self.assertEqual(
      groups,
      {f"conv2d{number}" for number in numbers}
      | {f"batch_normalization{number}" for number in numbers[:8]}
      | {"dense"},
    )


if __name__ == "__main__":
  absltest.main()
