from absl.testing import absltest, parameterized
import numpy as np

from nct_tf.workdir import learned


def history(**last):
  """Returns the columns of a history, which end with these values."""
  return {
    f"val_ensemble_{name}": np.array([0.0, value])
    for name, value in last.items()
  }


def labels_of(*counts):
  """Returns labels, so many of each class."""
  return np.repeat(np.arange(len(counts)), counts)


class GuessingTest(parameterized.TestCase):
  def find(self, accuracy, balanced_accuracy, labels, num_classes):
    return learned.find_guessing(
      history(accuracy=accuracy, balanced_accuracy=balanced_accuracy),
      labels,
      num_classes,
    )

  @parameterized.parameters(
    # At the share of the commonest class, below it, and hardly above it: the
    # standard error of a tenth of 300 is 1.7 points.
    (0.1, 0.1),
    (0.02, 0.02),
    (0.13, 0.13),
  )
  def test_chance(self, accuracy, balanced_accuracy):
    labels = labels_of(*[30] * 10)
    problem = self.find(accuracy, balanced_accuracy, labels, 10)
    self.assertRegex(
      problem,
      "^The networks have learned nothing: they predict "
      f"{accuracy:.1%} of 300 labels .* the commonest label has 10.0%. Let "
      ".*--num_epochs.*--learning_rate$",
    )

  @parameterized.parameters(0.14, 0.5, 1.0)
  def test_what_is_better_than_chance(self, accuracy):
    labels = labels_of(*[30] * 10)
    self.assertIsNone(self.find(accuracy, accuracy, labels, 10))

  def test_few_labels_prove_less(self):
    self.assertIsNotNone(self.find(0.3, 0.3, labels_of(*[2] * 5), 5))
    self.assertIsNone(self.find(0.3, 0.3, labels_of(*[200] * 5), 5))

  def test_many_labels_do_not_prove_what_is_of_no_use(self):
    self.assertIsNotNone(self.find(0.11, 0.11, labels_of(*[9000] * 10), 10))

  def test_always_the_commonest_class(self):
    labels = labels_of(950, 50)
    self.assertRegex(
      self.find(0.95, 0.5, labels, 2), "95.0% of 1,000 .* has 95.0%"
    )

  def test_each_class_is_recognised_though_the_commonest_is_half_missed(self):
    self.assertIsNone(self.find(0.9, 0.85, labels_of(950, 50), 2))

  def test_of_the_last_epoch(self):
    fell = {
      f"val_ensemble_{name}": np.array([0.9, 0.1])
      for name in ("accuracy", "balanced_accuracy")
    }
    self.assertIsNotNone(learned.find_guessing(fell, labels_of(50, 50), 2))


class HighLossTest(parameterized.TestCase):
  @parameterized.parameters((0.1, 10), (2.3, 10), (4.6, 10), (1.38, 2))
  def test_up_to_twice_that_of_guessing(self, loss, num_classes):
    self.assertIsNone(
      learned.find_high_loss(history(cross_entropy=loss), num_classes)
    )

  def test_above(self):
    self.assertRegex(
      learned.find_high_loss(history(cross_entropy=4.7), 10),
      "^The cross entropy .* is 4.70, far above 2.30, .*--method=nct.*rate$",
    )


if __name__ == "__main__":
  absltest.main()
