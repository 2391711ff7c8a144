"""MLNT: made-up labels, steps on them, and the gradient through these."""

from absl.testing import absltest, parameterized
import keras
import numpy as np
import tensorflow as tf

from nct_tf import errors, methods
from nct_tf.methods import meta_options, mlnt
from nct_tf.models import weights as weights_lib
from tests.support import linear_networks

NUM_CLASSES = 3
NUM_EXAMPLES = 6
RATE = 0.7


def create(**options):
  """Returns a compiled model of a linear network, and a batch."""
  keras.utils.set_random_seed(3)
  options = {"mlnt_neighbors": 2, "mlnt_fast_rate": RATE, **options}
  model = mlnt.MLNTModel(linear_networks.create(NUM_CLASSES), **options)
  model.compile(linear_networks.sgd())
  model.remember(NUM_EXAMPLES, NUM_CLASSES, NUM_EXAMPLES)
  images, labels = linear_networks.random_batch(
    np.random.default_rng(0), NUM_CLASSES
  )
  targets = {"label": labels, "step": np.zeros(NUM_EXAMPLES, np.int32)}
  return model, (images, tf.nest.map_structure(tf.constant, targets))


def log_softmax(logits):
  return np.log(linear_networks.softmax(logits))


def slow_consistency(kernel_and_bias, images, label_sets, teacher):
  """Returns the consistency of a linear network after steps, in float64."""

  def logits(weights):
    return images @ weights[:-1] + weights[-1]

  with_ones = np.concatenate([images, np.ones([len(images), 1])], axis=1)
  log_teacher = log_softmax(logits(teacher))
  total = 0
  for labels in label_sets.T:
    wrong = linear_networks.softmax(logits(kernel_and_bias))
    wrong = wrong - np.eye(NUM_CLASSES)[labels]
    gradient = with_ones.T @ wrong / len(images)
    reached = log_softmax(logits(kernel_and_bias - RATE * gradient))
    total += np.sum(np.exp(log_teacher) * (log_teacher - reached)) / len(images)
  return total / label_sets.shape[1]


class LookAheadTest(absltest.TestCase):
  def test_gradient_is_that_of_finite_differences(self):
    model, (images, _) = create()
    rng = np.random.default_rng(1)
    teacher = rng.normal(size=(5, NUM_CLASSES))
    model.example_state["teacher"].assign(teacher.reshape(-1))
    label_sets = rng.integers(NUM_CLASSES, size=(NUM_EXAMPLES, 4))
    found, gradient = model._look_ahead(
      tf.constant(images), tf.constant(label_sets, tf.int32), tf.constant(True)
    )
    weights = np.float64(weights_lib.pack(model.network1.trainable_variables))
    weights = weights.reshape([5, NUM_CLASSES])

    def slow(change):
      return slow_consistency(weights + change, images, label_sets, teacher)

    np.testing.assert_allclose(np.mean(found), slow(0), rtol=1e-5)
    expected = np.zeros_like(weights)
    for place in np.ndindex(*weights.shape):
      change = np.zeros_like(weights)
      change[place] = 1e-5
      expected[place] = (slow(change) - slow(-change)) / 2e-5
    np.testing.assert_allclose(
      gradient, expected.reshape(-1), rtol=1e-4, atol=1e-6
    )

  def test_plain_phase_is_standard_training(self):
    model, batch = create()
    standard = methods.get_model("standard")(
      keras.models.clone_model(model.network1)
    )
    standard.network1.set_weights(model.network1.get_weights())
    standard.compile(linear_networks.sgd())
    for each in (model, standard):
      each.train_step(batch)
      each.train_step(batch)
    for one, other in zip(
      model.network1.get_weights(), standard.network1.get_weights(), strict=True
    ):
      np.testing.assert_allclose(one, other, rtol=1e-6)
    self.assertEqual(model.recall("meta_steps"), 0)

  def test_teacher_follows_slowly_then_more_slowly(self):
    model, batch = create(mlnt_rampup_start=0.0, mlnt_rampup_end=0.5)
    model.meta_epochs.assign(4)  # Of one step each.
    before = [weights_lib.pack(model.network1.trainable_variables).numpy()]
    teachers = []
    for _ in range(3):
      model.train_step(batch)
      before.append(
        weights_lib.pack(model.network1.trainable_variables).numpy()
      )
      teachers.append(model.recall("teacher"))
    expected = before[0]
    np.testing.assert_allclose(teachers[0], expected)
    for decay, weights, teacher in zip(
      (0.99, 0.999), before[1:3], teachers[1:], strict=True
    ):
      expected = decay * expected + (1 - decay) * weights
      np.testing.assert_allclose(teacher, expected, rtol=1e-5)
    self.assertEqual(model.recall("meta_steps"), 3)


class MadeUpLabelsTest(parameterized.TestCase):
  def test_half_has_labels_of_near_others(self):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(12, 5)).astype(np.float32)
    labels = np.arange(12)  # So that a label tells whose it is.
    is_there = np.arange(12) < 9
    found = mlnt.made_up_labels(
      tf.constant(vectors),
      tf.constant(labels, tf.int32),
      tf.constant(is_there),
      tf.constant(rng.uniform(size=(12, 40)), tf.float32),
      tf.constant(rng.uniform(size=(12, 40)), tf.float32),
      3,
    ).numpy()
    np.testing.assert_array_equal(
      np.sum(found[:9] != labels[:9, None], axis=0), 4
    )
    for row in range(9):
      distances = np.linalg.norm(vectors[:9] - vectors[row], axis=1)
      nearest = set(np.argsort(distances)[1:4])
      self.assertEqual(set(found[row]) - {row}, nearest)

  @parameterized.named_parameters(
    # Whether there are neighbours, all of which are equal.
    ("constant", 4, True),
    ("alone", 1, False),
    ("none", 0, False),
  )
  def test_degenerate_batches(self, count, changes):
    labels = np.arange(4, dtype=np.int32)
    found = mlnt.made_up_labels(
      tf.ones([4, 2]),
      tf.constant(labels),
      tf.constant(np.arange(4) < count),
      tf.fill([4, 1], 0.999999),
      tf.zeros([4, 1]),
      10,
    ).numpy()[:, 0]
    self.assertEqual((found[:2] != labels[:2]).all(), changes)
    np.testing.assert_array_equal(found[count // 2 :], labels[count // 2 :])


class OptionsTest(parameterized.TestCase):
  @parameterized.parameters(
    (0, 0.00673795), (0.5, 0.28650480), (1, 1), (-0.1, 0), (2, 1)
  )
  def test_ramp(self, share, expected):
    progress = tf.constant(0.2 + share * 0.4, tf.float32)
    found = mlnt.ramp(progress + 1e-7 * (share == 0), 0.2, 0.6)
    np.testing.assert_allclose(found, expected, rtol=1e-5)

  def test_phases_leave_an_epoch_each(self):
    model, _ = create()
    self.assertEqual(
      [(each.name, each.num_epochs) for each in model.phases(40)],
      [("plain", 10), ("meta", 30)],
    )
    with self.assertRaisesRegex(errors.InvalidInputError, "num_epochs"):
      model.phases(1)

  def test_ramp_must_rise(self):
    with self.assertRaisesRegex(errors.InvalidInputError, "mlnt_rampup_end"):
      meta_options.MLNT(mlnt_rampup_start=0.5, mlnt_rampup_end=0.1)


if __name__ == "__main__":
  absltest.main()
