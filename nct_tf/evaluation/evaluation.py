"""Measures how good a finished run is."""

import functools
import logging

import numpy as np
from sklearn import metrics as sklearn_metrics
import tensorflow as tf

from nct_tf import errors, metrics
from nct_tf.evaluation import prediction
from nct_tf.input_pipeline import noisy_dataset, run_data
from nct_tf.options import data as data_options
from nct_tf.reporting import text_tables
from nct_tf.system import devices
from nct_tf.workdir import (
  data_changes,
  data_record,
  restoring,
  result as result_lib,
  run_dataset,
)

_logger = logging.getLogger(__name__)

_REMEDY = (
  f"{run_dataset.RESTORE}, or evaluate on what is there now by --other_data"
)
_NUM_CALIBRATION_BINS = 15
# A confusion matrix of more classes is too large for a screen.
_MAX_MATRIX_CLASSES = 20
_PARTS_NOTE = (
  "A decision was made about images that looked suspicious. The networks find "
  "these harder than the others, so compare each part with itself alone."
)


def evaluate_run(
  directory,
  checkpoint="last",
  use_ema=None,
  cache=None,
  cache_dir=None,
  label_decisions=None,
  dataset=None,
  other_data=False,
):
  """Evaluates a finished run on its dataset's test splits.

  Args:
    directory: a `Workdir`.
    checkpoint: str, see `restoring.restore`.
    use_ema: bool, see there.
    cache: str, where images are kept, see `datasets.load`.
    cache_dir: str, see there.
    label_decisions: str, files of decisions about the test labels, see the
      option of training; None for the run's own.
    dataset: str, where the data are now; None for where they were.
    other_data: bool, whether they may be other ones than the run was trained
      on, if they have the same classes. The run's own label decisions are not
      for those.

  Returns:
    dict, see `evaluate`; `dataset`, what was evaluated on; `other_data`, see
    `_load_other`, or None; `test_labels`, see
    `noisy_dataset.describe_test_labels`; `label_decisions`, the files, or None;
    `test_parts` is a dict from each of
    `noisy_dataset.test_parts` to a dict of its `num_examples`,
    `ensemble_accuracy` and `top5_accuracy`; `extra_tests` is one from the name
    of each further test split.

  Raises:
    InvalidInputError: if the run has not finished, if its label decisions are
      gone, or if its data are gone or other ones.
  """
  model, config, result = restoring.restore(directory, checkpoint, use_ema)
  changes = {"cache": cache, "cache_dir": cache_dir}
  if label_decisions:
    changes["label_decisions"] = label_decisions
  other = None
  if other_data:
    test_config, dataset, other = _load_other(
      directory, result, dataset, changes
    )
    if other and not label_decisions:  # The run's own are about its own data.
      test_config = test_config.replace(label_decisions=None)
  else:
    test_config = run_dataset.configure(directory, dataset, **changes)
    dataset = run_dataset.load(directory, test_config, _REMEDY)
  logits = functools.partial(prediction.predict, model, config, result)
  test = run_data.load_test_examples(test_config, dataset)
  devices.log()
  test_logits = logits(test)
  return {
    "method": result["method"],
    "dataset": test_config.dataset,
    "other_data": other,
    "test_labels": noisy_dataset.describe_test_labels(dataset, test),
    "label_decisions": test_config.label_decisions,
    **evaluate(test_logits, test.given_labels, dataset.class_names),
    "test_parts": {
      name: _ensemble_accuracies(
        test_logits.mean(0)[mask], test.given_labels[mask]
      )
      for name, mask in noisy_dataset.test_parts(test).items()
    },
    "extra_tests": {
      name: _ensemble_accuracies(logits(examples).mean(0), examples.true_labels)
      for name, examples in noisy_dataset.extra_tests(dataset).items()
    },
  }


