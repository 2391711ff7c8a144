"""Networks that start from the weights of a file.

`make test-long` has a whole run start from torchvision's, too.
"""

import functools
import hashlib
import pathlib
import shutil
import tempfile
from unittest import mock

from absl.testing import absltest, parameterized
import h5py
import keras
import numpy as np
import tensorflow as tf

from nct_tf import config, errors, networks
from nct_tf.methods import nct, standard
from nct_tf.networks import pretrained
from nct_tf.workdir import restoring
from tests.support import (
  long_tests,
  tiny_run,
  torchvision_resnet50,
  virtual_devices,
)

MOMENTS = ((0.5, 0.4, 0.3), (0.2, 0.25, 0.3))


class FilesTestCase(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(tempfile.mkdtemp())
    self.addCleanup(shutil.rmtree, self.folder)

  def file(self, name):
    return str(self.folder / name)

  def torchvision_file(self, num_classes=5, width=4, change=lambda state: None):
    """Returns the path of a fake file of torchvision's, and its content."""
    rng = np.random.default_rng(0)
    state = torchvision_resnet50.random_state(rng, num_classes, width)
    change(state)
    np.savez(self.file("resnet50.npz"), **state)
    return self.file("resnet50.npz"), state


def concurrent(name, shape, num_classes, width):
  return nct.ConcurrentModel(
    *(networks.create(name, shape, num_classes, width) for _ in range(2))
  )


@functools.cache
def resnet50():
  """Returns a model that tests share, and its first weights.

  Whoever changes it begins with `start_anew`.
  """
  model = concurrent("resnet50", (45, 38, 3), 5, 4)
  return model, model.get_weights()


def start_anew(model, weights):
  model.set_weights(weights)
  return model


def write_in_order(path, layers):
  """Writes an .h5 as `keras.applications` has it: layers, each by its name."""
  with h5py.File(path, "w") as file:
    file.attrs["layer_names"] = [name.encode() for name in layers]
    for name, arrays in layers.items():
      group = file.create_group(name)
      names = [f"{name}/{number}:0" for number in range(len(arrays))]
      group.attrs["weight_names"] = [name.encode() for name in names]
      for weight_name, array in zip(names, arrays, strict=True):
        group[weight_name] = array


class TorchvisionTest(FilesTestCase):
  def test_both_networks_compute_what_torchvision_would(self):
    path, state = self.torchvision_file()
    model = start_anew(*resnet50())
    sha256 = pretrained.load(model, path, MOMENTS)
    content = pathlib.Path(path).read_bytes()
    self.assertEqual(sha256, hashlib.sha256(content).hexdigest())
    images = np.random.default_rng(1).standard_normal((2, 3, 45, 38))
    expected = torchvision_resnet50.logits(state, images)
    for logits in model.logits(np.moveaxis(images, 1, -1).astype(np.float32)):
      np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)

  @parameterized.named_parameters(
    ("another", lambda state: None),
    ("none", lambda state: [state.pop(f"fc.{x}") for x in ("weight", "bias")]),
  )
  def test_the_last_layer_of_other_classes_starts_anew(self, change):
    path, state = self.torchvision_file(num_classes=3, change=change)
    model = start_anew(*resnet50())
    heads = [network.get_layer("logits") for network in model.networks]
    before = [head.get_weights() for head in heads]
    with self.assertLogs("nct_tf", "INFO") as logs:
      pretrained.load(model, path, MOMENTS)
    self.assertIn("the last layer, which starts anew", logs.output[-1])
    for network, head, (kernel, bias) in zip(
      model.networks, heads, before, strict=True
    ):
      np.testing.assert_array_equal(head.get_weights()[0], kernel)
      np.testing.assert_array_equal(head.get_weights()[1], bias)
      np.testing.assert_array_equal(
        network.get_layer("layer4_2_conv2").get_weights()[0][2, 1, 6, 9],
        state["layer4.2.conv2.weight"][9, 6, 2, 1],
      )
      moving_variance = network.get_layer("layer4_0_downsample_1").weights[3]
      np.testing.assert_allclose(
        moving_variance, state["layer4.0.downsample.1.running_var"], rtol=1e-6
      )
    self.assertTrue((before[0][0] != before[1][0]).all())

  def test_equal_networks_are_warned_of(self):
    path, _ = self.torchvision_file()
    model = start_anew(*resnet50())
    with self.assertLogs("nct_tf", "WARNING") as logs:
      pretrained.load(model, path, MOMENTS)
    self.assertIn("start alike", logs.output[-1])

  @parameterized.named_parameters(
    (
      "width",
      lambda state: None,
      8,
      r"it has conv1 \(7x7x3x4\), the file has conv1 \(7x7x3x8\)",
    ),
    (
      "a_name_is_missing",
      lambda state: state.pop("layer2.3.bn1.bias"),
      4,
      r"it has layer2_3_bn1 \(8, 8, 8, 8\), the file has layer2.3.bn1 "
      r"\(8, 8, 8\)",
    ),
    (
      "a_layer_is_missing",
      lambda state: state.pop("layer3.0.downsample.0.weight"),
      4,
      r"it has layer3_0_downsample_0 \(1x1x32x64\), the file has nothing",
    ),
    (
      "of_a_deeper_network",
      lambda state: state.update({"layer3.6.bn1.bias": np.zeros(16)}),
      4,
      r"it has nothing, the file has layer3.6.bn1.bias \(16\)",
    ),
    (
      "features_of_the_last_layer",
      lambda state: state.update({"fc.weight": np.zeros((5, 64))}),
      4,
      r"it has logits \(128x5, 5\), the file has fc \(64x5, 5\)",
    ),
  )
  def test_refuses_the_first_layer_that_differs(self, change, width, message):
    path, _ = self.torchvision_file(width=width, change=change)
    model, before = resnet50()
    start_anew(model, before)
    with self.assertRaisesRegex(
      errors.InvalidInputError, f"{path} do not fit resnet50: where {message}$"
    ):
      pretrained.load(model, path, MOMENTS)
    for old, new in zip(before, model.get_weights(), strict=True):
      np.testing.assert_array_equal(old, new)


