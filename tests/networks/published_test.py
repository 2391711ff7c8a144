"""The small networks of published comparisons, layer by layer."""

from absl.testing import absltest, parameterized
import keras
import numpy as np

from nct_tf import networks
from tests.support import known_weights


def maps(network):
  """Returns what each layer with weights or pooling gives, by its name."""
  return {
    layer.name: tuple(layer.output.shape[1:])
    for layer in network.layers
    if layer.weights or "Pool" in type(layer).__name__
  }


def logits(name, shape, training, **options):
  """Returns the logits of a network with known weights for two images."""
  rng = np.random.RandomState(0)
  network = networks.create(name, shape, 3, **options)
  known_weights.fill(network, rng)
  images = rng.standard_normal((2, *shape)).astype(np.float32)
  return network(images, training=training)


# Expected numbers are PyTorch 2.13's, of the networks as their authors wrote
# them, with the same weights, and without dropout.
class EqualToPytorchTest(parameterized.TestCase):
  @parameterized.parameters(
    (
      False,
      [
        [1.370378686, 1.584739803, -1.067362617],
        [1.370300824, 1.584655699, -1.067321533],
      ],
    ),
    (
      True,
      [
        [-0.516648377, 1.247931922, -1.481293778],
        [1.156719633, 1.339357445, -0.942533992],
      ],
    ),
  )
  def test_cnn9(self, training, expected):
    actual = logits("cnn9", (29, 30, 2), training, width=2, dropout=0.0)
    np.testing.assert_allclose(actual, expected, rtol=2e-3)

  @parameterized.parameters(
    (
      False,
      [
        [-128.47402348, -1745.50690674, -1270.71678882],
        [-173.97760101, -928.79550955, -1481.25044551],
      ],
    ),
    (
      True,
      [
        [76.89278424, -1183.57661146, -106.21994035],
        [-630.77763482, 1616.87492882, -285.74515416],
      ],
    ),
  )
  def test_npc_cnn(self, training, expected):
    actual = logits("npc_cnn", (6, 5, 1), training, dropout=0.0)
    np.testing.assert_allclose(actual, expected, rtol=1e-3)

  @parameterized.parameters(
    (
      "average",
      [
        [-13.93480903, -78.39971321, 14.83110628],
        [-27.78306748, -94.01881966, 3.03260060],
      ],
    ),
    (
      "max",
      [
        [-20.21715225, -133.62722550, 119.04362230],
        [-80.95990588, -311.71031303, 57.37956058],
      ],
    ),
  )
  def test_lenet5(self, pool, expected):
    actual = logits("lenet5", (28, 28, 1), False, lenet_pool=pool)
    np.testing.assert_allclose(actual, expected, rtol=1e-4)


class Lenet5Test(parameterized.TestCase):
  @parameterized.parameters(
    ((28, 28, 1), 61_706), ((32, 32, 3), 62_006), ((8, 30, 1), 61_706)
  )
  def test_layers(self, shape, num_parameters):
    network = networks.create("lenet5", shape, 10)
    self.assertEqual(
      maps(network),
      {
        "conv1": (28, 28, 6),
        "pool1": (14, 14, 6),
        "conv2": (10, 10, 16),
        "pool2": (5, 5, 16),
        "dense1": (120,),
        "dense2": (84,),
        "logits": (10,),
      },
    )
    self.assertEqual(known_weights.count(network), num_parameters)

  def test_starts_truncated_or_as_pytorch(self):
    kernel, bias = (
      networks.create("lenet5", (28, 28, 1), 10)
      .get_layer("dense1")
      .get_weights()
    )
    self.assertBetween(np.abs(kernel).max(), 0.15, 0.2 + 1e-6)
    # A normal distribution that is cut off at two deviations.
    self.assertAlmostEqual(kernel.std(), 0.0880, delta=0.002)
    self.assertFalse(bias.any())
    for weight in (
      networks.create("lenet5", (28, 28, 1), 10, lenet_pool="max")
      .get_layer("dense1")
      .get_weights()
    ):
      self.assertBetween(np.abs(weight).max(), 0.04, 0.05 + 1e-6)


class Cnn9Test(parameterized.TestCase):
  def test_layers_as_published(self):
    network = networks.create("cnn9", (28, 28, 1), 10, width=128)
    expected, side = {}, 28
    channels = (128, 128, 128, 256, 256, 256, 512, 256, 128)
    for number, filters in enumerate(channels, start=1):
      side -= 2 * (number > 6)
      expected[f"conv{number}"] = expected[f"bn{number}"] = (
        side,
        side,
        filters,
      )
      if number in (3, 6):
        side //= 2
        shape = (side, side, filters)
        expected[f"pool{number // 3}"] = shape
        expected[f"dropout{number // 3}"] = shape
    self.assertEqual(side, 1)
    self.assertEqual(
      maps(network), expected | {"mean": (128,), "logits": (10,)}
    )
    self.assertEqual(known_weights.count(network), 4_432_266)
    for number in (1, 2):
      dropout = network.get_layer(f"dropout{number}")
      self.assertEqual((dropout.rate, dropout.spatial), (0.25, True))
    for number in range(1, 10):
      norm = network.get_layer(f"bn{number}")
      self.assertEqual((norm.momentum, norm.epsilon), (0.9, 1e-5))
    bound = (9 * 128) ** -0.5
    for weight in network.get_layer("conv3").get_weights():
      self.assertBetween(np.abs(weight).max(), 0.9 * bound, bound * (1 + 1e-6))


