"""Which of the paper's experiments are run, and how."""

from absl import flags

TABLE = flags.DEFINE_integer(
  "table",
  None,
  "The paper's table, 1 to 6.",
  lower_bound=1,
  upper_bound=6,
)
CELL = flags.DEFINE_list(
  "cell",
  [],
  "Cells of the table, separated by commas; all of them if not given.",
)
DRY_RUN = flags.DEFINE_bool(
  "dry_run",
  False,
  "Print the commands, and what they would cost, without running them.",
)
JOBS = flags.DEFINE_integer(
  "jobs",
  1,
  "How many runs train at a time, sharing the processors.",
  lower_bound=1,
)
RUNS_DIR = flags.DEFINE_string(
  "runs_dir", "runs", "Folder of the runs' workdirs."
)
