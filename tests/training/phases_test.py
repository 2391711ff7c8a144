from unittest import mock

from absl.testing import absltest, parameterized

from nct_tf import errors
from nct_tf.models import classifier
from nct_tf.training import phases
from nct_tf.workdir import checkpoints

BEGIN = classifier.Phase("begin", 2)
SLOW = classifier.Phase("slow", 1, learning_rate=0.1)
AGAIN = classifier.Phase("again", 3, restart=True)


class PhasesTest(parameterized.TestCase):
  def test_each_epoch_has_one(self):
    all_phases = phases.Phases([BEGIN, SLOW, AGAIN], 6)
    self.assertLen(all_phases, 3)
    self.assertEqual(
      [all_phases.number(epoch) for epoch in range(8)],
      [0, 0, 1, 2, 2, 2, 2, 2],
    )
    self.assertEqual(
      [all_phases.learning_rate(epoch) for epoch in range(4)],
      [None, None, 0.1, None],
    )
    self.assertEqual(
      [epoch for epoch in range(6) if all_phases.restarts(epoch)], [3]
    )
    self.assertTrue(all_phases.any_restart)
    self.assertEqual(
      [all_phases.in_schedule(epoch) for epoch in range(7)],
      [(0, 3), (1, 3), (2, 3), (0, 3), (1, 3), (2, 3), (3, 3)],
    )
    self.assertFalse(phases.Phases([BEGIN, SLOW], 3).any_restart)

  def test_trainings_end_where_the_next_one_begins(self):
    first = classifier.Phase("first", 1, restart=True)
    one = phases.Phases([first, BEGIN, AGAIN], 6)
    self.assertEqual(one.longest_schedule, 3)
    self.assertEqual(
      [one.in_schedule(epoch)[0] for epoch in range(4)], [0, 1, 2, 0]
    )
    self.assertEqual(phases.Phases([BEGIN, SLOW], 3).longest_schedule, 3)

  def test_a_schedule_may_begin_anew_without_a_restart(self):
    anew = classifier.Phase("anew", 2, anew=True)
    both = phases.Phases([BEGIN, anew], 4)
    self.assertFalse(both.any_restart)
    self.assertEqual(
      [both.in_schedule(epoch) for epoch in range(4)],
      [(0, 2), (1, 2), (0, 2), (1, 2)],
    )

  @parameterized.parameters(
    ([BEGIN, SLOW], 4),
    ([BEGIN, SLOW], 2),
    ([BEGIN, classifier.Phase("empty", 0)], 2),
  )
  def test_refuses_other_numbers_of_epochs(self, chosen, num_epochs):
    with self.assertRaisesRegex(
      errors.InvalidInputError, r"each phase .*begin 2.*num_epochs=\d"
    ):
      phases.Phases(chosen, num_epochs)


class PhaseBeginTest(absltest.TestCase):
  def test_averages_count_from_the_last_restart(self):
    state = mock.Mock(position=checkpoints.Position(0))
    all_phases = phases.Phases([BEGIN, SLOW, AGAIN], 6)
    begin = phases.PhaseBegin(mock.Mock(), all_phases, state, num_steps=5)
    for epoch in range(6):
      begin.on_epoch_begin(epoch)
    # A run that goes on within an epoch is told so, too.
    state.position = checkpoints.Position(4, 2)
    begin.on_epoch_begin(4)
    self.assertEqual(
      [call.args for call in state.count_average_from.call_args_list],
      [(0,), (0,), (0,), (15,), (15,), (15,), (15,)],
    )


if __name__ == "__main__":
  absltest.main()
