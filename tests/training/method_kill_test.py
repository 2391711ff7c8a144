"""Runs of methods that are killed within each phase end as if undisturbed."""

import pathlib
import tempfile

from absl.testing import absltest, parameterized

from tests.support import interrupted_runs, long_tests

_SETTINGS = (
  *(f for f in interrupted_runs.TINY if "target_variability" not in f),
  "--network=mlp",
  "--width=8",
)
_OFTEN = ("--checkpoint_every_minutes=0.000001",)


@long_tests.only
class MethodKillTest(parameterized.TestCase):
  @parameterized.named_parameters(
    # Both phases; the second begins with a restart.
    ("forward_correction", "forward_correction", (), (1, 4, 6)),
    # With examples held out, while the forget rate rises, and after that.
    (
      "co_teaching",
      "co_teaching",
      ("--forget_warmup_epochs=2", "--forget_rampup_epochs=3"),
      (1, 3, 6),
    ),
    (
      "co_teaching_plus",
      "co_teaching_plus",
      ("--forget_rate=0.3", "--agreement_epochs=4"),
      (2, 5),
    ),
    ("jocor", "jocor", ("--forget_rate=true",), (3,)),
    ("decoupling", "decoupling", ("--agreement_epochs=2",), (1, 4)),
    (
      "gce",
      "gce",
      (
        "--gce_truncation=0.5",
        "--gce_prune_epochs=3",
        "--gce_prune_every_epochs=2",
      ),
      (1, 4),
    ),
    # All examples, then easy ones, then hard ones in part.
    ("mentornet", "mentornet", ("--num_epochs=11",), (0, 5, 10)),
    ("elr", "elr", (), (3,)),
    # Plain, while the made-up labels' weight rises, and after that.
    (
      "mlnt",
      "mlnt",
      (
        "--mlnt_plain_epochs=2",
        "--mlnt_label_sets=2",
        "--mlnt_rampup_start=0.1",
        "--mlnt_rampup_end=0.5",
      ),
      (1, 3, 6),
    ),
    ("meta_cleaner", "meta_cleaner", (), (3,)),
    ("mixup", "mixup", (), (3,)),
    # In the warm-up, just after it, and while guessed labels count.
    (
      "dividemix",
      "dividemix",
      ("--dividemix_warmup_epochs=2", "--loss_history_epochs=2"),
      (1, 2, 5),
    ),
    # Mixup, dynamic mixup, and the correction.
    (
      "m_correction",
      "m_correction",
      ("--m_correction_type=soft", "--dynamic_mixup_epochs=2"),
      (1, 3, 6),
    ),
    # Before labels may be mixed, and after that.
    ("d2l", "d2l", ("--d2l_init_epochs=1",), (1, 6)),
    # Given, learned and fixed labels; the last in three parts.
    (
      "pencil",
      "pencil",
      (
        "--pencil_begin_epochs=2",
        "--pencil_correction_epochs=3",
        "--pencil_final_learning_rate=0.01",
      ),
      (1, 3, 6),
    ),
    # Given and replaced labels; after the restart.
    (
      "joint_optim",
      "joint_optim",
      ("--joint_replace_epochs=2", "--joint_first_epochs=4"),
      (1, 3, 5),
    ),
    # Iterations of two epochs; then what is selected, with candidates at last.
    (
      "incv",
      "incv",
      (
        "--incv_iterations=2",
        "--incv_epochs=4",
        "--incv_mix_epochs=2",
        "--incv_noise_pattern=symmetric",
      ),
      (0, 2, 3, 5, 6),
    ),
  )
  def test_ends_as_if_undisturbed(self, method, options, epochs):
    folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    flags = (*_SETTINGS, f"--method={method}", *options)
    code, text = interrupted_runs.finish(
      interrupted_runs.start(folder / "undisturbed", *flags)
    )
    self.assertEqual(code, 0, text)
    workdir = folder / "killed"
    for epoch in epochs:
      process = interrupted_runs.start(workdir, *flags, *_OFTEN)
      is_within = interrupted_runs.has_come_to(workdir, epoch, 12)
      self.assertTrue(interrupted_runs.wait_for(process, is_within))
      process.kill()
      interrupted_runs.finish(process)
      self.assertFalse((workdir / "result.json").exists())
    code, text = interrupted_runs.finish(
      interrupted_runs.start(workdir, *flags, *_OFTEN)
    )
    self.assertEqual(code, 0, text)
    self.assertIn("Goes on from", text)
    self.assertEmpty(
      interrupted_runs.differences(folder / "undisturbed", workdir)
    )


if __name__ == "__main__":
  absltest.main()
