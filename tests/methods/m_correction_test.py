from absl.testing import absltest, parameterized
import numpy as np
import tensorflow as tf

from nct_tf import errors
from nct_tf.methods import m_correction
from nct_tf.models import classifier
from nct_tf.noise_estimation import beta_mixture
from tests.support import golden_batch

IMAGES = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
LABELS = np.eye(3)[golden_batch.LABELS]
# What the lookup says of ten parts of the losses each.
LOOKUP = np.repeat(np.linspace(0, 0.9, 10), 10).astype(np.float32)
BOUNDS = np.array([0.5, 2.0], np.float32)


def create(stage, **options):
  """Returns a model that is within a stage."""
  model = golden_batch.create("m_correction", **options)
  model.stage.assign(stage)
  model.example_state["wrong_probabilities"].assign(LOOKUP)
  model.example_state["loss_bounds"].assign(BOUNDS)
  if options.get("m_correction_type") == "soft":
    model.temperature.assign(0.5)
  return model


def softmax(logits):
  exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
  return exponentials / exponentials.sum(axis=1, keepdims=True)


def slow_wrong(logits):
  """The probabilities that labels are wrong, an example at a time."""
  result = []
  for row, label in zip(softmax(logits), golden_batch.LABELS, strict=True):
    x = beta_mixture.normalize(-np.log(row[label]), BOUNDS)
    result.append(np.clip(LOOKUP[int(100 * x)], 1e-4, 1 - 1e-4))
  return np.array(result)


def prepared(model):
  """Returns what `prepare` makes of the batch, and who is mixed with whom."""
  images, targets = model.prepare(IMAGES, golden_batch.targets())
  shares = targets["label_share"].numpy()[:, None]
  others = (images.numpy() - shares * IMAGES) / (1 - shares)
  distances = np.abs(others[:, None] - IMAGES).sum(axis=-1)
  order = distances.argmin(axis=1)
  np.testing.assert_allclose(others, IMAGES[order], atol=1e-4)
  np.testing.assert_array_equal(
    targets["mixed_label"], np.array(golden_batch.LABELS)[order]
  )
  return targets, order


class PrepareTest(parameterized.TestCase):
  @parameterized.parameters("hard", "soft")
  def test_mixup_comes_first(self, kind):
    targets, order = prepared(create(0, m_correction_type=kind))
    share = targets["label_share"].numpy()[:, None]
    self.assertLen(set(share[:, 0].tolist()), 1)
    self.assertBetween(share[0], 0.2, 0.8)  # Beta(32, 32) is near a half.
    np.testing.assert_allclose(
      targets["soft_label"],
      share * LABELS + (1 - share) * LABELS[order],
      atol=1e-6,
    )

  def test_a_training_that_diverges_ends_with_its_loss(self):
    _, targets = create(2).prepare(IMAGES * np.nan, golden_batch.targets())
    self.assertTrue(np.all(np.isfinite(targets["wrong_probability"])))

  def test_dynamic_mixup_mixes_images_by_their_labels(self):
    model = create(1, m_correction_type="soft")
    targets, order = prepared(model)
    right = 1 - slow_wrong(model.logits(IMAGES)[0].numpy())
    np.testing.assert_allclose(
      targets["label_share"], right / (right + right[order]), atol=1e-5
    )
    # Labels as they are, in the parts of mixup.
    soft = targets["soft_label"].numpy()
    same = (LABELS[order] * LABELS).sum(axis=1)
    found = (soft * LABELS).sum(axis=1)
    np.testing.assert_allclose(found[same == 1], 1, atol=1e-6)
    self.assertLen(set(np.round(found[same == 0], 5)), 1)

  @parameterized.parameters("hard", "soft")
  def test_labels_are_corrected(self, kind):
    model = create(2, m_correction_type=kind)
    logits = model.logits(IMAGES)[0].numpy()
    targets, order = prepared(model)
    wrong = slow_wrong(logits)[:, None]
    np.testing.assert_allclose(
      targets["wrong_probability"], wrong[:, 0], atol=1e-6
    )
    self.assertGreater(np.ptp(wrong), 0.1)
    q = softmax(logits / 0.5)
    share = 0.5
    if kind == "hard":
      q = np.eye(3)[logits.argmax(axis=1)]
      share = targets["label_share"].numpy()[:, None]
    corrected = (1 - wrong) * LABELS + wrong * q
    np.testing.assert_allclose(
      targets["soft_label"],
      share * corrected + (1 - share) * corrected[order],
      atol=1e-5,
    )


