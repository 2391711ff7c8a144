from absl.testing import absltest, parameterized
import numpy as np
from scipy import special
import tensorflow as tf

from nct_tf import errors, random_numbers
from nct_tf.methods import correction_options, dividemix, mixup
from nct_tf.models import classifier, global_batch
from tests.support import golden_batch, linear_networks

NUM_CLASSES = 3
LABELS = np.array(golden_batch.LABELS)
ONE_HOT = np.eye(NUM_CLASSES)[LABELS]
# What each network is told of the batch's examples.
IS_RIGHT = np.array([[0.9, 0.2], [0.6, 0.7], [0.3, 0.8], [0.1, 0.4]])
IS_LABELLED = IS_RIGHT > 0.5
# Three quarters of the labels are right.
TRAINING_LABELS = np.arange(golden_batch.NUM_EXAMPLES) % NUM_CLASSES
IS_WRONG = np.arange(golden_batch.NUM_EXAMPLES) % 4 == 3


def create(divides=1.0, **options):
  """Returns a model that knows the golden batch's examples."""
  tf.keras.utils.set_random_seed(3)
  model = golden_batch.create("dividemix", **options)
  model.divides.assign(divides)
  example = golden_batch.targets()["example"].numpy()
  for name, of_batch in (
    ("probability_right", IS_RIGHT),
    ("is_labelled", IS_LABELLED),
  ):
    rows = model.example_state[name].get_state()
    rows[example] = of_batch
    model.example_state[name].set_state(rows)
  return model


def random_views():
  rng = np.random.default_rng(0)
  shape = (len(LABELS), 2, linear_networks.NUM_FEATURES)
  return rng.standard_normal(shape).astype(np.float32)


def slow_prepare(model, views):
  """Returns images and both networks' soft labels, written from the paper.

  They are of each view of each example in turn.
  """
  targets = golden_batch.targets()
  share_seed, order_seed = random_numbers.split(model.step_seed(8, targets))
  share = float(mixup.symmetric_beta(4.0, share_seed))
  share = max(share, 1 - share)
  rows = {"label": np.repeat(LABELS, 2)}
  order = mixup.random_order(global_batch.GlobalBatch(rows), order_seed).numpy()
  probabilities = []
  for network in model.networks:
    kernel, bias = network.get_weights()
    predicted = special.softmax(views @ kernel + bias, axis=-1)
    probabilities.append(predicted.mean(axis=1))
  images = views.reshape([-1, views.shape[-1]])
  result = [share * images + (1 - share) * images[order]]
  for number, own in enumerate(probabilities):
    soft_labels = []
    for example, label in enumerate(ONE_HOT):
      w = IS_RIGHT[example, number]
      target = w * label + (1 - w) * own[example]
      if not IS_LABELLED[example, number]:
        target = np.mean([each[example] for each in probabilities], axis=0)
      soft_labels += [target**2 / np.sum(target**2)] * 2
    soft_labels = np.array(soft_labels)
    result.append(share * soft_labels + (1 - share) * soft_labels[order])
  return result, share, order


def training_set(hardness=3.0, num_epochs=20):
  """Returns a `TrainingSet` whose wrong labels both networks doubt."""
  true_labels = (TRAINING_LABELS + IS_WRONG) % NUM_CLASSES
  rng = np.random.default_rng(0)
  logits = hardness * np.eye(NUM_CLASSES)[true_labels]
  logits = logits + rng.normal(0, 0.01, size=(2, *logits.shape)) * hardness
  logits = logits.astype(np.float32)
  return classifier.TrainingSet(num_epochs, TRAINING_LABELS, lambda: logits)


class TargetsTest(absltest.TestCase):
  def test_equal_golden_numbers(self):
    np.testing.assert_allclose(
      dividemix.sharpen(tf.constant([[0.6, 0.3, 0.1]]), 0.5),
      [[0.7826087, 0.19565217, 0.02173913]],
      atol=1e-6,
    )
    refined = dividemix.refine(
      tf.constant([[1.0, 0, 0]]),
      tf.constant([[0.5, 0.4, 0.1]]),
      tf.constant([0.8]),
    )
    np.testing.assert_allclose(refined, [[0.9, 0.08, 0.02]], atol=1e-6)
    np.testing.assert_allclose(
      dividemix.sharpen(refined, 0.5),
      [[0.99167483, 0.00783546, 0.00048972]],
      atol=1e-6,
    )

  def test_sharpening_is_finite_at_any_temperature(self):
    found = dividemix.sharpen(tf.constant([[1.0, 0, 0], [0.3, 0.3, 0.4]]), 0.01)
    np.testing.assert_allclose(found, [[1, 0, 0], [0, 0, 1]], atol=1e-3)


