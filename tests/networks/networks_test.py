"""The networks, against what their authors have.

`make test-long` builds and trains the largest of them, too.
"""

from absl.testing import absltest, parameterized
import keras
import numpy as np
import tensorflow as tf

from nct_tf import errors, networks
from nct_tf.methods import standard
from tests.support import known_weights, long_tests, torchvision_resnet50


class PreactResnetTest(parameterized.TestCase):
  def test_number_of_parameters_is_the_authors(self):
    network = networks.create("preact_resnet18", (32, 32, 3), 100)
    self.assertEqual(known_weights.count(network), 11_217_316)

  def test_equals_pytorch(self):
    # The expected numbers are PyTorch 2.13's, of the same network built from
    # torch.nn's layers with the same weights, on images of odd size.
    rng = np.random.RandomState(0)
    network = networks.create("preact_resnet18", (11, 10, 2), 3, width=4)
    known_weights.fill(network, rng)
    images = rng.standard_normal((2, 11, 10, 2)).astype(np.float32)
    np.testing.assert_allclose(
      network(images, training=False),
      [
        [-3.78423097192216, -5.387009738023134, -4.091047856198858],
        [-6.941358556533136, -7.151538715507926, -4.005510032072699],
      ],
      rtol=1e-4,
    )
    np.testing.assert_allclose(
      network(images, training=True),
      [
        [-4.97852159930562, -4.435756205551083, 3.7070212620453526],
        [-7.277606647946633, -5.176136647122439, 1.3768413221514726],
      ],
      rtol=1e-3,
    )
    last = network.get_layer("group4_block2_2_bn")
    np.testing.assert_allclose(
      np.asarray(last.moving_mean)[:4],
      [
        0.2939906617463232,
        0.3980555564548502,
        -0.09330631127169026,
        -0.6249102028067683,
      ],
      rtol=1e-3,
    )

  def test_layers_at_width_64(self):
    network = networks.create("preact_resnet18", (32, 32, 3), 10)
    self.assertEqual(
      known_weights.count(network), 11_171_146
    )  # The authors' number.
    kernels = {
      layer.name: (tuple(layer.kernel.shape), layer.strides)
      for layer in network.layers
      if isinstance(layer, keras.layers.Conv2D)
    }
    expected = {"stem": ((3, 3, 3, 64), (1, 1))}
    channels = 64
    for group, filters in enumerate((64, 128, 256, 512), start=1):
      for block in (1, 2):
        stride = 2 if group > 1 and block == 1 else 1
        name = f"group{group}_block{block}"
        expected[f"{name}_conv1"] = ((3, 3, channels, filters), (stride,) * 2)
        expected[f"{name}_conv2"] = ((3, 3, filters, filters), (1, 1))
        if stride == 2:
          expected[f"{name}_shortcut"] = ((1, 1, channels, filters), (2, 2))
        channels = filters
    self.assertEqual(kernels, expected)
    for layer in network.layers:
      if isinstance(layer, keras.layers.BatchNormalization):
        self.assertEqual((layer.momentum, layer.epsilon), (0.9, 1e-5))

  def test_starts_uniform_as_pytorch_does(self):
    network = networks.create("preact_resnet10", (32, 32, 3), 10)
    for name, fan_in in (("group2_block1_conv2", 9 * 128), ("logits", 512)):
      kernel = np.asarray(network.get_layer(name).kernel)
      bound = fan_in**-0.5
      # The bound itself may be drawn, and is rounded to float32.
      self.assertLessEqual(np.abs(kernel).max(), bound * (1 + 1e-6))
      self.assertAlmostEqual(kernel.std(), bound / 3**0.5, delta=0.03 * bound)
    bias = np.asarray(network.get_layer("logits").bias)
    self.assertTrue((bias != 0).all())

  def test_two_networks_start_apart(self):
    first, second = (
      networks.create("preact_resnet10", (8, 8, 1), 10, 4) for _ in range(2)
    )
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
      if a.std() > 0:
        self.assertTrue((a != b).any())

  def test_options(self):
    shape = (40, 40, 3)
    plain = networks.create("preact_resnet10", shape, 10, 4)
    final_bn = networks.create("preact_resnet10", shape, 10, 4, final_bn=True)
    self.assertEqual(
      known_weights.count(final_bn), known_weights.count(plain) + 2 * 8 * 4
    )
    he_normal = networks.create(
      "preact_resnet10", shape, 10, 8, kernel_initializer="he_normal"
    )
    kernel = np.asarray(he_normal.get_layer("group4_block1_conv2").kernel)
    self.assertAlmostEqual(
      kernel.std(), (2 / (9 * 64)) ** 0.5, delta=0.05 * (2 / (9 * 64)) ** 0.5
    )

  def test_official_pool_reads_the_top_left_alone(self):
    network = networks.create(
      "preact_resnet10", (56, 56, 3), 10, 4, pool="official4"
    )
    maps = keras.Model(
      network.input, network.get_layer("group4_block1_add").output
    )
    images = np.random.default_rng(0).standard_normal((1, 56, 56, 3))
    last_map = np.asarray(maps(images.astype(np.float32)))
    self.assertEqual(last_map.shape, (1, 7, 7, 32))
    pooled = last_map[:, :4, :4].mean((1, 2))
    dense = network.get_layer("logits")
    np.testing.assert_allclose(
      network(images.astype(np.float32)),
      pooled @ np.asarray(dense.kernel) + np.asarray(dense.bias),
      atol=1e-5,
    )