class LossTest(absltest.TestCase):
  def test_equals_golden_numbers(self):
    # Cross entropies 1.2 and 2 with the labels, .4 and .3 with predictions.
    cross_entropy = np.array([[1.2, 0.4], [2.0, 0.3]])
    own, other = m_correction.corrected_label(
      tf.constant([0, 0]), tf.constant([0.2, 0.7]), tf.constant([[0, 1.0]] * 2)
    ).numpy()
    loss = 0.6 * own @ cross_entropy[0] + 0.4 * other @ cross_entropy[1]
    self.assertAlmostEqual(loss, 0.948, places=6)
    wrong = tf.constant([0.2, 0.7])
    np.testing.assert_allclose(
      m_correction.dynamic_share(wrong, wrong[::-1]),
      [0.727273, 0.272727],
      atol=1e-6,
    )

  def test_the_regularizer_comes_with_the_correction(self):
    for stage in (0, 2):
      model = create(stage)
      _, targets = model.prepare(IMAGES, golden_batch.targets())
      (loss,) = model.network_losses(
        [tf.constant(golden_batch.LOGITS1)], targets
      )
      # The prior penalty of these logits over their three classes.
      np.testing.assert_allclose(
        loss.unlabelled, 0.004745044 * (stage == 2), atol=1e-7
      )
      p = softmax(np.array(golden_batch.LOGITS1))
      np.testing.assert_allclose(
        loss.loss,
        -(targets["soft_label"].numpy() * np.log(p)).sum(axis=1),
        rtol=1e-5,
      )


class ScheduleTest(parameterized.TestCase):
  def test_stages_are_the_published_ones(self):
    model = golden_batch.create("m_correction", m_correction_type="soft")
    schedules = model.schedules(300)
    self.assertEqual(
      [schedules["stage"](epoch) for epoch in (0, 104, 105, 109, 110, 299)],
      [0, 0, 1, 1, 2, 2],
    )
    np.testing.assert_allclose(
      [schedules["temperature"](110 + k) for k in (0, 1, 44, 88, 150)],
      [1, 0.98864773, 0.5005, 0.001, 0.001],
      atol=1e-8,
    )
    self.assertEqual(
      [phase.num_epochs for phase in model.phases(300)], [105, 5, 190]
    )
    model = golden_batch.create("m_correction")
    self.assertEqual(
      [phase.num_epochs for phase in model.phases(300)], [105, 195]
    )

  @parameterized.parameters(
    ("hard", {}, 1, "mixup_epochs"),
    ("soft", {}, 2, "`mixup_epochs` and `dynamic_mixup_epochs`"),
    ("hard", {"mixup_epochs": 7}, 7, "mixup_epochs"),
  )
  def test_needs_epochs_to_correct_in(self, kind, options, num_epochs, name):
    model = golden_batch.create(
      "m_correction", m_correction_type=kind, **options
    )
    with self.assertRaisesRegex(errors.InvalidInputError, name):
      model.phases(num_epochs)
    model.phases(num_epochs + 1)
    for epoch in range(num_epochs + 1):
      for schedule in model.schedules(num_epochs + 1).values():
        schedule(epoch)

  def test_hard_has_no_options_of_soft(self):
    with self.assertRaisesRegex(errors.InvalidInputError, "sharpening_epochs"):
      golden_batch.create("m_correction", sharpening_epochs=3)


class BetweenEpochsTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.model = golden_batch.create("m_correction", mixup_epochs=3)
    rng = np.random.default_rng(0)
    self.labels = rng.integers(3, size=300)
    classes = np.where(rng.random(300) < 0.4, rng.integers(3, size=300), 0)
    classes = (self.labels + classes) % 3
    self.is_wrong = classes != self.labels
    logits = 3 * np.eye(3)[classes] + rng.normal(size=(300, 3))
    self.logits = logits.astype(np.float32)

  def after(self, epoch, logits):
    self.model.between_epochs(
      epoch, classifier.TrainingSet(6, self.labels, lambda: logits[None])
    )
    return self.model.recall("wrong_probabilities")

  def test_the_mixture_is_fitted_for_epochs_that_need_it(self):
    np.testing.assert_array_equal(self.after(1, self.logits), 0)
    with self.assertLogs("nct_tf", "INFO") as logs:
      found = self.after(2, self.logits)
    self.assertRegex(logs.output[0], r"\d % of the labels seem wrong")
    self.assertLess(found[0], 0.1)
    self.assertGreater(found[-1], 0.9)
    self.assertAlmostEqual(
      self.model.schedules(6)["wrong_share"](3),
      np.mean(self.is_wrong),
      delta=0.1,
    )
    # Nothing comes after the last epoch.
    np.testing.assert_array_equal(self.after(5, -self.logits), found)

  def test_constant_predictions_correct_nothing(self):
    with self.assertLogs("nct_tf", "WARNING") as logs:
      found = self.after(2, np.zeros([300, 3], np.float32))
    self.assertIn("all losses are alike: no label is corrected", logs.output[0])
    np.testing.assert_array_equal(found, 0)
    self.model.stage.assign(2)
    targets, _ = prepared(self.model)
    np.testing.assert_allclose(targets["wrong_probability"], 1e-4)


if __name__ == "__main__":
  absltest.main()
