"""decoupling, co_teaching, co_teaching_plus, jocor and mentornet."""

from absl.testing import absltest, parameterized
import numpy as np
import tensorflow as tf

from nct_tf import errors, methods
from nct_tf.methods import co_teaching, co_teaching_plus, forget_rate, mentornet
from nct_tf.models import classifier
from tests.support import golden_batch


def create(method, **weights):
  """Returns a model of the golden batch, with weights set as schedules do."""
  options = {} if method == "decoupling" else {"forget_rate": "0.5"}
  model = golden_batch.create(method, **options)
  for name, value in weights.items():
    getattr(model, name).assign(value)
  return model


class GoldenTest(parameterized.TestCase):
  @parameterized.named_parameters(
    (
      "decoupling",
      "decoupling",
      {"uses_disagreement": 1.0},
      [0.860645367, 0.550769785],
    ),
    ("all", "decoupling", {}, [0.688282889, 1.050769785]),
    (
      "co_teaching",
      "co_teaching",
      {"forget_rate": 0.5},
      [0.860645367, 0.861994804],
    ),
    (
      "co_teaching_plus",
      "co_teaching_plus",
      {"forget_rate": 0.5, "uses_disagreement": 1.0},
      [1.551444714, 0.861994804],
    ),
    (
      "as_co_teaching",
      "co_teaching_plus",
      {"forget_rate": 0.5},
      [0.860645367, 0.861994804],
    ),
  )
  def test_equals_golden_numbers(self, method, weights, expected):
    losses = golden_batch.losses(create(method, **weights))
    np.testing.assert_allclose(
      [np.mean(loss) for loss in losses], expected, atol=1e-6
    )

  def test_jocor_equals_golden_numbers(self):
    model = golden_batch.create("jocor", forget_rate="0.5", jocor_lambda=0.9)
    np.testing.assert_allclose(
      sum(golden_batch.evaluation_losses(model)),
      [0.86184077, 1.63682794, 0.92258511, 0.86184077],
      atol=1e-6,
    )
    model.forget_rate.assign(0.5)
    loss = sum(golden_batch.losses(model))
    self.assertAlmostEqual(np.mean(loss), 0.861840768, places=6)
    np.testing.assert_array_equal(loss != 0, [True, False, False, True])

  def test_jocor_detaches_nothing(self):
    model = golden_batch.create("jocor", forget_rate="0", jocor_lambda=1.0)
    logits = [
      tf.constant(golden_batch.LOGITS1),
      tf.constant(golden_batch.LOGITS2),
    ]
    with tf.GradientTape() as tape:
      tape.watch(logits)
      found = model.network_losses(logits, golden_batch.targets())
      loss = tf.reduce_sum(classifier.per_example(found)["loss"])
    step = 1e-3
    for own, gradient in zip(logits, tape.gradient(loss, logits), strict=True):
      for place in ([0, 0], [1, 2]):
        moved = [
          tf.tensor_scatter_nd_add(each, [place], [step])
          if each is own
          else each
          for each in logits
        ]
        other = model.network_losses(moved, golden_batch.targets())
        higher = tf.reduce_sum(classifier.per_example(other)["loss"])
        self.assertAlmostEqual(
          float((higher - loss) / step), float(gradient[tuple(place)]), places=2
        )

  @parameterized.parameters(
    "decoupling", "co_teaching", "co_teaching_plus", "jocor", "mentornet"
  )
  def test_evaluation_leaves_no_example_out(self, method):
    model = golden_batch.create(method)
    for loss in golden_batch.evaluation_losses(model):
      self.assertTrue((loss > 0).all())

  def test_networks_that_agree_teach_nothing_by_decoupling(self):
    model = create("decoupling", uses_disagreement=1.0)
    logits = [tf.constant(golden_batch.LOGITS1)] * 2
    for each in model.network_losses(logits, golden_batch.targets()):
      loss = classifier.per_example([each])["loss"]
      np.testing.assert_array_equal(loss, np.zeros(4))


def slow_choice(own, disagree, among, rate, uses_disagreement):
  """What a network chooses, written from the papers: list of indices."""
  pool = [i for i in range(len(own)) if among[i]]
  if uses_disagreement:
    disagreed = [i for i in pool if disagree[i]]
    if not disagreed:
      return pool
    pool = disagreed
  num_kept = int((1 - rate) * len(pool) + 1e-9)
  if uses_disagreement and not num_kept:
    return pool
  return sorted(pool, key=lambda i: (own[i], i))[:num_kept]


