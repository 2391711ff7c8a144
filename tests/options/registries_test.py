"""What options name is there: each choice, and no other."""

from absl.testing import absltest
import tensorflow as tf
import tensorflow_datasets as tfds

from flags import script_flags
from nct_tf import (
  datasets,
  distribution,
  errors,
  label_noise,
  networks,
  optimizers,
  preprocessing,
)
from nct_tf.experiments import tables
from nct_tf.networks import options as network_options
from nct_tf.options import (
  data as data_options,
  fields,
  noise as noise_options,
  training as training_options,
)
from nct_tf.system import packages


class RegistriesTest(absltest.TestCase):
  def test_each_listed_dataset_can_be_asked_for(self):
    self.assertEqual(
      [name for name, _ in data_options.DATASETS[:5]],
      ["digits", "fake", "folder:PATH", "csv:FILE", "npz:FILE"],
    )
    self.assertNotEmpty(datasets.__all__)  # It registers those of this project.
    known = tfds.list_builders()
    for name, _ in data_options.DATASETS[5:]:
      name, _, config = name.partition("/")
      self.assertIn(name, known)
      if config:
        self.assertIn(config, tfds.builder_cls(name).builder_configs)

  def test_each_dataset_of_the_experiments_is_listed(self):
    self.assertContainsSubset(
      tables.data_shapes(), [name for name, _ in data_options.DATASETS]
    )

  def test_augmentations(self):
    images = tf.zeros([2, 8, 8, 3], tf.uint8)
    for name in data_options.AUGMENTATIONS:
      if name != "crop_flip_cutout" or packages.has_addons():
        made = preprocessing.augment(images, name, [0, 0])
        self.assertEqual(made.shape, images.shape)
    with self.assertRaisesRegex(errors.InvalidInputError, "`augmentation`"):
      preprocessing.augment(images, "none such", [0, 0])

  def test_human_noise(self):
    self.assertEqual(tuple(label_noise.HUMAN), noise_options.HUMAN)

  def test_optimizers(self):
    for name in training_options.OPTIMIZERS:
      if name != "sgdw" or packages.has_addons():
        optimizers.create(name, 0.1)
    with self.assertRaisesRegex(errors.InvalidInputError, "`optimizer`"):
      optimizers.create("none such", 0.1)

  def test_strategies(self):
    with self.assertRaisesRegex(errors.InvalidInputError, "`strategy`"):
      distribution.create("none such")

  def test_options_of_networks(self):
    options = fields.options_of(network_options.Network)
    self.assertContainsSubset(networks.OPTIONS, options)
    for name in ("kernel_initializer", "pool"):
      for choice in options[name].possible:
        networks.create("preact_resnet10", (32, 32, 3), 2, 4, **{name: choice})
      with self.assertRaisesRegex(errors.InvalidInputError, f"`{name}`"):
        networks.create("preact_resnet10", (32, 32, 3), 2, 4, **{name: "x"})
    for choice in options["lenet_pool"].possible:
      networks.create("lenet5", (8, 8, 1), 2, lenet_pool=choice)
    with self.assertRaisesRegex(errors.InvalidInputError, "`lenet_pool`"):
      networks.create("lenet5", (8, 8, 1), 2, lenet_pool="x")

  def test_scales(self):
    options = fields.options_of(script_flags.Experiments)
    self.assertEqual(options["scale"].possible, tables.SCALES)


if __name__ == "__main__":
  absltest.main()
