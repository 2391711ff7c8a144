"""How labels are audited."""

from absl import flags

FOLDS = flags.DEFINE_integer(
  "folds",
  None,
  "Train so many times more, each time on all but one part of the examples, "
  "and score that part by a model that never saw it. If not given, scores are "
  "means over the run's own epochs.",
  lower_bound=2,
)
