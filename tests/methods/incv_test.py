from absl.testing import absltest, parameterized
import numpy as np
import tensorflow as tf

from nct_tf import errors, methods
from nct_tf.methods import incv
from nct_tf.models import classifier
from tests.support import golden_batch

ITERATIONS, SELECTED, MIXED = 0.0, 1.0, 2.0
EXAMPLES = [3, 5, 0, 7]  # Of the golden batch.


def create(roles=None, num_examples=golden_batch.NUM_EXAMPLES, **options):
  """Returns a model; `roles` are the columns of the golden batch's examples."""
  model = golden_batch.create("incv", **options)
  model.remember(num_examples, 3, 4)
  if roles is not None:
    rows = np.zeros([num_examples, 3], np.float32)
    rows[EXAMPLES] = np.transpose(roles)
    model.example_state["roles"].set_state(rows)
    model.example_state["num_selected"].assign(1.0)
  return model


class FormulasTest(parameterized.TestCase):
  @parameterized.parameters(
    (0.65, 10, 0.197),
    (0.30, 10, 0.476),
    (0.26, 10, 0.521),
    (1.0, 10, 0.0),
    (0.0, 10, 0.9),
    (0.2, 2, 0.5),
  )
  def test_noise_rate(self, agreement, num_classes, expected):
    self.assertAlmostEqual(
      incv.estimate_noise_rate(agreement, num_classes), expected
    )

  def test_noise_rate_of_what_is_selected(self):
    np.testing.assert_allclose(
      [
        *(incv.selected_noise_rate(rate, 9) for rate in (0.2, 0.5, 0.8)),
        incv.selected_noise_rate(0.4, 1),
        incv.selected_noise_rate(0.0, 9),
      ],
      [0.00689655, 0.1, 0.64, 0.30769231, 0],
      rtol=1e-5,
    )

  def test_number_removed(self):
    self.assertEqual(
      [incv.num_removed(*each) for each in ((0.2, 9), (0.9, 7), (0.0, 5))],
      [2, 14, 0],
    )
    among = np.array([True, True, False, True])
    losses = np.array([1.0, 3, 9, 2])
    for count, expected in ((0, []), (2, [1, 3]), (9, [0, 1, 3])):
      found = incv.largest_losses(among, losses, count)
      self.assertSequenceEqual(np.flatnonzero(found).tolist(), expected)

  @parameterized.parameters((0.0, 128), (0.01, 127), (0.05, 122), (0.1, 115))
  def test_number_kept(self, rate, expected):
    roles = incv._Roles(
      tf.ones([128], tf.bool), *[tf.zeros([128], tf.bool)] * 2
    )
    losses = [tf.range(128.0), -tf.range(128.0)]
    chosen = incv.co_teaching_choice(losses, roles, rate, False)
    self.assertEqual([int(np.sum(each)) for each in chosen], [expected] * 2)
    self.assertTrue(chosen[0][0])
    self.assertTrue(chosen[1][127])


