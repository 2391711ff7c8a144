import math

from absl.testing import absltest, parameterized
import numpy as np

from nct_tf import errors, schedules


class SigmoidRampupTest(parameterized.TestCase):
  @parameterized.parameters(
    (0, 0.469841),
    (50, 0.641206),
    (100, 0.791555),
    (140, 0.871570),
    (180, 0.9),
    (200, 0.9),
  )
  def test_golden_values_of_the_paper_settings(self, epoch, expected):
    self.assertAlmostEqual(
      schedules.sigmoid_rampup(epoch, 180), expected, delta=1e-6
    )

  def test_whole_schedule(self):
    actual = [
      schedules.sigmoid_rampup(epoch, 4, steepness=1.0, max_value=0.5)
      for epoch in range(6)
    ]
    expected = [
      0.5 * math.exp(-1),
      0.5 * math.exp(-9 / 16),
      0.5 * math.exp(-1 / 4),
      0.5 * math.exp(-1 / 16),
      0.5,
      0.5,
    ]
    for a, b in zip(actual, expected, strict=True):
      self.assertAlmostEqual(a, b, places=12)

  def test_without_rampup_is_constant(self):
    self.assertEqual(schedules.sigmoid_rampup(0, 0), 0.9)

  @parameterized.named_parameters(
    ("beta_as_the_paper_prints_it", {"steepness": -0.65}, "steepness"),
    ("max_value", {"max_value": 1.5}, "max_value"),
    ("rampup_epochs", {"rampup_epochs": -1}, "rampup_epochs"),
    ("epoch", {"epoch": -1}, "epoch"),
  )
  def test_refuses(self, arguments, name):
    arguments = {"epoch": 0, "rampup_epochs": 10} | arguments
    with self.assertRaisesRegex(
      errors.InvalidInputError, f"`{name}` must be .*Received: {name}="
    ):
      schedules.sigmoid_rampup(**arguments)


class LogRampupTest(parameterized.TestCase):
  @parameterized.parameters(
    (0, 0.0),
    (1, 0.0),
    (2, 0.0),
    (3, 0.065474),
    (10, 0.207548),
    (100, 0.434050),
    (199, 0.499524),
    (200, 0.5),
    (300, 0.5),
  )
  def test_golden_values_of_the_paper_settings(self, epoch, expected):
    self.assertAlmostEqual(
      schedules.log_rampup(epoch, 200), expected, delta=1e-6
    )

  def test_min_value_and_warmup(self):
    actual = [schedules.log_rampup(e, 6, 2, 0.1, 0.3) for e in range(7)]
    self.assertEqual(actual[:4], [0.1] * 4)
    self.assertAlmostEqual(actual[4], 0.1 + 0.2 * math.log(2) / math.log(4))
    self.assertEqual(actual[6], 0.3)

  def test_fractional_epoch_stays_above_the_minimum(self):
    self.assertEqual(schedules.log_rampup(1.5, 200, min_value=0.2), 0.2)
    # After the warm-up there are as few as one epoch, and half a one.
    self.assertEqual(schedules.log_rampup(1.5, 2, min_value=0.2), 0.2)
    self.assertEqual(schedules.log_rampup(1.75, 2, 1.5, min_value=0.2), 0.2)

  @parameterized.parameters(1, 2)
  def test_tiny_trainings_never_divide_by_zero(self, num_epochs):
    for epoch in range(4):
      rate = schedules.log_rampup(epoch, num_epochs)
      self.assertBetween(rate, 0.0, 0.5)

  @parameterized.named_parameters(
    ("max_below_min", {"min_value": 0.5, "max_value": 0.2}, "max_value"),
    ("min_value", {"min_value": -0.1}, "min_value"),
    ("num_epochs", {"num_epochs": 0}, "num_epochs"),
    ("warmup_epochs", {"warmup_epochs": -1}, "warmup_epochs"),
  )
  def test_refuses(self, arguments, name):
    arguments = {"epoch": 0, "num_epochs": 10} | arguments
    with self.assertRaisesRegex(errors.InvalidInputError, f"`{name}` must be"):
      schedules.log_rampup(**arguments)