class ChoiceTest(absltest.TestCase):
  def test_equals_numpy_on_random_batches(self):
    rng = np.random.default_rng(1)
    for size in (1, 2, 5, 16):
      for _ in range(25):
        losses = [rng.integers(0, 4, size).astype(np.float32) for _ in range(2)]
        disagree = rng.random(size) < rng.choice([0.0, 0.3, 1.0])
        among = rng.random(size) < rng.choice([0.0, 0.7, 1.0])
        rate = rng.choice([0.0, 0.25, 0.5, 0.9])
        found = co_teaching.easiest(
          losses, among, tf.constant(rate, tf.float32)
        )
        some = co_teaching_plus.easiest_disagreed(
          losses, disagree, among, tf.constant(rate, tf.float32)
        )
        for k in range(2):
          self.assertCountEqual(
            np.flatnonzero(found[k]),
            slow_choice(losses[k], disagree, among, rate, False),
          )
          self.assertCountEqual(
            np.flatnonzero(some[k]),
            slow_choice(losses[k], disagree, among, rate, True),
          )


class ForgetRateTest(parameterized.TestCase):
  def test_rises_as_published(self):
    self.assertSequenceAlmostEqual(
      [forget_rate.forget_rate(epoch, 0.5, 10) for epoch in range(11)],
      [*(0.5 * i / 9 for i in range(10)), 0.5],
    )
    # The exponent is of the rate, not of the epoch.
    self.assertSequenceAlmostEqual(
      [forget_rate.forget_rate(epoch, 0.5, 3, 2.0) for epoch in range(4)],
      [0, 0.125, 0.25, 0.5],
    )

  @parameterized.parameters("co_teaching", "co_teaching_plus", "jocor")
  def test_is_that_of_the_truth_where_it_may_be_known(self, method):
    model = golden_batch.create(method, forget_rate="true")
    schedule = model.schedules(20)["forget_rate"]
    self.assertEqual(schedule(0), 0)
    self.assertEqual(schedule(12), 0.25)
    self.assertEqual(model.options.uses, ("the true noise rate",))
    for kind in ("estimated", "0.25"):
      options = methods.get_options(method)(forget_rate=kind)
      self.assertEqual(options.uses, ())

  def test_truth_that_nobody_knows_is_asked_for_in_vain(self):
    model = golden_batch.create("co_teaching", forget_rate="true")
    with self.assertRaisesRegex(
      errors.InvalidInputError, "the true noise rate"
    ):
      model.remember(40, 3, 4)

  @parameterized.parameters("1", "1.5", "-0.1", "nan", "some", "")
  def test_refuses_other_rates(self, rate):
    with self.assertRaisesRegex(
      errors.InvalidInputError, r"`forget_rate` must be .* in \[0, 1\)"
    ):
      methods.get_options("jocor")(forget_rate=rate)

  def test_a_warmup_belongs_to_an_estimate(self):
    with self.assertRaisesRegex(
      errors.InvalidInputError, "forget_warmup_epochs.*estimated"
    ):
      methods.get_options("jocor")(forget_rate="0.3", forget_warmup_epochs=2)

  @parameterized.named_parameters(
    ("co_teaching", "co_teaching", {"forget_warmup_epochs": 5}),
    ("decoupling", "decoupling", {"agreement_epochs": 5}),
    ("co_teaching_plus", "co_teaching_plus", {"agreement_epochs": 5}),
    ("gce", "gce", {"gce_truncation": 0.5, "gce_prune_epochs": 5}),
  )
  def test_what_begins_later_must_begin_before_the_end(self, method, options):
    model = golden_batch.create(method, **options)
    self.assertLen(model.phases(6), 1)
    with self.assertRaisesRegex(
      errors.InvalidInputError,
      "`num_epochs` must be above the 5 of `.*_epochs`",
    ):
      model.phases(5)

  def test_needs_examples_to_hold_out(self):
    model = golden_batch.create("co_teaching", forget_rate="0.3")
    self.assertEqual(model.example_state, {})
    with self.assertRaisesRegex(
      errors.InvalidInputError, "forget_rate.*at least 5 there.*Received: 40"
    ):
      estimating = methods.get_model("co_teaching")(*model.networks)
      estimating.remember(40, 5, 4)


