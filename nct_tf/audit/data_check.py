"""Checks a dataset, and estimates a training on it, before any training."""

import numpy as np

from nct_tf import datasets, errors, units
from nct_tf.input_pipeline import run_data
from nct_tf.reporting import text_tables
from nct_tf.training import automatic, cost

_SECONDS = 2.0  # How long training is timed, and evaluating.


def check(config, say):
  """Reports what is wrong with a dataset, and estimates a training on it.

  What is `auto` is chosen first, as training does.

  Args:
    config: a `TrainConfig`; it needs no workdir.
    say: function that gets each finding, one or more lines of text.

  Returns:
    dict ready for JSON: `class_names`; `image_shape`; `counts`, dict from split
    to the number of examples of each class; `num_epochs`; and those of
    `cost.estimate`.

  Raises:
    InvalidInputError: if the dataset is refused; all findings were said before.
  """
  config = config.with_absolute_places()
  findings = datasets.examine(
    config.dataset,
    config.test_fraction,
    config.cache_dir,
    config.accept_findings,
  )
  for finding in findings:
    say(finding.describe())
  refused = sum(finding.is_refused for finding in findings)
  if refused:
    raise errors.InvalidInputError(
      f"Dataset {config.dataset} is refused for {refused} of the above"
    )
  if config.automatic_options:
    choice = automatic.choose(config)
    say(choice.describe())
    config = choice.config
  dataset = run_data.load_dataset(config)
  noisy = run_data.load_noisy_dataset(config, dataset)
  counts = {
    name: np.bincount(labels, minlength=dataset.num_classes).tolist()
    for name, labels in (
      ("training", noisy.train.given_labels),
      ("validation", noisy.validation.given_labels),
      ("test", noisy.test.given_labels),
    )
    if len(labels)
  }
  return {
    "class_names": list(dataset.class_names),
    "image_shape": list(dataset.image_shape),
    "counts": counts,
    "num_epochs": config.num_epochs,
    **cost.estimate(config, dataset, noisy, seconds=_SECONDS),
  }


def format_check(check):
  """Returns tables of what `check` found.

  Args:
    check: its dict.
  """
  counts = check["counts"].values()
  classes = [
    *zip(check["class_names"], *counts, strict=True),
    ("all", *map(sum, counts)),
  ]
  size = "x".join(map(str, check["image_shape"]))
  rows = [
    ("images", size),
    ("parameters", f"{check['num_parameters']:,}"),
    ("memory", units.num_bytes(check["memory_bytes"])),
    ("an epoch's work", units.operations(check["epoch_flops"])),
    (
      "a step",
      f"{units.seconds(check['step_seconds'])}, "
      f"{check['steps_per_epoch']:,} an epoch",
    ),
    (
      "an epoch",
      f"{units.seconds(check['epoch_seconds'])}, "
      f"{units.seconds(check['evaluation_seconds'])} of it evaluation",
    ),
    (
      f"all {check['num_epochs']} epochs",
      f"{units.seconds(3600 * check['hours'])} on this machine",
    ),
  ]
  return "\n\n".join(
    [
      text_tables.format_table(rows, ("training", "")),
      text_tables.format_table(classes, ("class", *check["counts"])),
    ]
  )