class NpcCnnTest(absltest.TestCase):
  def test_layers_as_published(self):
    network = networks.create("npc_cnn", (28, 28, 1), 10)
    self.assertEqual(
      maps(network),
      {
        "conv1": (28, 28, 8),
        "bn": (28, 28, 8),
        "conv2": (28, 28, 16),
        "dense1": (784,),
        "dropout": (784,),
        "dense2": (256,),
        "logits": (10,),
      },
    )
    self.assertEqual(network.get_layer("dense1").kernel.shape[0], 12_544)
    self.assertEqual(known_weights.count(network), 10_040_074)
    self.assertEqual(network.get_layer("dropout").rate, 0.3)


class PreactResnet34Test(absltest.TestCase):
  def test_number_of_parameters(self):
    network = networks.create("preact_resnet34", (32, 32, 3), 10)
    self.assertEqual(known_weights.count(network), 21_279_306)


class ResnetCifarTest(parameterized.TestCase):
  # He et al.'s have 464,154 and 269,722, as their shortcuts have no weights:
  # here are 2,560 of 1x1 convolutions, and 192 of their batch norm.
  @parameterized.parameters(
    (32, False, 466_906), (20, False, 272_474), (20, True, 272_282)
  )
  def test_number_of_parameters(self, depth, preactivation, expected):
    network = networks.create(
      "resnet_cifar",
      (32, 32, 3),
      10,
      width=16,
      resnet_depth=depth,
      resnet_preactivation=preactivation,
    )
    self.assertEqual(known_weights.count(network), expected)

  @parameterized.parameters(False, True)
  def test_layers(self, preactivation):
    network = networks.create(
      "resnet_cifar",
      (32, 32, 3),
      10,
      width=16,
      resnet_depth=8,
      resnet_preactivation=preactivation,
    )
    kernels = {
      layer.name: (tuple(layer.kernel.shape), layer.strides[0])
      for layer in network.layers
      if isinstance(layer, keras.layers.Conv2D)
    }
    self.assertEqual(
      kernels,
      {
        "stem": ((3, 3, 3, 16), 1),
        "group1_block1_conv1": ((3, 3, 16, 16), 1),
        "group1_block1_conv2": ((3, 3, 16, 16), 1),
        "group2_block1_shortcut": ((1, 1, 16, 32), 2),
        "group2_block1_conv1": ((3, 3, 16, 32), 2),
        "group2_block1_conv2": ((3, 3, 32, 32), 1),
        "group3_block1_shortcut": ((1, 1, 32, 64), 2),
        "group3_block1_conv1": ((3, 3, 32, 64), 2),
        "group3_block1_conv2": ((3, 3, 64, 64), 1),
      },
    )
    self.assertEqual(network.get_layer("pool").input.shape[1:], (8, 8, 64))
    norms = [layer.name for layer in network.layers if "bn" in layer.name]
    self.assertEqual("group2_block1_shortcut_bn" in norms, not preactivation)
    self.assertEqual("final_bn" in norms, preactivation)
    self.assertEqual("group1_block1_bn1" in norms, not preactivation)
    kernel = np.asarray(network.get_layer("group3_block1_conv2").kernel)
    deviation = (2 / (9 * 64)) ** 0.5
    self.assertAlmostEqual(kernel.std(), deviation, delta=0.05 * deviation)


class MlpTest(parameterized.TestCase):
  @parameterized.parameters(
    ({"width": 7}, 2, 784 * 7 + 7 + 56 + 80),
    ({"hidden_widths": (256,)}, 1, 203_530),
    ({"hidden_widths": (500, 300), "dropout": 0.5}, 2, 545_810),
    ({"hidden_widths": ()}, 0, 7_850),
  )
  def test_layers(self, options, num_hidden, num_parameters):
    network = networks.create("mlp", (28, 28, 1), 10, **options)
    names = []
    for number in range(1, num_hidden + 1):
      names.append(f"dense{number}")
      if "dropout" in options:
        names.append(f"dropout{number}")
    self.assertEqual(list(maps(network)), [*names, "logits"])
    self.assertEqual(known_weights.count(network), num_parameters)


if __name__ == "__main__":
  absltest.main()