class PrepareTest(absltest.TestCase):
  def test_equals_the_slow_version(self):
    model = create()
    views = random_views()
    images, targets = model.prepare(views, golden_batch.targets())
    (expected, *soft_labels), share, order = slow_prepare(model, views)
    self.assertGreater(share, 0.5)
    np.testing.assert_allclose(images, expected, atol=1e-6)
    for found, of_network in zip(
      targets["soft_labels"], soft_labels, strict=True
    ):
      np.testing.assert_allclose(found, of_network, atol=1e-5)
    np.testing.assert_array_equal(
      np.stack(targets["is_labelled"], axis=1), IS_LABELLED
    )
    np.testing.assert_array_equal(
      targets["mixed_label"], np.repeat(LABELS, 2)[order][::2]
    )
    np.testing.assert_allclose(targets["label_share"], share)

  def test_of_one_view_both_are_the_same(self):
    model = create()
    image = random_views()[:, 0]
    found, targets = model.prepare(image, golden_batch.targets())
    twice = np.stack([image, image], axis=1)
    expected, of_twice = model.prepare(twice, golden_batch.targets())
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(
      targets["soft_labels"], of_twice["soft_labels"]
    )

  def test_in_the_warm_up_labels_and_images_are_as_given(self):
    model = create(divides=0.0)
    views = random_views()
    images, targets = model.prepare(views, golden_batch.targets())
    np.testing.assert_array_equal(images, views.reshape([8, -1]))
    for soft_labels in targets["soft_labels"]:
      np.testing.assert_array_equal(soft_labels, ONE_HOT.repeat(2, axis=0))
    np.testing.assert_array_equal(targets["is_labelled"], np.ones([2, 4]))
    np.testing.assert_array_equal(targets["label_share"], np.ones(4))


def prepared(is_labelled, soft_labels=None):
  """Returns targets of `prepare` for the golden logits, a row for each view."""
  if soft_labels is None:
    soft_labels = special.softmax(np.arange(24).reshape([8, 3]) % 5, axis=1)
  return {
    "soft_labels": [tf.constant(soft_labels, tf.float32)] * 2,
    "is_labelled": tf.unstack(tf.constant(is_labelled, tf.float32), axis=1),
    "mixed_label": tf.constant(LABELS[::-1].copy()),
    "label_share": tf.fill([4], 0.7),
  }


# The logits of each view: those of the golden batch's first half twice.
VIEWS = np.repeat(golden_batch.LOGITS1, 2, axis=0) + np.arange(8)[:, None] % 3


def losses(model, targets):
  """Returns the mean of what the first network minimises, and its parts."""
  (found, _) = model.network_losses(
    [tf.constant(VIEWS, tf.float32)] * 2, golden_batch.targets(**targets)
  )
  (value,) = classifier.per_example([found])["loss"][None]
  return float(np.mean(value)), found


class LossTest(parameterized.TestCase):
  @parameterized.parameters(
    ([1, 1, 0, 0],), ([0, 1, 0, 0],), ([1, 1, 1, 1],), ([0, 0, 0, 0],)
  )
  def test_equals_the_slow_version(self, is_labelled):
    model = create()
    model.guessed_weight.assign(25.0)
    is_labelled = np.array(is_labelled)
    targets = prepared(np.stack([is_labelled] * 2, axis=1))
    found, parts = losses(model, targets)
    soft_labels = targets["soft_labels"][0].numpy()
    p = special.softmax(VIEWS, axis=1)
    of_views = is_labelled.repeat(2) > 0
    expected = np.sum(np.log(1 / 3 / p.mean(axis=0)) / 3)
    if of_views.any():
      cross_entropy = -np.sum(soft_labels * np.log(p), axis=1)
      expected += cross_entropy[of_views].mean()
    if not of_views.all():
      expected += 25 * np.mean((p - soft_labels)[~of_views] ** 2)
    self.assertAlmostEqual(found, expected, places=5)
    np.testing.assert_array_equal(parts.parts["labelled"], is_labelled)

  def test_weights_of_fit_leave_guessed_labels_alone(self):
    model = create()
    model.guessed_weight.assign(25.0)
    (_, found) = losses(model, prepared(IS_LABELLED))
    np.testing.assert_array_equal(found.loss.numpy() > 0, IS_LABELLED[:, 0])

  @parameterized.parameters(0.0, 1.0)
  def test_the_warm_up_may_punish_sure_predictions(self, weight):
    model = create(divides=0.0, confidence_penalty=weight)
    one_hot = ONE_HOT.repeat(2, axis=0)
    found, _ = losses(model, prepared(np.ones([4, 2]), one_hot))
    p = special.softmax(VIEWS, axis=1)
    expected = -np.log(np.sum(one_hot * p, axis=1)).mean()
    expected += weight * np.sum(p * np.log(p), axis=1).mean()
    self.assertAlmostEqual(found, expected, places=5)

  def test_accuracy_is_of_the_first_view(self):
    model = create()
    targets = golden_batch.targets(
      mixed_label=tf.constant([1, 1, 2, 0]), label_share=tf.fill([4], 0.75)
    )
    targets["given_label"] = targets["label"]
    # The second view of each example is predicted to be the last class.
    views = np.stack(
      [golden_batch.LOGITS1, np.tile([0.0, 0, 9], [4, 1])], axis=1
    )
    logits = [tf.constant(views.reshape([8, 3]), tf.float32)] * 2
    logs = model.record_training({"loss": tf.zeros([4])}, logits, targets)
    # Predicted are 0, 1, 0 and 2; labels are 0, 2, 1 and 2.
    self.assertAlmostEqual(
      float(logs["ensemble_accuracy"]), (0.75 + 0.25 + 0 + 0.75) / 4
    )