def _load_other(directory, result, dataset, changes):
  """Loads data that may be other ones than a run was trained on.

  Returns:
    a triple: their `TrainConfig`; the `ImageDataset`; None if they are the same
    after all, else a dict ready for JSON: `changes`, in what they differ, and
    `num_trained_on`, how many of their test pictures the run was trained on,
    each None if nobody knows.

  Raises:
    InvalidInputError: if they do not have the run's classes and image shape.
  """
  height, width, _ = result["image_shape"]
  if height == width:
    changes = {**changes, "image_size": height}
  config = run_dataset.configure(directory, **changes)
  own_dataset = config.dataset
  if dataset is not None:
    config = config.replace(dataset=dataset).with_absolute_places()
  run_dataset.check_place(directory, config)
  loaded = run_data.load_dataset(config)
  now = data_record.of_dataset(loaded)
  misfit = data_changes.describe_form(
    result["class_names"], result["image_shape"], now
  )
  if misfit:
    raise errors.InvalidInputError(
      f"The run in {directory.path} cannot be evaluated on {config.dataset}, "
      f"whose classes and image shape must be its own: {misfit}"
    )
  before = data_record.read(directory.data_file)
  if before and _is_of_files(own_dataset) == _is_of_files(config.dataset):
    other = _compare(before, now)
  else:
    other = {"changes": None, "num_trained_on": None}
  if other:
    splits = (loaded.train_labels, loaded.validation_labels, loaded.test_labels)
    num_all = sum(len(labels) for labels in splits if labels is not None)
    split = (
      f"the test split of {config.dataset}, {len(loaded.test_labels):,} of its "
      f"{num_all:,} examples"
    )
    _logger.warning("%s", _describe_risk(split, other))
  return config, loaded, other


def _is_of_files(dataset):
  """Returns whether digests are those of an index of picture files."""
  return data_options.split_place(dataset)[0] in ("folder", "csv")


def _compare(before, now):
  """Returns the dict of `_load_other`."""
  changes = data_changes.describe(before, now)
  if changes is None:
    return None
  trained_on, tested_on = (
    record.splits[split].digests
    for record, split in ((before, "train"), (now, "test"))
  )
  num_trained_on = None
  if trained_on is not None and tested_on is not None:
    num_trained_on = int(np.isin(tested_on, trained_on).sum())
  return {"changes": changes, "num_trained_on": num_trained_on}


def _describe_risk(split, other):
  text = (
    f"Evaluates on {split}: other data than the run was trained on "
    f"({other['changes'] or 'in what they differ is not known'})."
  )
  count = other["num_trained_on"]
  if count is None:
    return (
      f"{text} Pictures that the run was trained on may be among its test "
      "pictures, and make the accuracy too high"
    )
  if count:
    return (
      f"{text} It was trained on {count:,} of the test pictures: the accuracy "
      "is too high"
    )
  return f"{text} It was trained on none of the test pictures"


def evaluate(logits, labels, class_names):
  """Measures predictions against labels.

  Args:
    logits: float array [num_networks, num_examples, num_classes].
    labels: integer array [num_examples].
    class_names: sequence of str [num_classes].

  Returns:
    dict ready for JSON. Accuracies are fractions. `confusion_matrix` has a row
    for each label and a column for each prediction. `per_class_accuracy` is the
    share of each class's examples that was recognised, None for a class without
    examples. `top5_accuracy`, given for more than five classes, is the share of
    examples whose label is among the ensemble's five most likely ones.
  """
  joint = logits.mean(axis=0)
  predicted = joint.argmax(axis=-1)
  matrix = sklearn_metrics.confusion_matrix(
    labels, predicted, labels=np.arange(len(class_names))
  )
  totals = matrix.sum(axis=1)
  per_class = {
    name: float(matrix[index, index] / totals[index]) if totals[index] else None
    for index, name in enumerate(class_names)
  }
  probabilities = tf.nn.softmax(joint).numpy()
  result = {
    **_ensemble_accuracies(joint, labels),
    "balanced_accuracy": float(
      np.mean([share for share in per_class.values() if share is not None])
    ),
  }
  for number, network_logits in enumerate(logits, start=1):
    hits = network_logits.argmax(axis=-1) == labels
    result[f"network{number}_accuracy"] = float(np.mean(hits))
  return {
    **result,
    "cohen_kappa": float(sklearn_metrics.cohen_kappa_score(labels, predicted)),
    "matthews_correlation": float(
      sklearn_metrics.matthews_corrcoef(labels, predicted)
    ),
    "expected_calibration_error": expected_calibration_error(
      probabilities, labels
    ),
    "per_class_accuracy": per_class,
    "confusion_matrix": matrix.tolist(),
  }


