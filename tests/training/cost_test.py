from unittest import mock

from absl.testing import absltest, parameterized

from nct_tf import datasets, errors, networks
from nct_tf.input_pipeline import noisy_dataset
from nct_tf.training import cost
from tests.support import long_tests, tiny_run


class CountFlopsTest(parameterized.TestCase):
  def test_counts_each_multiplication_and_addition(self):
    network = networks.create("mlp", (4, 5, 3), 10, width=7)
    expected = 2 * (4 * 5 * 3 * 7 + 7 * 7 + 7 * 10)
    self.assertEqual(cost.count_flops(network), expected)

  def test_resnet_is_as_the_literature_has_it(self):
    # PreActResNet-18 takes 0.56 G multiplications and additions on CIFAR-10.
    network = networks.create("preact_resnet18", (32, 32, 3), 10)
    self.assertBetween(cost.count_flops(network) / 2e9, 0.55, 0.56)


class EstimateTest(absltest.TestCase):
  def test_epochs_are_to_be_enough_for_the_method(self):
    config = tiny_run.tiny_config(method="mlnt", num_epochs=1)
    dataset = datasets.load("digits")
    noisy = noisy_dataset.prepare(dataset, 100)
    with self.assertRaisesRegex(errors.InvalidInputError, "`num_epochs`"):
      cost.estimate(config, dataset, noisy)

  def test_a_sample_stands_for_enough_to_hold_some_out(self):
    config = tiny_run.tiny_config(method="co_teaching", num_epochs=2)
    dataset = datasets.load("digits")
    noisy = noisy_dataset.prepare(dataset, 60)
    with self.assertRaisesRegex(errors.InvalidInputError, "60 training exa"):
      cost.estimate(config, dataset, noisy)
    estimated = cost.estimate(config, dataset, noisy, 1000, 50, seconds=0)
    self.assertEqual(estimated["steps_per_epoch"], 20)

  def test_a_method_goes_over_what_an_epoch_leaves_out_too(self):
    config = tiny_run.tiny_config(
      method="d2l",
      num_epochs=10,
      sampling="balanced_subset",
      num_examples_per_epoch=50,
    )
    dataset = datasets.load("digits")
    noisy = noisy_dataset.prepare(dataset, 60)
    network = networks.create("mlp", (8, 8, 1), 10, width=8)
    flops = cost.count_flops(network)
    estimated = cost.estimate(config, dataset, noisy, 4000, 50, seconds=0)
    self.assertEqual(estimated["steps_per_epoch"], 1)
    # It measures ten batches of 128.
    expected = flops * (3 * 50 + 50 + 1280)
    self.assertEqual(estimated["epoch_flops"], expected)

  @long_tests.only
  def test_examples_that_stand_for_more(self):
    config = tiny_run.tiny_config(monitor_every_epochs=0)
    dataset = datasets.load("digits")
    noisy = noisy_dataset.prepare(dataset, 100)
    network = networks.create("mlp", (8, 8, 1), 10, width=8)
    flops = cost.count_flops(network)
    with mock.patch.object(cost, "SECONDS", 0.1):
      other = cost.estimate(config, dataset, noisy, 1000, 50)
    self.assertEqual(other["steps_per_epoch"], 20)
    self.assertEqual(other["epoch_flops"], 2 * flops * (3 * 1000 + 50))
    self.assertAlmostEqual(
      other["epoch_seconds"],
      20 * other["step_seconds"] + other["evaluation_seconds"],
    )


if __name__ == "__main__":
  absltest.main()
