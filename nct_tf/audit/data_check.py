"""A look at a dataset before anybody trains on it."""

import numpy as np

from nct_tf import datasets, errors
from nct_tf.input_pipeline import run_data
from nct_tf.training import cost


def check(config, say):
  """Tells all that is amiss with a dataset, and what training would cost.

  Args:
    config: a `TrainConfig`; a workdir is not needed.
    say: function that takes a line or more of text to print.

  Returns:
    dict ready for JSON: `class_names`; `image_shape`; `counts`, dict from split
    to the number of examples of each class; `num_epochs`; and those of
    `cost.estimate`.

  Raises:
    InvalidInputError: if the dataset is refused, after all else was told.
  """
  findings = datasets.examine(
    config.dataset, config.test_fraction, config.cache_dir
  )
  for finding in findings:
    say(finding.describe())
  refused = sum(finding.is_refused for finding in findings)
  if refused:
    raise errors.InvalidInputError(
      f"Dataset {config.dataset} is refused for {refused} of the above"
    )
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
    **cost.estimate(config, dataset, noisy),
  }