def _ensemble_accuracies(joint, labels):
  """Returns `num_examples`, `ensemble_accuracy`, `top5_accuracy`: dict.

  Args:
    joint: float array [num_examples, num_classes], the ensemble's logits.
    labels: integer array [num_examples].
  """
  result = {
    "num_examples": len(labels),
    "ensemble_accuracy": float(np.mean(joint.argmax(axis=-1) == labels)),
  }
  if joint.shape[-1] > metrics.NUM_TOP_CLASSES:
    hits = metrics.correct_within(
      joint.astype(np.float32), labels, metrics.NUM_TOP_CLASSES
    )
    result["top5_accuracy"] = float(np.mean(hits))
  return result


def expected_calibration_error(
  probabilities, labels, num_bins=_NUM_CALIBRATION_BINS
):
  """Returns how far confidence and accuracy lie apart.

  `sum over bins of |bin| / n * |accuracy(bin) - confidence(bin)|`, with bins
  of equal width over the largest probability.

  Args:
    probabilities: float array [num_examples, num_classes].
    labels: integer array [num_examples].
    num_bins: int.

  Returns:
    float in [0, 1].

  References:
    Guo et al., "On Calibration of Modern Neural Networks", 2017, Equation 3.
  """
  confidence = probabilities.max(axis=-1)
  hits = probabilities.argmax(axis=-1) == labels
  # A bin is open on the left, so that 1.0 falls into the last bin.
  bins = np.ceil(confidence * num_bins).astype(int).clip(1, num_bins)
  gaps = [
    abs(np.sum(hits[bins == number]) - np.sum(confidence[bins == number]))
    for number in range(1, num_bins + 1)
  ]
  return float(np.sum(gaps) / len(labels))


def format_evaluation(scores):
  """Returns tables of what `evaluate_run` measured.

  Args:
    scores: its dict.
  """
  classes = scores["per_class_accuracy"]
  where = f"on {result_lib.name_test_split(scores)}"
  if scores.get("other_data"):
    where += f" of {scores['dataset']}"
  parts = [
    text_tables.format_table(_format_overall(scores), (where, scores["method"]))
  ]
  for key, title in (
    ("test_parts", "part of the test split"),
    ("extra_tests", "further test split"),
  ):
    if scores.get(key):
      parts.append(_format_parts(scores[key], title))
  if scores.get("test_parts"):
    parts.append(_PARTS_NOTE)
  rows = [(name, text_tables.percent(share)) for name, share in classes.items()]
  parts.append(text_tables.format_table(rows, ("class", "accuracy")))
  if len(classes) <= _MAX_MATRIX_CLASSES:
    matrix = scores["confusion_matrix"]
    rows = [(name, *row) for name, row in zip(classes, matrix, strict=True)]
    header = ("label \\ predicted", *classes)
    parts.append(text_tables.format_table(rows, header))
  return "\n\n".join(parts)


def _format_parts(parts, title):
  """Returns a table of test examples by a name: dicts of accuracies."""
  rows = [
    (
      name,
      each["num_examples"],
      text_tables.percent(each["ensemble_accuracy"]),
      text_tables.percent(each.get("top5_accuracy")),
    )
    for name, each in parts.items()
  ]
  return text_tables.format_table(
    rows, (title, "examples", "ensemble accuracy", "top5 accuracy")
  )


def _format_overall(scores):
  """Returns the rows of a table: pairs of str."""
  accuracies = [
    (name.replace("_", " "), text_tables.percent(value))
    for name, value in scores.items()
    if name.endswith("_accuracy") and name != "per_class_accuracy"
  ]
  others = ("cohen_kappa", "matthews_correlation", "expected_calibration_error")
  return accuracies + [
    (name.replace("_", " "), f"{scores[name]:.4f}") for name in others
  ]