class Resnet50Test(parameterized.TestCase):
  def test_shapes_are_torchvisions(self):
    network = networks.create("resnet50", (224, 224, 3), 1000)
    self.assertEqual(known_weights.count(network), 25_557_032)
    state = torchvision_resnet50.random_state(np.random.default_rng(0), 1000)
    weights = {
      layer.name: [tuple(weight.shape) for weight in layer.weights]
      for layer in network.layers
      if layer.weights
    }
    expected = {}
    for name, value in state.items():
      layer, part = name.rsplit(".", 1)
      shape = value.shape
      if len(shape) > 1:  # Kernels, [outputs, inputs, ...].
        shape = (*shape[2:], shape[1], shape[0])
      if part != "num_batches_tracked":
        layer = layer.replace(".", "_").replace("fc", "logits")
        expected.setdefault(layer, []).append(shape)
    self.assertEqual(weights, expected)
    maps = {
      name: tuple(network.get_layer(name).output.shape[1:])
      for name in ("conv1", "maxpool", "layer2_0_conv1", "layer2_0_conv2")
    }
    self.assertEqual(
      maps,
      {
        "conv1": (112, 112, 64),
        "maxpool": (56, 56, 64),
        "layer2_0_conv1": (56, 56, 128),
        "layer2_0_conv2": (28, 28, 128),
      },
    )
    self.assertEqual(
      network.get_layer("layer4_2_add").output.shape[1:3], (7, 7)
    )
    for layer in network.layers:
      if isinstance(layer, keras.layers.BatchNormalization):
        self.assertEqual((layer.momentum, layer.epsilon), (0.9, 1e-5))

  @parameterized.parameters((45, 38), *long_tests.also((64, 64)))
  def test_equals_torchvisions_in_numpy(self, height, width):
    rng = np.random.default_rng(0)
    state = torchvision_resnet50.random_state(rng, 5, width=4)
    network = networks.create("resnet50", (height, width, 3), 5, width=4)
    for layer in network.layers:
      name = layer.name.replace("_", ".")
      if isinstance(layer, keras.layers.Conv2D):
        kernel = state[f"{name}.weight"]
        layer.set_weights([np.moveaxis(kernel, (0, 1), (3, 2))])
      elif isinstance(layer, keras.layers.BatchNormalization):
        parts = ("weight", "bias", "running_mean", "running_var")
        layer.set_weights([state[f"{name}.{part}"] for part in parts])
    network.get_layer("logits").set_weights(
      [np.swapaxes(state["fc.weight"], 0, 1), state["fc.bias"]]
    )
    images = rng.standard_normal((2, 3, height, width))
    np.testing.assert_allclose(
      network(np.moveaxis(images, 1, -1).astype(np.float32)),
      torchvision_resnet50.logits(state, images),
      rtol=1e-4,
      atol=1e-4,
    )

  def test_synchronizes_batch_norm(self):
    network = networks.create(
      "resnet50", (32, 32, 3), 5, 4, sync_batch_norm=True
    )
    for layer in network.layers:
      if isinstance(layer, keras.layers.BatchNormalization):
        self.assertTrue(layer.synchronized, layer.name)


