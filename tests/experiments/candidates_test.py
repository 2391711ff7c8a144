"""Tests of what a choice is among."""

from absl.testing import absltest, parameterized

from nct_tf import errors
from nct_tf.experiments import candidates
from tests.support import tiny_run


def config(**changes):
  return tiny_run.tiny_config(workdir="runs", **changes)


class CandidatesTest(parameterized.TestCase):
  def test_all_combinations_of_methods_and_of_the_options_that_they_have(self):
    found = candidates.create(
      config(),
      ["standard", "elr"],
      ["elr_lambda=1,3", "learning_rate=0.1,0.01", "nesterov=True"],
    )
    self.assertEqual(
      [each.name for each in found],
      [
        "standard learning_rate=0.1 nesterov=True",
        "standard learning_rate=0.01 nesterov=True",
        "elr elr_lambda=1.0 learning_rate=0.1 nesterov=True",
        "elr elr_lambda=1.0 learning_rate=0.01 nesterov=True",
        "elr elr_lambda=3.0 learning_rate=0.1 nesterov=True",
        "elr elr_lambda=3.0 learning_rate=0.01 nesterov=True",
      ],
    )
    last = found[-1].config
    self.assertEqual(last.method_options.elr_lambda, 3.0)
    self.assertEqual(last.learning_rate, 0.01)
    self.assertLen({each.config.workdir for each in found}, len(found))

  def test_the_papers_parameter_if_nothing_is_said(self):
    found = candidates.create(config(method="nct"))
    self.assertEqual(
      [each.config.method_options.target_variability_max for each in found],
      [0.0, 0.1, 0.3, 0.5, 0.7, 0.9],
    )

  @parameterized.parameters(
    (("standard",), (), "at least two.*standard alone"),
    (("standard", "elr"), ("elr_lamda=1",), "OPTION=VALUE.*mean elr_lambda"),
    (("standard", "elr"), ("elr_lambda",), "OPTION=VALUE"),
    (("standard", "elr"), ("seed=1,2",), "seed.* in common.*sweep=seed=1,2"),
    (("standard", "elr"), ("noise_rate=0.1,0.2",), "label noise.* in common"),
    (("standard", "elr"), ("num_epochs=1,2",), "epochs in common"),
    (("standard", "elr"), ("workdir=a,b",), "OPTION=VALUE"),
    (("standard", "elr"), ("gce_q=1",), "gce_q, which belongs to gce"),
    (("elr",), ("elr_lambda=a",), "values that `elr_lambda` may have"),
    (("elr",), ("elr_beta=0.5,2",), "`elr_beta`"),
    (("elr",), ("elr_beta=0.5", "elr_beta=0.7"), "each option once"),
  )
  def test_what_cannot_be_is_refused(self, methods, sweeps, message):
    with self.assertRaisesRegex(errors.InvalidInputError, message):
      candidates.create(config(), methods, sweeps)


if __name__ == "__main__":
  absltest.main()