class EstimateTest(absltest.TestCase):
  def test_is_that_of_examples_that_were_not_learned_from(self):
    model = golden_batch.create("co_teaching", forget_warmup_epochs=2)
    model.remember(4000, 3, 4)
    is_held_out = model.example_state["held_out"].get_state()[:, 0] > 0
    self.assertEqual(is_held_out.sum(), 400)
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=4000)
    wrong = rng.random(4000) < 0.3
    labels = np.where(wrong, (truth + rng.integers(1, 3, 4000)) % 3, truth)
    # What was learned from is learned by heart; the rest is recognised.
    logits = np.log(np.full([2, 4000, 3], 0.1, np.float32))
    learned = np.where(is_held_out, truth, labels)
    logits[:, np.arange(4000), learned] = np.log(0.8)
    training_set = classifier.TrainingSet(20, labels, lambda: logits)
    schedules = model.schedules(20)
    # It rises for ten epochs, but half of the training is over before.
    self.assertEqual(
      [schedules["holds_out"](epoch) for epoch in (0, 9, 10, 19)], [1, 1, 0, 0]
    )
    model.between_epochs(0, training_set)
    self.assertEqual(float(model.recall("noise_rate")), 0)
    actual = wrong[is_held_out].mean()
    for epoch in (1, 9):
      model.example_state["noise_rate"].assign(0.9)
      model.between_epochs(epoch, training_set)
      found = float(model.recall("noise_rate"))
      self.assertAlmostEqual(found, actual, delta=0.06)
    model.between_epochs(10, training_set._replace(predict=None))
    self.assertEqual(schedules["forget_rate"](1), 0)
    self.assertEqual(schedules["forget_rate"](2), 0)
    self.assertEqual(schedules["forget_rate"](12), found)

  def test_held_out_examples_do_not_count_at_first(self):
    model = golden_batch.create("co_teaching")
    rows = np.zeros([golden_batch.NUM_EXAMPLES, 1], np.float32)
    rows[[5, 9]] = 1  # The second of the batch is 5.
    model.example_state["held_out"].set_state(rows)
    for holds_out in (1.0, 0.0):
      model.holds_out.assign(holds_out)
      for loss in golden_batch.losses(model):
        np.testing.assert_array_equal(
          loss != 0, [True, not holds_out, True, True]
        )


class MentorNetTest(parameterized.TestCase):
  def test_equals_golden_numbers(self):
    loss = np.array([0.1, 0.5, 1, 1.4, 1.8], np.float32)
    average = 0.0
    for expected in (0.7, 1.05):
      percentile = np.percentile(loss, 75, method="nearest")
      average = mentornet.moving_average(average, percentile)
      self.assertAlmostEqual(average, expected, places=6)
    for percent, weights, mean in (
      (18.0, [1, 1, 1, 1, 1], 0.96),
      (50.0, [1, 1, 1, 0, 0], 0.32),
      (95.0, [1, 1, 1, 0.65, 0.25], 0.592),
    ):
      found = mentornet.curriculum(loss - average, percent, 1.0)
      np.testing.assert_allclose(found, weights, atol=1e-6)
      self.assertAlmostEqual(np.mean(found * loss), mean, places=6)
    np.testing.assert_array_equal(
      mentornet.curriculum(loss - average, 0.0, 1.0, is_self_paced=True),
      [1, 1, 1, 0, 0],
    )

  def test_a_step_moves_the_average_before_it_is_used(self):
    model = golden_batch.create("mentornet")
    model.training_percent.assign(50)
    (loss,) = golden_batch.losses(model)
    # The 75th percentile is 0.862, the first average half of that.
    self.assertAlmostEqual(
      float(model.example_state["loss_average"]), 0.4309974, places=6
    )
    np.testing.assert_array_equal(loss != 0, [True, False, False, True])
    self.assertAlmostEqual(np.mean(loss), 2 * 0.16984602 / 4, places=6)

  def test_drops_an_exact_number_of_examples(self):
    model = golden_batch.create("mentornet")
    model.dropout_rate.assign(0.5)
    seen = set()
    for step in range(10):
      (loss,) = golden_batch.losses(model, step=tf.fill([4], step))
      self.assertEqual(np.sum(loss != 0), 2)
      seen.add(tuple(loss != 0))
    self.assertGreater(len(seen), 2)

  def test_curriculum_goes_by_the_share_of_the_training(self):
    schedules = golden_batch.create("mentornet").schedules(200)
    self.assertEqual(
      [schedules["training_percent"](epoch) for epoch in (0, 1, 37, 180, 199)],
      [0, 0, 18, 90, 99],
    )
    self.assertEqual(
      [schedules["dropout_rate"](epoch) for epoch in (0, 33, 34, 199)],
      [0.5, 0.5, 0.05, 0.05],
    )


if __name__ == "__main__":
  absltest.main()