class InceptionResnetV2Test(parameterized.TestCase):
  @long_tests.only
  def test_is_that_of_keras_applications_and_keeps_its_logits_in_float32(self):
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    self.addCleanup(keras.mixed_precision.set_global_policy, "float32")
    network = networks.create("inception_resnet_v2", (75, 80, 1), 50)
    dense = 1536 * 50 + 50
    colours = 2 * 3 * 3 * 32  # Of the first convolution, not there in gray.
    # 54,336,736 with the moving statistics of batch norm, in Keras' table.
    self.assertEqual(network.count_params(), 54_336_736 - colours + dense)
    last = network.get_layer("conv_7b_ac").output
    self.assertEqual(tuple(last.shape[1:]), (1, 1, 1536))
    for layer in network.layers:
      if isinstance(layer, keras.layers.BatchNormalization):
        self.assertEqual((layer.momentum, layer.epsilon), (0.9, 1e-3))
    self.assertEqual(network.get_layer("conv_7b").compute_dtype, "bfloat16")
    self.assertEqual(network.output.dtype, "float32")
    logits = network(np.zeros((2, 75, 80, 1), np.float32))
    self.assertEqual(tuple(logits.shape), (2, 50))


class TrainingTest(parameterized.TestCase):
  def test_two_steps(self):
    self.check_two_steps("resnet50", (32, 32, 3), 4)

  @long_tests.only
  def test_two_steps_of_inception_resnet_v2(self):
    self.check_two_steps("inception_resnet_v2", (75, 75, 3), 64)

  def check_two_steps(self, name, shape, width):
    keras.utils.set_random_seed(0)
    network = networks.create(name, shape, 3, width)
    model = standard.StandardModel(network)
    model.compile(keras.optimizers.SGD(0.01), run_eagerly=True)
    before = network.get_weights()
    images = np.random.default_rng(0).standard_normal((8, *shape))
    labels = np.arange(8) % 3
    history = model.fit(
      images.astype(np.float32), labels, batch_size=4, verbose=0
    )
    self.assertTrue(np.isfinite(history.history["loss"][0]))
    for old, variable in zip(before, network.weights, strict=True):
      new = np.asarray(variable)
      self.assertTrue(np.isfinite(new).all(), variable.name)
      self.assertTrue((old != new).any(), variable.name)


# preact_resnet34 is as the smaller ones; the others have tests of their own.
OF_ANY_SIZE = sorted(
  {*networks.NAMES} - {"inception_resnet_v2", "cnn9", "preact_resnet34"}
)


def create(name, shape, num_classes, width):
  """Makes a network of a width, if it takes one."""
  width = {} if name in networks.OF_FIXED_WIDTH else {"width": width}
  return networks.create(name, shape, num_classes, **width)


def untrained_loss(name, size, num_channels, num_classes, width):
  """Returns the cross entropy of an untrained network as a share of ln C.

  It is the worse of the network in training and not in training, on noise and
  on smooth pictures, over all labels. Without training, the moving statistics
  of a resnet_cifar do not hold back the sums of its blocks.
  """
  keras.utils.set_random_seed(0)
  shape = (size, size, num_channels)
  network = create(name, shape, num_classes, width)
  rng = np.random.default_rng(0)
  noise = rng.standard_normal((16, *shape))
  smooth = rng.standard_normal((16, 1, 1, num_channels)) * np.ones(shape)
  shares = []
  for images in (noise, smooth):
    for training in (True,) if name == "resnet_cifar" else (False, True):
      logits = network(images.astype(np.float32), training=training)
      losses = -tf.nn.log_softmax(logits)
      shares.append(float(np.mean(losses)) / np.log(num_classes))
  return max(shares)


# The first weights of lenet5 have a fixed deviation: the larger the images, the
# less it is undecided.
_NOT_LARGE = sorted(
  {*OF_ANY_SIZE} - {"lenet5", "resnet50", "resnet_cifar", "npc_cnn"}
)