class KerasTest(FilesTestCase):
  def assert_equal_weights(self, network, other):
    for one, two in zip(
      network.get_weights(), other.get_weights(), strict=True
    ):
      np.testing.assert_array_equal(one, two)

  @parameterized.parameters(
    "simple_cnn", "mlp", *long_tests.also("preact_resnet10")
  )
  def test_own_weights(self, name):
    path = self.file("own.weights.h5")
    original = networks.create(name, (9, 8, 1), 3, 4)
    original.save_weights(path)
    model = concurrent(name, (9, 8, 1), 3, 4)
    pretrained.load(model, path, MOMENTS)
    for network in model.networks:
      self.assert_equal_weights(network, original)
    other = concurrent(name, (9, 8, 1), 5, 4)
    head = other.network2.get_layer("logits").get_weights()[0]
    pretrained.load(other, path, MOMENTS)
    np.testing.assert_array_equal(
      other.network2.get_layer("logits").get_weights()[0], head
    )
    np.testing.assert_array_equal(
      other.network2.get_weights()[0], original.get_weights()[0]
    )

  def test_older_files(self):
    path = self.file("own.h5")
    original = networks.create("simple_cnn", (9, 8, 1), 3, 4)
    write_in_order(
      path, {layer.name: layer.get_weights() for layer in original.layers}
    )
    model = concurrent("simple_cnn", (9, 8, 1), 3, 4)
    pretrained.load(model, path, MOMENTS)
    self.assert_equal_weights(model.network2, original)

  def test_all_replicas_get_them(self):
    path = self.file("own.weights.h5")
    original = networks.create("simple_cnn", (9, 8, 1), 3, 4)
    rng = np.random.default_rng(0)
    original.set_weights(
      [rng.uniform(0.5, 1.5, w.shape) for w in original.get_weights()]
    )
    original.save_weights(path)
    devices = [f"CPU:{number}" for number in range(virtual_devices.NUM_DEVICES)]
    strategy = tf.distribute.MirroredStrategy(devices[:2])
    with strategy.scope():
      model = concurrent("simple_cnn", (9, 8, 1), 3, 4)
    pretrained.load(model, path, MOMENTS)
    images = tf.constant(rng.standard_normal((2, 9, 8, 1)), tf.float32)
    for network in model.networks:
      results = strategy.run(
        tf.function(functools.partial(network, images, training=False))
      )
      for logits in strategy.experimental_local_results(results):
        np.testing.assert_allclose(
          logits, original(images, training=False), rtol=1e-5
        )

  @parameterized.named_parameters(
    (
      "deeper",
      "preact_resnet18",
      r"has group2_block1_conv1 \(3x3x4x8\), the file has .* \(3x3x4x4\)",
    ),
    ("other_kind", "mlp", r"has stem \(3x3x1x4\), the file has nothing"),
  )
  def test_refuses(self, name, message):
    path = self.file("own.weights.h5")
    networks.create(name, (9, 8, 1), 3, 4).save_weights(path)
    model = standard.StandardModel(
      networks.create("preact_resnet10", (9, 8, 1), 3, 4)
    )
    with self.assertRaisesRegex(
      errors.InvalidInputError,
      f"do not fit preact_resnet10: where it {message}$",
    ):
      pretrained.load(model, path, MOMENTS)

  @parameterized.named_parameters(
    ("missing", "no.h5", None, "must be a file or imagenet. Received: .*no.h5"),
    ("text", "text.h5", "text", "text.h5 cannot be read: "),
    ("text_npz", "text.npz", "text", "cannot be read: it is no .npz file"),
    ("other", "other.h5", h5py, "cannot be read: there are no layers of Keras"),
  )
  def test_refuses_files(self, name, content, message):
    if content is h5py:
      with h5py.File(self.file(name), "w") as file:
        file["data"] = np.zeros(3)
    elif content:
      pathlib.Path(self.file(name)).write_text(content)
    model, _ = resnet50()
    with self.assertRaisesRegex(errors.InvalidInputError, message) as caught:
      pretrained.load(model, self.file(name), MOMENTS)
    self.assertNotIn("\n", str(caught.exception))

  @parameterized.named_parameters(
    ("imagenet", "resnet50", "imagenet", "torchvision's weights .*numpy.savez"),
    ("imagenet_of_others", "mlp", "imagenet", "of inception_resnet_v2 alone"),
    ("npz", "mlp", "weights.npz", "of resnet50 alone.*network=mlp"),
    ("torch", "resnet50", "weights.pth", r"numpy.savez.*: weights.pth"),
  )
  def test_a_config_refuses(self, network, source, message):
    with self.assertRaisesRegex(errors.InvalidInputError, message) as caught:
      config.TrainConfig(network=network, pretrained_weights=source)
    self.assertNotIn("\n", str(caught.exception))