def slow_choice(losses, roles, rate, mixes):
  """What a network chooses, one by one: list of indices."""
  places = range(len(losses))
  pool = [i for i in places if roles.selected[i]]
  num_kept = round(len(pool) * (1 - rate))
  if mixes:
    candidates = [i for i in places if roles.first[i] or roles.second[i]]
    pool = pool + candidates[: len(pool) // 2]
  return sorted(pool, key=lambda i: (losses[i], i))[:num_kept]


class LossTest(parameterized.TestCase):
  def test_choice_equals_a_slow_one(self):
    rng = np.random.default_rng(0)
    for size in (1, 4, 9, 16):
      for _ in range(10):
        kind = rng.integers(4, size=size)
        roles = incv._Roles(*(kind == k for k in range(3)))
        losses = [rng.integers(0, 4, size).astype(np.float32) for _ in range(2)]
        rate, mixes = rng.choice([0.0, 0.125, 0.5]), bool(rng.integers(2))
        found = incv.co_teaching_choice(losses, roles, rate, mixes)
        for own, chosen in zip(losses, found, strict=True):
          self.assertCountEqual(
            np.flatnonzero(chosen), slow_choice(own, roles, rate, mixes)
          )

  def test_each_network_learns_its_half(self):
    model = create([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]])
    first, second = golden_batch.losses(model)
    np.testing.assert_array_equal(first != 0, [True, True, False, False])
    np.testing.assert_array_equal(second != 0, [True, False, True, False])
    np.testing.assert_allclose(
      np.mean(first), np.mean(golden_batch.CROSS_ENTROPY1[:2]), atol=1e-6
    )

  def test_each_network_learns_the_choice_of_the_other(self):
    model = create([[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    model.forget_rate.assign(0.5)  # One of two.
    for stage, chosen in ((SELECTED, (1, 0)), (MIXED, (1, 0))):
      model.incv_stage.assign(stage)
      for loss, place in zip(golden_batch.losses(model), chosen, strict=True):
        self.assertEqual(np.flatnonzero(loss).tolist(), [place])
    model = create([[0, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    model.forget_rate.assign(0.5)
    model.incv_stage.assign(MIXED)
    first, second = golden_batch.losses(model)
    # Of the candidates the first one counts, which the first network prefers.
    self.assertEqual(np.flatnonzero(first).tolist(), [1])
    self.assertEqual(np.flatnonzero(second).tolist(), [0])

  @parameterized.parameters(SELECTED, MIXED)
  def test_all_are_selected_where_nothing_was(self, stage):
    model = create([[0] * 4, [1, 1, 0, 0], [0, 0, 1, 0]])
    model.example_state["num_selected"].assign(0.0)
    model.incv_stage.assign(stage)
    for loss in golden_batch.losses(model):
      np.testing.assert_array_equal(loss != 0, [True, True, True, False])

  @parameterized.parameters(ITERATIONS, SELECTED, MIXED)
  def test_a_batch_of_nothing_teaches_nothing(self, stage):
    model = create(np.zeros([3, 4]))
    model.incv_stage.assign(stage)
    for loss in golden_batch.losses(model):
      np.testing.assert_array_equal(loss, np.zeros(4))


class SelectionTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    rng = np.random.default_rng(0)
    self.truth = rng.integers(3, size=300)
    wrong = rng.random(300) < 0.3
    other = (self.truth + rng.integers(1, 3, 300)) % 3
    self.labels = np.where(wrong, other, self.truth)

  def training_set(self, *predicted, num_epochs=16):
    """Returns a set for which each network predicts some classes."""
    logits = np.float32([5 * np.eye(3)[each] for each in predicted])
    return classifier.TrainingSet(num_epochs, self.labels, lambda: logits)

  def roles(self, model):
    return [set(np.flatnonzero(each)) for each in model._roles()]

  @parameterized.parameters("unknown", "asymmetric", "symmetric")
  def test_selects_what_is_predicted(self, pattern):
    model = create(num_examples=300, incv_noise_pattern=pattern)
    _, first, second = self.roles(model)
    self.assertLen(first, 150)
    self.assertEqual(first | second, set(range(300)))
    with self.assertLogs(incv.__name__) as logged:
      model.between_epochs(0, self.training_set(self.truth, self.truth))
      # An epoch that is worse changes nothing.
      model.between_epochs(
        1, self.training_set(self.labels * 0, self.labels * 0)
      )
    right = set(np.flatnonzero(self.truth == self.labels))
    selected, *halves = self.roles(model)
    self.assertEqual(selected, right)
    self.assertAlmostEqual(
      float(model.recall("noise_rate")),
      incv.estimate_noise_rate(len(right) / 300, 3),
      places=5,
    )
    candidates = set.union(*halves)
    self.assertLessEqual(abs(len(halves[0]) - len(halves[1])), 1)
    self.assertFalse(candidates & right)
    removed = 300 - len(candidates | right)
    # The noise rate over the rest of 0.2, of each half.
    rate = float(model.recall("noise_rate"))
    expected = sum(
      min(int(rate / (1 - rate) * len(half & right)), len(half - right))
      for half in (first, second)
    )
    self.assertEqual(removed, expected if pattern == "symmetric" else 0)
    self.assertIn(f"{removed} are removed", logged.output[0])
    self.assertEqual(
      model._num_best(), {"asymmetric": 1}.get(pattern, 4 if rate <= 0.3 else 2)
    )

  def test_all_iterations_have_their_best_epochs_where_few_are_wrong(self):
    for number in (2, 6):
      model = create(num_examples=300, incv_iterations=number)
      self.assertEqual(model._num_best(), number)

  def test_each_network_judges_what_it_has_not_learned(self):
    model = create(num_examples=300)
    _, first, second = self.roles(model)
    for epoch in range(2):
      # The first network is right, and the second one never.
      model.between_epochs(
        epoch, self.training_set(self.labels, (self.labels + 1) % 3)
      )
    selected, *_ = self.roles(model)
    self.assertEqual(selected, second)

  def test_a_late_iteration_selects_by_its_last_epoch(self):
    model = create(num_examples=300, incv_noise_pattern="asymmetric")
    worse = np.where(np.arange(300) < 10, self.labels, (self.labels + 1) % 3)
    # The second iteration, whose first epoch makes no pass.
    model.between_epochs(
      2, classifier.TrainingSet(16, self.labels, predict=None)
    )
    model.between_epochs(3, self.training_set(worse, worse))
    selected, *_ = self.roles(model)
    self.assertEqual(selected, set(range(10)))

  @parameterized.parameters(0, 1)
  def test_takes_classes_whole_of_which_nothing_is_selected(self, shift):
    model = create(num_examples=300)
    # Always the first class, or always wrong.
    predicted = (self.labels + 1) % 3 if shift else self.labels * 0
    with self.assertLogs(incv.__name__) as logged:
      for epoch in range(8):
        model.between_epochs(epoch, self.training_set(predicted, predicted))
    selected, *halves = self.roles(model)
    self.assertEqual(selected, set(range(300)))
    self.assertEqual(halves, [set(), set()])
    self.assertIn(
      f"Nothing is selected of {2 + shift} of 3 classes", logged.output[-1]
    )
    model.between_epochs(8, self.training_set(predicted, predicted))

  def test_right_labels_are_all_selected(self):
    self.labels = self.truth
    model = create(num_examples=300, incv_noise_pattern="symmetric")
    for epoch in range(8):
      model.between_epochs(epoch, self.training_set(self.truth, self.truth))
    selected, *halves = self.roles(model)
    self.assertEqual(selected, set(range(300)))
    self.assertEqual(model.schedules(16)["forget_rate"](15), 0)


class PhasesTest(parameterized.TestCase):
  def test_are_the_published_ones(self):
    model = create()
    found = model.phases(400)
    self.assertEqual([p.num_epochs for p in found], [50, 50, 50, 50, 200])
    self.assertEqual([p.restart for p in found], [False, *[True] * 4])
    schedules = model.schedules(400)
    for noise_rate, begin in ((0.4, 240), (0.7, 280)):
      model.example_state["noise_rate"].assign(noise_rate)
      self.assertEqual(
        [schedules["incv_stage"](e) for e in (199, 200, begin - 1, begin)],
        [ITERATIONS, SELECTED, SELECTED, MIXED],
      )
    model.example_state["noise_rate"].assign(0.5)
    np.testing.assert_allclose(
      [schedules["forget_rate"](e) for e in (199, 200, 205, 210, 399)],
      np.array([0, 0, 0.5, 1, 1]) * incv.selected_noise_rate(0.5, 2),
    )

  @parameterized.parameters(
    ({}, 7, "`num_epochs` must be at least 8"),
    ({"incv_epochs": 3}, 20, "`incv_epochs` must be at least 4"),
    (
      {"incv_epochs": 8},
      8,
      "`num_epochs` must be above the 8 of `incv_epochs`",
    ),
  )
  def test_refuses_epochs_that_do_not_fit(self, options, num_epochs, message):
    with self.assertRaisesRegex(errors.InvalidInputError, message):
      create(**options).phases(num_epochs)

  def test_iterations_begin_with_the_same_weights(self):
    model = create()
    rng = np.random.default_rng(0)
    own = [rng.normal(size=w.shape) for w in model.network2.get_weights()]
    for number, is_same in ((0, True), (3, True), (4, False)):
      model.network2.set_weights(own)
      model.begin_phase(number)
      for first, second, before in zip(
        model.network1.get_weights(),
        model.network2.get_weights(),
        own,
        strict=True,
      ):
        np.testing.assert_allclose(second, first if is_same else before)

  def test_never_knows_the_truth(self):
    for pattern in ("unknown", "symmetric", "asymmetric"):
      options = methods.get_options("incv")(incv_noise_pattern=pattern)
      self.assertEqual(options.uses, ())


if __name__ == "__main__":
  absltest.main()
