import math

from absl.testing import absltest, parameterized

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


if __name__ == "__main__":
  absltest.main()
