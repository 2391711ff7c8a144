from absl.testing import absltest, parameterized
import numpy as np
from scipy import stats
import tensorflow as tf

from nct_tf import random_numbers
from nct_tf.methods import mixup
from nct_tf.models import label_scores
from tests.support import golden_batch


def draw(alpha, count):
  """Returns draws of `symmetric_beta`, one for each of some seeds."""
  draw_one = tf.function(
    lambda number: mixup.symmetric_beta(
      alpha, random_numbers.fold_in(tf.constant([0, 1], tf.int64), number)
    )
  )
  return np.array([draw_one(tf.constant(i)).numpy() for i in range(count)])


class SymmetricBetaTest(parameterized.TestCase):
  @parameterized.parameters(0.4, 1.0, 32.0)
  def test_has_its_distribution(self, alpha):
    shares = draw(alpha, 2000)
    self.assertTrue(np.isfinite(shares).all())
    # Of right draws, one in ten thousand samples is further off.
    found = stats.kstest(shares, stats.beta(alpha, alpha).cdf)
    self.assertGreater(found.pvalue, 1e-4)


class MixupTest(absltest.TestCase):
  def test_equals_golden_numbers(self):
    (loss,) = golden_batch.losses(
      golden_batch.create("mixup"),
      mixed_label=tf.constant([2, 0, 2, 1]),
      label_share=tf.fill([4], 0.3),
    )
    np.testing.assert_allclose(
      loss, [2.26984602, 1.55144471, 1.5619948, 1.56984602], atol=1e-6
    )

  def test_images_and_labels_are_mixed_alike(self):
    model = golden_batch.create("mixup", mixup_alpha=2.0)
    images = tf.eye(4)
    seen = []
    for step in range(20):
      targets = golden_batch.targets(step=tf.fill([4], step))
      mixed, found = model.prepare(images, targets)
      share = found["label_share"].numpy()
      self.assertLen(set(share.tolist()), 1)
      # Each row has its own share at its place, and the rest elsewhere.
      rest = mixed.numpy() - share[0] * np.eye(4)
      np.testing.assert_allclose(
        np.sort(rest.ravel()), [0] * 12 + [1 - share[0]] * 4, atol=1e-6
      )
      order = rest.argmax(axis=1)
      if share[0] < 1 - 1e-3:
        self.assertCountEqual(order, range(4))
        np.testing.assert_array_equal(
          found["mixed_label"], np.array(golden_batch.LABELS)[order]
        )
      np.testing.assert_array_equal(found["label"], golden_batch.LABELS)
      seen.append((share[0], *order))
    self.assertGreater(len(set(seen)), 15)
    again, _ = model.prepare(images, golden_batch.targets())
    first, _ = model.prepare(images, golden_batch.targets())
    np.testing.assert_array_equal(again, first)

  def test_accuracy_counts_both_labels_by_their_shares(self):
    model = golden_batch.create("mixup")
    targets = golden_batch.targets(
      mixed_label=tf.constant([1, 1, 2, 0]), label_share=tf.fill([4], 0.25)
    )
    targets["given_label"] = targets["label"]
    logits = [tf.constant(golden_batch.LOGITS1)]
    values = {"loss": tf.zeros([4])}
    logs = model.record_training(values, logits, targets)
    # Predicted are 0, 1, 0 and 2; labels are 0, 2, 1 and 2.
    self.assertAlmostEqual(
      float(logs["ensemble_accuracy"]), (0.25 + 0.75 + 0 + 0.25) / 4
    )

  def test_the_other_image_does_not_make_a_label_suspicious(self):
    scores = label_scores.LabelScores(golden_batch.NUM_EXAMPLES, 4)
    # All images look like classes 0 and 1 in equal parts.
    logits = tf.constant([[5.0, 5.0, 0]] * 4)
    targets = golden_batch.targets(
      label=tf.constant([0, 1, 2, 0]),
      mixed_label=tf.constant([1, 0, 1, 2]),
      label_share=tf.constant([0.5, 0.5, 0.5, 0.0]),
    )
    scores.update(logits, targets)
    means = scores.means()[[3, 5, 0, 7]]
    np.testing.assert_allclose(means[:2], 1 / (1 + np.exp(5)), rtol=1e-5)
    np.testing.assert_allclose(means[2], 1 / (1 + np.exp(-5)), rtol=1e-5)
    self.assertTrue(np.isnan(means[3]))  # Nothing of it was to be seen.


if __name__ == "__main__":
  absltest.main()