class SchedulesTest(parameterized.TestCase):
  def test_equal_golden_numbers(self):
    model = create(
      lambda_u="25", dividemix_warmup_epochs=10, lambda_u_rampup_epochs=16
    )
    schedules = model.schedules(300)
    self.assertEqual(
      [schedules["guessed_weight"](epoch) for epoch in (0, 10, 18, 26, 30)],
      [0, 0, 12.5, 25, 25],
    )
    self.assertEqual(
      [schedules["divides"](epoch) for epoch in (0, 9, 10, 299)], [0, 0, 1, 1]
    )

  @parameterized.parameters((0.1, 0), (0.4, 0), (0.45, 12.5), (1.0, 25))
  def test_weight_follows_from_the_noise_rate(self, noise_rate, expected):
    model = create()
    model.example_state["noise_rate"].assign(noise_rate)
    weight = model.schedules(20)["guessed_weight"](19)
    self.assertAlmostEqual(weight, expected, places=4)

  def test_warm_up_must_leave_epochs(self):
    with self.assertRaisesRegex(
      errors.InvalidInputError, "above the 5 of `dividemix_warmup_epochs`"
    ):
      create(dividemix_warmup_epochs=5).phases(5)

  @parameterized.parameters("-1", "auto", "nan", "inf")
  def test_what_is_no_weight_is_refused(self, lambda_u):
    with self.assertRaisesRegex(errors.InvalidInputError, "`lambda_u` must be"):
      correction_options.DivideMix(lambda_u=lambda_u)


class BetweenEpochsTest(parameterized.TestCase):
  def test_each_network_is_told_what_the_other_finds(self):
    model = golden_batch.create("dividemix")
    data = training_set()
    logits = data.predict()
    logits[1] = np.roll(logits[1], 1, axis=0)  # It has learned nonsense.
    with self.assertLogs(level="INFO") as logs:
      model.between_epochs(1, data)
    self.assertIn("After epoch 2, network 1 finds 30 of 40", logs.output[0])
    is_labelled = model.example_state["is_labelled"].get_state()
    np.testing.assert_array_equal(is_labelled[:, 1], ~IS_WRONG)
    self.assertLess(is_labelled[:, 0].sum(), 30)
    is_right = model.example_state["probability_right"].get_state()
    np.testing.assert_array_equal(is_labelled, is_right > 0.5)
    self.assertAlmostEqual(
      float(model.recall("noise_rate")), 1 - is_right.mean(), places=5
    )

  @parameterized.parameters(0, 19)
  def test_nothing_is_divided_before_the_warm_up_ends_and_at_the_end(self, at):
    model = golden_batch.create("dividemix")
    model.between_epochs(at, training_set()._replace(predict=None))
    np.testing.assert_array_equal(
      model.example_state["is_labelled"].get_state(), 1
    )

  def test_losses_of_some_epochs_are_averaged(self):
    model = golden_batch.create("dividemix", loss_history_epochs=2)
    alike = training_set(hardness=0.0)
    means = []
    for epoch, data in enumerate([training_set(), alike, alike], start=1):
      model.between_epochs(epoch, data)
      history = model.example_state["loss_history"].get_state()
      means.append(history.reshape([-1, 2, 2]).mean(axis=2))
      is_labelled = model.example_state["is_labelled"].get_state()
      expected = ~IS_WRONG if epoch < 3 else np.ones(40)
      np.testing.assert_array_equal(is_labelled[:, 0], expected)
    np.testing.assert_allclose(means[0], means[1])  # Of zeros and the first.
    np.testing.assert_array_equal(means[2], 0)

  def test_constant_predictions_leave_all_labels(self):
    model = golden_batch.create("dividemix")
    with self.assertLogs(level="WARNING") as logs:
      model.between_epochs(5, training_set(hardness=0.0))
    self.assertIn("After epoch 6, network 1: all losses are equal", str(logs))
    self.assertEqual(model.recall("noise_rate"), 0)


if __name__ == "__main__":
  absltest.main()
