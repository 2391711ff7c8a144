import dataclasses
import pathlib
import tempfile

from absl.testing import absltest, parameterized
import numpy as np

from nct_tf import config, datasets, errors
from nct_tf.input_pipeline import label_decisions, noisy_dataset
from nct_tf.workdir import layout


class LabelDecisionsTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    folder = self.enter_context(tempfile.TemporaryDirectory())
    self.file = pathlib.Path(folder) / "decisions.csv"
    self.dataset = datasets.load("digits")

  def write(self, *rows, header="id,decision,label"):
    self.file.write_text("\n".join([header, *rows]) + "\n")
    return str(self.file)

  def test_labels_change_and_examples_go(self):
    decisions = label_decisions.read(
      self.write("5,keep,", "0,relabel,9", "7,drop,", "1300,relabel,3"),
      self.dataset,
    )
    noisy = noisy_dataset.prepare(
      self.dataset,
      noise_type="pair_flip",
      noise_rate=0.3,
      decisions=[decisions],
    )
    before = noisy_dataset.prepare(
      self.dataset, noise_type="pair_flip", noise_rate=0.3
    )
    expected = before.train.given_labels.copy()
    expected[0], expected[1300] = 9, 3
    rest = np.arange(len(expected)) != 7
    np.testing.assert_array_equal(noisy.train.given_labels, expected[rest])
    np.testing.assert_array_equal(noisy.train.index, np.flatnonzero(rest))
    # The truth stays what it is, where it is known.
    np.testing.assert_array_equal(
      noisy.train.true_labels, self.dataset.train_labels[rest]
    )

  def test_a_decision_is_the_truth_where_nothing_else_is(self):
    decisions = label_decisions.read(self.write("0,relabel,9"), self.dataset)
    noisy = noisy_dataset.prepare(self.dataset, decisions=[decisions])
    self.assertEqual(noisy.train.given_labels[0], 9)
    self.assertTrue(noisy.train.is_clean.all())

  def test_test_examples_are_decided_about_as_well(self):
    decisions = label_decisions.read(
      self.write("5,drop,", "test/5,keep,", "test/0,relabel,9", "test/7,drop,"),
      self.dataset,
    )
    noisy = noisy_dataset.prepare(
      self.dataset,
      noise_type="pair_flip",
      noise_rate=0.3,
      decisions=[decisions],
    )
    expected = self.dataset.test_labels.copy()
    expected[0] = 9
    rest = np.arange(len(expected)) != 7
    np.testing.assert_array_equal(noisy.test.given_labels, expected[rest])
    np.testing.assert_array_equal(noisy.test.index, np.flatnonzero(rest))
    np.testing.assert_array_equal(np.flatnonzero(noisy.test.is_decided), [0, 5])
    # Example 5 of the other split is another one.
    self.assertNotIn(5, noisy.train.index)
    self.assertFalse(noisy.train.is_decided.any())

  def test_those_about_test_examples_leave_a_run_the_same(self):
    decisions = label_decisions.read(
      self.write("test/0,relabel,9", "test/7,drop,"), self.dataset
    )
    before = layout.noise_arrays(noisy_dataset.prepare(self.dataset))
    after = layout.noise_arrays(
      noisy_dataset.prepare(self.dataset, decisions=[decisions])
    )
    for name, values in before.items():
      np.testing.assert_array_equal(after[name], values)

  def test_the_later_decision_counts(self):
    first = label_decisions.read(
      self.write("0,drop,", "1,relabel,9", "2,relabel,9"), self.dataset
    )
    later = label_decisions.read(
      self.write("0,relabel,8", "1,keep,", "2,drop,"), self.dataset
    )
    train = noisy_dataset.prepare(self.dataset, decisions=[first, later]).train
    labels = dict(zip(train.index, train.given_labels, strict=True))
    self.assertEqual((labels[0], labels[1]), (8, 9))
    self.assertNotIn(2, labels)

  def test_decisions_leave_the_choice_of_a_subset_alone(self):
    decisions = label_decisions.read(
      self.write("test/0,relabel,9", "test/7,drop,"), self.dataset
    )
    before = noisy_dataset.take_test_examples(self.dataset, 200)
    after = noisy_dataset.take_test_examples(self.dataset, 200, [decisions])
    np.testing.assert_array_equal(after.index, np.setdiff1d(before.index, 7))

  def test_a_split_that_is_dropped_as_a_whole(self):
    decisions = label_decisions.read(
      self.write(*(f"test/{number},drop," for number in range(360))),
      self.dataset,
    )
    with self.assertRaisesRegex(
      errors.InvalidInputError, "leave some test examples.*drop all 360"
    ):
      noisy_dataset.prepare(self.dataset, decisions=[decisions])

  def test_a_decision_knows_better_than_labels_that_may_be_wrong(self):
    own = dataclasses.replace(self.dataset, test_labels_are_clean=False)
    decisions = label_decisions.read(self.write("0,relabel,9"), own)
    noisy = noisy_dataset.prepare(
      own, noise_type="pair_flip", noise_rate=0.3, decisions=[decisions]
    )
    self.assertEqual(noisy.train.true_labels[0], 9)
    np.testing.assert_array_equal(
      noisy.train.true_labels[1:], own.train_labels[1:]
    )

  def test_what_is_known_of_test_labels(self):
    rows = [f"test/{number},keep," for number in range(360)]
    own = dataclasses.replace(self.dataset, test_labels_are_clean=False)
    for dataset, number, expected in (
      (self.dataset, 0, "clean"),
      (self.dataset, 360, "clean"),
      (own, 0, "given"),
      (own, 359, "given"),
      (own, 360, "decided"),
    ):
      decisions = label_decisions.read(self.write(*rows[:number]), dataset)
      test = noisy_dataset.take_test_examples(dataset, None, [decisions])
      self.assertEqual(
        noisy_dataset.describe_test_labels(dataset, test), expected
      )
      parts = {"decided": number, "undecided": 360 - number}
      self.assertEqual(
        {
          name: mask.sum()
          for name, mask in noisy_dataset.test_parts(test).items()
        },
        {name: size for name, size in parts.items() if number and size},
      )

  @parameterized.named_parameters(
    ("id", "9999,drop,", "row 2: digits has no example '9999'"),
    ("decision", "1,delete,", "must be one of keep, relabel, drop"),
    ("class", "1,relabel,eleven", "has no class 'eleven'"),
    ("label", "1,drop,3", "must be empty where the decision is drop"),
    ("short", "1,drop", "row 2, must have 3 values"),
  )
  def test_bad_rows(self, row, message):
    with self.assertRaisesRegex(errors.InvalidInputError, message):
      label_decisions.read(self.write(row), self.dataset)

  def test_two_decisions_about_one(self):
    with self.assertRaisesRegex(errors.InvalidInputError, "row 3: there is a"):
      label_decisions.read(self.write("1,keep,", "1,drop,"), self.dataset)

  def test_other_columns(self):
    with self.assertRaisesRegex(
      errors.InvalidInputError, "must have columns id, decision, label"
    ):
      label_decisions.read(self.write(header="id,label"), self.dataset)

  def test_what_is_flagged_is_dropped_by_force_alone(self):
    path = self.write("3,True", "4,False", "12,True", header="id,flagged")
    decisions = label_decisions.drop_flagged(path, self.dataset)
    self.assertEqual(decisions["train"].dropped, {3, 12})
    with self.assertRaisesRegex(
      errors.InvalidInputError, "hard examples do too.*--force_drop_flagged"
    ):
      config.TrainConfig(drop_flagged=path)
    config.TrainConfig(drop_flagged=path, force_drop_flagged=True)

  def test_flagged_test_examples_stay(self):
    path = self.write(
      "3,True",
      "test/3,True",
      "test/4,False",
      "test/5,True",
      header="id,flagged",
    )
    with self.assertLogs("nct_tf", "WARNING") as logs:
      decisions = label_decisions.drop_flagged(path, self.dataset)
    self.assertEqual(decisions["train"].dropped, {3})
    self.assertEmpty(decisions["test"].dropped)
    self.assertIn("flags 2 test examples, too; they stay", logs.output[0])


if __name__ == "__main__":
  absltest.main()