class UntrainedTest(parameterized.TestCase):
  @parameterized.product(name=_NOT_LARGE, sizes=[((8, 3, 2), (32, 1, 1000))])
  def test_knows_nothing(self, name, sizes):
    for size, num_channels, num_classes in sizes:
      share = untrained_loss(name, size, num_channels, num_classes, 16)
      self.assertBetween(share, 0.99, 1.1, (size, num_channels, num_classes))

  @long_tests.only
  @parameterized.product(
    name=_NOT_LARGE,
    size=(8, 16, 32, 64, 96),
    data=((1, 2), (3, 10), (1, 1000)),
  )
  def test_knows_nothing_whatever_its_size(self, name, size, data):
    share = untrained_loss(name, size, *data, width=16)
    self.assertBetween(share, 0.99, 1.1)

  @parameterized.parameters(
    ("cnn9", 28, 1, 2),
    ("lenet5", 8, 3, 2),
    ("lenet5", 32, 1, 1000),
    ("npc_cnn", 8, 1, 2),
    ("resnet_cifar", 8, 1, 2),
    *long_tests.also(
      ("cnn9", 32, 3, 10),
      ("cnn9", 96, 3, 1000),
      ("npc_cnn", 32, 3, 10),
      ("npc_cnn", 28, 1, 1000),
      ("preact_resnet34", 8, 1, 2),
      ("preact_resnet34", 32, 3, 10),
      ("resnet_cifar", 32, 3, 10),
      ("resnet_cifar", 96, 1, 1000),
    ),
  )
  def test_knows_nothing_of_some_sizes(self, name, *sizes):
    self.assertBetween(untrained_loss(name, *sizes, width=16), 0.99, 1.1)

  @long_tests.only
  @parameterized.parameters(
    ("resnet50", 32, 3, 10),
    ("resnet50", 96, 1, 1000),
    ("inception_resnet_v2", 96, 3, 10),
  )
  def test_a_large_one_knows_nothing(
    self, name, size, num_channels, num_classes
  ):
    width = 64 if name == "inception_resnet_v2" else 16
    share = untrained_loss(name, size, num_channels, num_classes, width)
    self.assertBetween(share, 0.99, 1.1)


class CreateTest(parameterized.TestCase):
  @parameterized.product(
    name=OF_ANY_SIZE,
    shape=[(5, 17, 3), *long_tests.also((8, 8, 1), (28, 28, 1))],
  )
  def test_takes_any_image(self, name, shape):
    network = create(name, shape, 7, 4)
    logits = network(np.zeros((2, *shape), np.float32))
    self.assertEqual(tuple(logits.shape), (2, 7))

  def test_logits_are_float32_under_mixed_precision(self):
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    self.addCleanup(keras.mixed_precision.set_global_policy, "float32")
    for name in sorted({*OF_ANY_SIZE} - {"preact_resnet18", "resnet_cifar"}):
      network = create(name, (8, 8, 1), 3, 4)
      self.assertEqual(network(np.zeros((1, 8, 8, 1))).dtype, "float32")

  @parameterized.named_parameters(
    ("name", ("resnet", (8, 8, 1), 10), {}, "preact_resnet18.* mlp. Rec"),
    ("width", ("mlp", (8, 8, 1), 10, 0), {}, "width"),
    ("classes", ("mlp", (8, 8, 1), 1), {}, "num_classes"),
    ("size", ("simple_cnn", (3, 9, 1), 10), {}, "at least 4x4.*: 3x9"),
    (
      "option",
      ("mlp", (8, 8, 1), 10),
      {"final_bn": True},
      "final_bn belong to preact_resnet18, preact_resnet10, preact_resnet34. "
      "Received: network=mlp",
    ),
    (
      "dropout",
      ("lenet5", (8, 8, 1), 10),
      {"dropout": 0.5},
      "dropout belong to cnn9, npc_cnn, mlp. Received: network=lenet5",
    ),
    (
      "width_of_lenet5",
      ("lenet5", (8, 8, 1), 10, 6),
      {},
      "`width` must be 64 for lenet5.*width=6",
    ),
    ("small_for_cnn9", ("cnn9", (32, 27, 1), 10), {}, "at least 28x28.*32x27"),
    (
      "depth",
      ("resnet_cifar", (8, 8, 1), 10),
      {"resnet_depth": 18},
      r"`resnet_depth` must be 6n \+ 2.*Received: 18",
    ),
    (
      "small_for_inception",
      ("inception_resnet_v2", (80, 74, 3), 10),
      {},
      "at least 75x75 pixels.*: 80x74",
    ),
    (
      "width_of_inception",
      ("inception_resnet_v2", (80, 80, 3), 10, 32),
      {},
      "`width` must be 64 for inception_resnet_v2.*width=32",
    ),
    (
      "small_for_official4",
      ("preact_resnet10", (24, 24, 1), 10, 4),
      {"pool": "official4"},
      "25x25 to 56x56.*a last map of 3x3",
    ),
    (
      "large_for_official4",
      ("preact_resnet10", (57, 57, 1), 10, 4),
      {"pool": "official4"},
      "a last map of 8x8",
    ),
    ("pool", ("preact_resnet10", (9, 9, 1), 10), {"pool": "max"}, "official4"),
  )
  def test_refuses(self, arguments, options, message):
    with self.assertRaisesRegex(errors.InvalidInputError, message):
      networks.create(*arguments, **options)


if __name__ == "__main__":
  absltest.main()
