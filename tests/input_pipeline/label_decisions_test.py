import pathlib
import tempfile

from absl.testing import absltest, parameterized
import numpy as np

from nct_tf import config, datasets, errors
from nct_tf.input_pipeline import label_decisions, noisy_dataset


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

  @parameterized.named_parameters(
    ("id", "9999,drop,", "row 2: digits has no training example '9999'"),
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
    self.assertEqual(decisions.dropped, {3, 12})
    with self.assertRaisesRegex(
      errors.InvalidInputError, "hard examples do too.*--force_drop_flagged"
    ):
      config.TrainConfig(drop_flagged=path)
    config.TrainConfig(drop_flagged=path, force_drop_flagged=True)


if __name__ == "__main__":
  absltest.main()