@long_tests.only
class ImagenetTest(FilesTestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    rng = np.random.default_rng(0)
    cls.original = keras.applications.InceptionResNetV2(
      weights=None,
      input_shape=(80, 75, 3),
      classes=4,
      classifier_activation=None,
    )
    for layer in cls.original.layers:
      if isinstance(layer, keras.layers.BatchNormalization):
        beta, mean, variance = layer.get_weights()
        mean = 0.1 * rng.standard_normal(mean.shape)
        layer.set_weights([beta, mean, variance])
    cls.model = standard.StandardModel(
      networks.create("inception_resnet_v2", (80, 75, 3), 4)
    )

  def test_pixels_are_scaled_as_theirs_are(self):
    self.original.save(self.file("theirs.h5"))
    model = self.model
    pretrained.load(model, self.file("theirs.h5"), MOMENTS)
    pixels = np.random.default_rng(1).uniform(size=(2, 80, 75, 3))
    pixels = pixels.astype(np.float32)
    mean, std = (np.array(value, np.float32) for value in MOMENTS)
    np.testing.assert_allclose(
      model.network1((pixels - mean) / std),
      self.original(2 * pixels - 1),
      rtol=1e-3,
      atol=1e-4,
    )

  def test_downloads_all_but_the_last_layer(self):
    layers = {
      layer.name: layer.get_weights() for layer in self.original.layers[:-1]
    }
    write_in_order(self.file("theirs.h5"), layers)
    model = self.model
    last = model.network1.get_layer("conv_7b")
    last.set_weights([np.zeros_like(w) for w in last.get_weights()])
    head = model.network1.get_layer("logits").get_weights()[0]
    with mock.patch.object(
      keras.utils, "get_file", return_value=self.file("theirs.h5")
    ) as get_file:
      pretrained.load(model, "imagenet", MOMENTS)
    self.assertIn("file_hash", get_file.call_args.kwargs)
    np.testing.assert_array_equal(
      model.network1.get_layer("logits").get_weights()[0], head
    )
    np.testing.assert_array_equal(last.get_weights()[0], layers["conv_7b"][0])

  def test_a_failing_download(self):
    failure = Exception("URL fetch failure")
    with (
      mock.patch.object(keras.utils, "get_file", side_effect=failure),
      self.assertRaisesRegex(
        errors.InvalidInputError, "cannot be downloaded: URL fetch failure"
      ),
    ):
      pretrained.load(self.model, "imagenet", MOMENTS)


class RunTest(FilesTestCase):
  def own_weights(self, width=8):
    """Returns a multilayer perceptron for digits, and its file."""
    network = networks.create("mlp", (8, 8, 1), 10, width)
    network.save_weights(self.file("own.weights.h5"))
    return network, self.file("own.weights.h5")

  def test_only_a_beginning_needs_the_file(self):
    network, path = self.own_weights()
    sha256 = hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
    run = functools.partial(
      tiny_run.train,
      self.folder / "run",
      pretrained_weights=path,
      learning_rate=1e-9,
    )
    directory = run()
    pathlib.Path(path).unlink()
    result = directory.read_result()
    self.assertEqual(result["pretrained_weights"], path)
    self.assertEqual(result["pretrained_weights_sha256"], sha256)
    model, _, _ = restoring.restore(directory)
    for trained in model.networks:
      for one, two in zip(
        trained.get_weights(), network.get_weights(), strict=True
      ):
        np.testing.assert_allclose(one, two, atol=1e-5)

    directory.result_file.unlink()  # It goes on from its checkpoint.
    run()
    again = directory.read_result()
    self.assertEqual(again["pretrained_weights_sha256"], sha256)
    self.assertEqual(again["last_accuracy"], result["last_accuracy"])

    directory.result_file.unlink()
    shutil.rmtree(directory.checkpoints_dir)
    with self.assertRaisesRegex(errors.InvalidInputError, "must be a file"):
      run()

  def test_what_does_not_fit_leaves_nothing(self):
    _, path = self.own_weights(width=4)
    with self.assertRaisesRegex(errors.InvalidInputError, "do not fit"):
      tiny_run.train(self.folder / "run", pretrained_weights=path)
    self.assertFalse((self.folder / "run").exists())

  def test_without_any(self):
    directory = tiny_run.shared()
    self.assertIsNone(directory.read_result()["pretrained_weights_sha256"])


@long_tests.only
class LongRunTest(FilesTestCase):
  def test_resnet50_is_trained_and_exported(self):
    path, _ = self.torchvision_file()
    directory = tiny_run.train(
      self.folder / "run",
      dataset="fake",
      fake_num_train_examples=8,
      fake_num_test_examples=4,
      fake_num_classes=3,
      num_train_examples=None,
      noise_type="none",
      noise_rate=0.0,
      network="resnet50",
      width=4,
      method="standard",
      batch_size=4,
      pretrained_weights=path,
      export_dir=self.file("export"),
    )
    self.assertLen(directory.read_history()["loss"], 1)
    self.assertTrue((self.folder / "export" / "1").exists())


if __name__ == "__main__":
  absltest.main()