class StepDecayTest(parameterized.TestCase):
  def test_whole_schedule(self):
    actual = [schedules.step_decay(e, 0.02, (2, 4), 0.1) for e in range(6)]
    expected = [0.02, 0.02, 0.002, 0.002, 0.0002, 0.0002]
    for a, b in zip(actual, expected, strict=True):
      self.assertAlmostEqual(a, b, places=12)

  def test_without_decay_epochs_is_constant(self):
    self.assertEqual(schedules.step_decay(99, 0.1, (), 0.1), 0.1)

  def test_refuses_a_factor_of_zero(self):
    with self.assertRaisesRegex(errors.InvalidInputError, "decay_factor"):
      schedules.step_decay(0, 0.1, (), 0.0)

  def test_paper_decays_and_ramps_up_at_ninety_percent(self):
    self.assertEqual(schedules.default_rampup_epochs(200), 180)


class OtherDecaysTest(parameterized.TestCase):
  def assert_golden(self, schedule, expected):
    for epoch, value in expected.items():
      self.assertAlmostEqual(schedule(epoch), value, delta=1e-4 * value)

  def test_linear_as_co_teaching_has_it(self):
    self.assert_golden(
      lambda epoch: schedules.linear_decay(epoch, 1e-3, 80, 200),
      {0: 1e-3, 80: 1e-3, 81: 9.9167e-4, 140: 5e-4, 199: 8.3333e-6, 200: 0},
    )
    self.assertEqual(schedules.linear_decay(4, 0.1, 5, 5), 0.1)
    self.assertEqual(schedules.linear_decay(5, 0.1, 5, 5), 0.0)

  def test_cosine_as_elr_has_it(self):
    def schedule(epoch):
      return schedules.cosine_decay(epoch, 0.02, 10, 0.001, restarts=True)

    golden = {0: 0.02, 5: 0.0105, 9: 0.00146496, 10: 0.02, 149: 0.00146496}
    self.assert_golden(schedule, golden)

  def test_cosine_over_the_training_as_pytorch_has_it(self):
    actual = [schedules.cosine_decay(epoch, 1.0, 4) for epoch in range(6)]
    root = math.sqrt(0.5)
    expected = [1.0, (1 + root) / 2, 0.5, (1 - root) / 2, 0.0, 0.0]
    np.testing.assert_allclose(actual, expected, atol=1e-12)

  def test_time_as_keras_1_had_it(self):
    def schedule(epoch):
      rate = schedules.step_decay(epoch, 0.01, (2,), 0.1)
      return schedules.time_decay(epoch, rate, 391 * 1e-4)

    expected = {0: 0.01, 1: 0.01 / 1.0391, 2: 0.001 / 1.0782}
    self.assert_golden(schedule, expected)

  def test_exponential(self):
    self.assert_golden(
      lambda epoch: schedules.exponential_decay(epoch, 0.4, 0.97),
      {0: 0.4, 1: 0.388, 2: 0.37636, 249: 0.4 * 0.97**249},
    )

  @parameterized.named_parameters(
    ("linear", schedules.linear_decay, (0, 0.1, -1, 10), "begin_epoch"),
    ("linear_end", schedules.linear_decay, (0, 0.1, 0, 0), "num_epochs"),
    ("cosine", schedules.cosine_decay, (0, 0.1, 10, 0.2), "min_value"),
    ("time", schedules.time_decay, (0, 0.1, -1), "decay"),
    ("exponential", schedules.exponential_decay, (0, 0.1, 0), "decay_factor"),
  )
  def test_refuses(self, schedule, arguments, name):
    with self.assertRaisesRegex(errors.InvalidInputError, f"`{name}` must be"):
      schedule(*arguments)


if __name__ == "__main__":
  absltest.main()
