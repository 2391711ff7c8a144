"""Runs that are killed again and again end as if nobody had disturbed them.

`make test-long` has it make 21 kills in runs of three kinds, `make torture`
200. NCT_TF_NUM_KILLS says any other number.
"""

import os
import pathlib
import tempfile
import unittest

from absl.testing import absltest

from tests.support import interrupted_runs, long_tests

_NUM_KILLS = int(
  os.environ.get("NCT_TF_NUM_KILLS", 21 if long_tests.IS_ON else 0)
)
_KILLS_PER_RUN = max(1, min(_NUM_KILLS // 3, 20))

_OFTEN = ("--checkpoint_every_minutes=0.002",)
_KINDS = {
  "one device": (),
  "two replicas": ("--strategy=mirrored", "--num_virtual_cpus=2"),
  "held-out data, average, float16": (
    "--validation_fraction=0.25",
    "--ema_decay=0.99",
    "--clip_norm=1.0",
    "--mixed_precision=float16",
  ),
}


@unittest.skipUnless(_NUM_KILLS, "takes minutes")
class ResumeKillTest(absltest.TestCase):
  def test_ends_as_if_nobody_had_disturbed_it(self):
    folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    killer = interrupted_runs.Killer(seed=0)
    undisturbed = {}
    found = []
    num_runs = 0
    while killer.num_kills < _NUM_KILLS:
      kind = list(_KINDS)[num_runs % len(_KINDS)]
      flags = (*interrupted_runs.TINY, *_KINDS[kind])
      if kind not in undisturbed:
        undisturbed[kind] = folder / f"undisturbed{num_runs}"
        code, text = interrupted_runs.finish(
          interrupted_runs.start(undisturbed[kind], *flags)
        )
        self.assertEqual(code, 0, text)
      workdir = folder / f"run{num_runs}"
      killer.run_to_the_end(
        workdir,
        (*flags, *_OFTEN),
        min(_KILLS_PER_RUN, _NUM_KILLS - killer.num_kills),
      )
      found += interrupted_runs.differences(undisturbed[kind], workdir)
      num_runs += 1
      print(
        f"{num_runs} runs, {killer.num_kills} kills, of them "
        f"{killer.num_kills_while_writing} while a checkpoint was written; "
        f"{killer.num_resumes} resumes; "
        f"{killer.num_epochs_lost} epochs lost; differences: {found or 'none'}",
        flush=True,
      )
    self.assertEmpty(found)


if __name__ == "__main__":
  absltest.main()
