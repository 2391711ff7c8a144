from absl.testing import absltest
import numpy as np

from nct_tf import datasets, errors, instance_noise, label_noise
from nct_tf.datasets import image_dataset
from nct_tf.input_pipeline import noisy_dataset


class PrepareTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.digits = datasets.load("digits")

  def test_corrupts_once_and_keeps_the_truth(self):
    noisy = noisy_dataset.prepare(
      self.digits, noise_type="pair_flip", noise_rate=0.4
    )
    np.testing.assert_array_equal(
      noisy.train.true_labels, self.digits.train_labels
    )
    given, is_clean = label_noise.corrupt_labels(
      self.digits.train_labels, 10, "pair_flip", 0.4, 0
    )
    np.testing.assert_array_equal(noisy.train.given_labels, given)
    np.testing.assert_array_equal(noisy.train.is_clean, is_clean)
    self.assertEqual(noisy.actual_noise_rate, np.mean(~is_clean))
    self.assertEmpty(noisy.validation)
    self.assertTrue(noisy.test.is_clean.all())
    self.assertLen(noisy.test, 360)

  def test_noise_by_a_map(self):
    noisy = noisy_dataset.prepare(
      self.digits, noise_type="asymmetric", noise_rate=0.4, noise_map="mnist"
    )
    wrong = noisy.train.where(~noisy.train.is_clean)
    self.assertEqual(
      {*zip(wrong.true_labels, wrong.given_labels, strict=True)},
      {(7, 1), (2, 7), (3, 8), (5, 6), (6, 5)},
    )
    # Half of the classes stay.
    self.assertEqual(noisy.nominal_noise_rate, 0.4)
    self.assertBetween(noisy.actual_noise_rate, 0.1, 0.3)

  def test_noise_by_a_matrix(self):
    matrix = np.eye(10)
    matrix[4, [4, 9]] = 0, 1
    noisy = noisy_dataset.prepare(
      self.digits,
      noise_type="asymmetric",
      noise_matrix=matrix,
      validation_fraction=0.2,
    )
    rate = np.mean(self.digits.train_labels == 4)
    self.assertAlmostEqual(noisy.nominal_noise_rate, rate)
    self.assertAlmostEqual(noisy.actual_noise_rate, rate)
    np.testing.assert_array_equal(noisy.noise_matrix, matrix)
    for part in (noisy.train, noisy.validation):
      self.assertTrue((part.given_labels[part.true_labels == 4] == 9).all())
    with self.assertRaisesRegex(errors.InvalidInputError, "10 x 10"):
      noisy_dataset.prepare(
        self.digits, noise_type="asymmetric", noise_matrix=np.eye(9)
      )

  def test_noise_by_images(self):
    noisy = noisy_dataset.prepare(
      self.digits, 500, noise_type="instance_dependent", noise_rate=0.4
    )
    given, _ = instance_noise.corrupt_labels(
      noisy.train.true_labels,
      10,
      0.4,
      0,
      self.digits.train_images[noisy.train.index],
      self.digits.moments,
    )
    np.testing.assert_array_equal(noisy.train.given_labels, given)
    self.assertBetween(noisy.actual_noise_rate, 0.3, 0.5)

  def test_subset_is_fixed_stratified_and_indexed(self):
    noisy = noisy_dataset.prepare(self.digits, num_train_examples=100)
    np.testing.assert_array_equal(
      self.digits.train_labels[noisy.train.index], noisy.train.true_labels
    )
    self.assertBetween(np.bincount(noisy.train.true_labels).min(), 9, 10)
    other_noise = noisy_dataset.prepare(
      self.digits, 100, 0.0, "symmetric_exclusive", 0.5, noise_seed=7
    )
    np.testing.assert_array_equal(noisy.train.index, other_noise.train.index)

  def test_test_split_can_be_a_fixed_stratified_subset(self):
    noisy = noisy_dataset.prepare(self.digits, num_test_examples=100)
    self.assertLen(noisy.test, 100)
    np.testing.assert_array_equal(
      self.digits.test_labels[noisy.test.index], noisy.test.true_labels
    )
    self.assertBetween(np.bincount(noisy.test.true_labels).min(), 9, 10)
    with self.assertRaisesRegex(errors.InvalidInputError, "at most 360"):
      noisy_dataset.prepare(self.digits, num_test_examples=361)

  def test_validation_is_held_out_and_noisy(self):
    noisy = noisy_dataset.prepare(
      self.digits,
      num_train_examples=500,
      validation_fraction=0.2,
      noise_type="symmetric_exclusive",
      noise_rate=0.5,
    )
    self.assertLen(noisy.train, 400)
    self.assertLen(noisy.validation, 100)
    self.assertEmpty(
      set(noisy.train.index.tolist()) & set(noisy.validation.index.tolist())
    )
    self.assertBetween(np.mean(~noisy.validation.is_clean), 0.3, 0.7)

  def test_folds_part_all_examples(self):
    dataset = datasets.load("digits")
    folds = [
      noisy_dataset.prepare(dataset, 101, num_folds=4, fold=fold)
      for fold in range(4)
    ]
    index = np.concatenate([noisy.validation.index for noisy in folds])
    np.testing.assert_array_equal(
      np.sort(index), noisy_dataset.prepare(dataset, 101).train.index
    )
    for noisy in folds:
      self.assertEmpty(set(noisy.train.index) & set(noisy.validation.index))
      np.testing.assert_array_equal(
        noisy.all_train.index, np.sort(noisy.all_train.index)
      )
      np.testing.assert_array_equal(
        noisy.all_train.true_labels,
        dataset.train_labels[noisy.all_train.index],
      )
      counts = np.bincount(noisy.validation.given_labels, minlength=10)
      self.assertBetween(counts.min(), 2, 3)

  def test_a_class_that_is_smaller_than_the_number_of_folds(self):
    labels = np.repeat([0, 1, 2], [20, 20, 2])
    images = np.zeros((42, 2, 2, 1), np.uint8)
    dataset = image_dataset.ImageDataset(
      "small", images, labels, images, labels, ("a", "b", "c")
    )
    held_out = [
      noisy_dataset.prepare(dataset, num_folds=3, fold=fold).validation
      for fold in range(3)
    ]
    np.testing.assert_array_equal(
      np.sort(np.concatenate([part.index for part in held_out])), range(42)
    )
    counts = [np.sum(part.given_labels == 2) for part in held_out]
    self.assertCountEqual(counts, [0, 1, 1])

  def test_more_folds_than_any_class_has(self):
    with self.assertRaisesRegex(
      errors.InvalidInputError, "at most the examples of the largest class, 2"
    ):
      noisy_dataset.prepare(datasets.load("digits"), 20, num_folds=3, fold=0)

  def test_images_are_shared_not_copied(self):
    noisy = noisy_dataset.prepare(
      self.digits, 500, 0.2, "symmetric_exclusive", 0.5
    )
    part = noisy.train.where(noisy.train.is_clean)
    for examples in (noisy.train, noisy.validation, part):
      self.assertIs(examples.images, self.digits.train_images)
    self.assertIs(noisy.test.images, self.digits.test_images)
    np.testing.assert_array_equal(noisy.test.index, np.arange(360))

  def test_where_filters_all_columns(self):
    train = noisy_dataset.prepare(self.digits, 50).train
    part = train.where(train.true_labels == 3)
    self.assertTrue((part.given_labels == 3).all())
    self.assertTrue((self.digits.train_labels[part.index] == 3).all())

  def test_refuses_more_than_there_are(self):
    with self.assertRaisesRegex(
      errors.InvalidInputError, "at most 1437, the size of digits"
    ):
      noisy_dataset.prepare(self.digits, num_train_examples=1438)


if __name__ == "__main__":
  absltest.main()
