"""Tests of what is counted of a run before it is priced."""

from absl.testing import absltest

from nct_tf.experiments import costs, tables


class CountExamplesTest(absltest.TestCase):
  def test_what_is_held_out_is_evaluated_and_not_trained_on(self):
    shape = tables.data_shapes()["fashion_mnist"]
    config = tables.load("methods", "cpu").cells["sym50"].config(0)
    self.assertEqual(config.num_train_examples, 3750)
    self.assertEqual(
      costs.count_examples(config, shape),
      (3000, config.num_test_examples + 750),
    )
    whole = config.replace(num_train_examples=None, num_test_examples=None)
    self.assertEqual(costs.count_examples(whole, shape), (48_000, 22_000))
    self.assertEqual(
      costs.count_examples(whole.replace(validation_fraction=0.0), shape),
      (60_000, 10_000),
    )


if __name__ == "__main__":
  absltest.main()
