"""Tests of the rule of a choice, and of what is said of it."""

import dataclasses

from absl.testing import absltest, parameterized
import numpy as np

from nct_tf.experiments import candidates, choice as choice_lib
from tests.support import tiny_run

_CONFIG = tiny_run.tiny_config(workdir="runs", num_epochs=12)


class RuleTest(parameterized.TestCase):
  @parameterized.parameters(
    (16, False, [16]), (16, True, [4, 8, 16]), (2, True, [1, 2]), (1, True, [1])
  )
  def test_stages(self, num_epochs, is_halved, expected):
    self.assertEqual(choice_lib.stages(num_epochs, is_halved), expected)

  def test_the_better_half_goes_on(self):
    scores = {"a": 0.5, "b": 0.7, "c": 0.5, "d": 0.1, "e": 0.6}
    # Of equals, the one that was named first.
    self.assertEqual(
      choice_lib.rank(scores, is_last=False), (["b", "e", "a"], ["c", "d"])
    )
    self.assertEqual(
      choice_lib.rank(scores, is_last=True), (["b", "e", "a", "c", "d"], [])
    )

  def test_the_last_ten_epochs_count(self):
    accuracies = np.linspace(0, 1, 21)
    np.testing.assert_allclose(choice_lib.score(accuracies, 21), 0.775)
    np.testing.assert_allclose(choice_lib.score(accuracies, 2), 0.025)

  def test_only_examples_count_that_one_alone_gets_right(self):
    first = np.array([1, 1, 1, 0] * 25, bool)
    low, high = choice_lib.interval_of_difference(0.25, first, first)
    self.assertEqual((low, high), (0.25, 0.25))
    second = np.array([1, 1, 0, 0] * 25, bool)
    low, high = choice_lib.interval_of_difference(0.25, first, second)
    error = 1.96 * np.sqrt(0.25 * 0.75 / 100)
    np.testing.assert_allclose([low, high], [0.25 - error, 0.25 + error])


class FormatTest(parameterized.TestCase):
  def test_who_cannot_be_told_from_the_best_is_named(self):
    first, other = candidates.create(_CONFIG, ["gce", "elr"])
    second = choice_lib.Trial(other, 12, 0.79, 2.0, behind=(-0.02, 0.04))
    choice = choice_lib.Choice(
      (
        choice_lib.Trial(first, 12, 0.8, 3.0),
        second,
      ),
      100,
    )
    text = " ".join(choice_lib.format_choice(choice).split())
    self.assertRegex(text, r"Chosen: gce, .* No clear winner: .* it from elr")
    # Both cannot be told apart, so what they cost counts.
    self.assertIn("If cost counts, take elr.", text)
    almost = dataclasses.replace(second, seconds=2.5)  # As times go, the same.
    text = choice_lib.format_choice(
      choice_lib.Choice((choice.trials[0], almost), 100)
    )
    self.assertNotIn("If cost counts", text)
    text = " ".join(choice_lib.format_choice(choice).split())
    self.assertIn("-2.0 to +4.0", text)
    trials = (
      choice.trials[0],
      dataclasses.replace(second, behind=(0.01, 0.07)),
    )
    text = choice_lib.format_choice(choice_lib.Choice(trials, 100))
    self.assertIn("Chosen: gce, ahead of the others by more than", text)

  def test_who_was_stopped_is_not_said_to_be_worse(self):
    first, other, third = candidates.create(_CONFIG, ["gce", "elr", "sce"])
    best, stopped = (
      choice_lib.Trial(first, 12, 0.8, 3.0),
      choice_lib.Trial(other, 3, 0.5, 1.0),
    )
    text = choice_lib.format_choice(choice_lib.Choice((best, stopped), 100))
    text = " ".join(text.split())
    self.assertIn("choices among all methods were 3.9 points behind", text)
    self.assertIn("Chosen: gce, the only one that trained to its end.", text)
    self.assertIn("stopped were behind by then; they might have", text)
    self.assertIn("the mean of the last 10 epochs, or of all if fewer;", text)
    behind = choice_lib.Trial(third, 12, 0.7, 3.0, behind=(0.05, 0.15))
    text = choice_lib.format_choice(
      choice_lib.Choice((best, behind, stopped), 100)
    )
    text = " ".join(text.split())
    self.assertIn("ahead of the others by more than chance", text)
    self.assertIn("stopped were behind by then; they might have", text)

  def test_what_was_measured_of_methods_is_not_said_of_options(self):
    sweep = candidates.create(_CONFIG, ["gce"], ["gce_q=0.5,0.7"])
    trials = [
      choice_lib.Trial(each, 12, 0.8, 3.0, (0.01, 0.02)) for each in sweep
    ]
    self.assertNotIn(
      "Measured",
      choice_lib.format_choice(choice_lib.Choice(tuple(trials), 100)),
    )

  @parameterized.parameters(
    (1, "after one epoch"),
    (3, "the mean of the last 3 epochs"),
    (12, "the mean of the last 10 epochs"),
  )
  def test_says_which_epochs_a_score_is_of(self, num_epochs, said):
    trials = [
      choice_lib.Trial(each, num_epochs, 0.8, 3.0, (0.01, 0.02))
      for each in candidates.create(_CONFIG, ["gce", "elr"])
    ]
    text = choice_lib.format_choice(choice_lib.Choice(tuple(trials), 100))
    self.assertIn(f"on 100 noisy labels, {said};", " ".join(text.split()))

  def test_who_failed_comes_last_with_the_reason(self):
    first, other, third = candidates.create(_CONFIG, ["gce", "elr", "sce"])
    trials = (
      choice_lib.Trial(first, 12, 0.8, 3.0),
      choice_lib.Trial(other, 12, 0.7, 3.0, behind=(0.05, 0.15)),
      choice_lib.Trial(third, 4, np.nan, 1.0, failure="The loss is NaN"),
    )
    choice = choice_lib.Choice(trials, 100)
    self.assertEqual((choice.stopped, choice.failed), ([], [trials[2]]))
    text = choice_lib.format_choice(choice)
    self.assertRegex(text, r"\nsce +4 +failed +1.0 s\n")
    text = " ".join(text.split())
    self.assertIn("sce failed: The loss is NaN", text)
    self.assertIn("ahead of the others by more than chance", text)
    self.assertIn("the mean of the last 10 epochs;", text)
    text = choice_lib.format_choice(choice_lib.Choice(trials[::2], 100))
    self.assertIn("the only one that trained to its end", text)


if __name__ == "__main__":
  absltest.main()
