"""Tests of what the last layers of the networks see."""

from absl.testing import absltest, parameterized
import keras
import numpy as np

from nct_tf import errors, networks
from nct_tf.models import features


class FeaturesTest(parameterized.TestCase):
  @parameterized.parameters(("simple_cnn",), ("preact_resnet10",), ("lenet5",))
  def test_the_last_layer_of_the_features_gives_the_logits(self, name):
    options = {} if name == "lenet5" else {"width": 8}
    network = networks.create(name, [28, 28, 1], 5, **options)
    body, last = features.split(network)
    images = np.random.default_rng(0).normal(size=[3, 28, 28, 1])
    np.testing.assert_allclose(
      last(body(images)), network(images), rtol=1e-5, atol=1e-6
    )

  def test_a_network_without_features_is_refused(self):
    network = keras.Sequential(
      [keras.layers.Input([4, 4, 1]), keras.layers.Flatten()]
    )
    with self.assertRaisesRegex(errors.InvalidInputError, "last layer that"):
      features.split(network)


if __name__ == "__main__":
  absltest.main()
