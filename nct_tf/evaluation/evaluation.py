"""Measures how good a finished run is."""

import dataclasses
import functools

import numpy as np
from sklearn import metrics as sklearn_metrics
import tensorflow as tf

from nct_tf import metrics
from nct_tf.evaluation import prediction
from nct_tf.input_pipeline import noisy_dataset, run_data
from nct_tf.reporting import text_tables
from nct_tf.workdir import restoring, result as result_lib

_NUM_CALIBRATION_BINS = 15
# A confusion matrix of more classes is too large for a screen.
_MAX_MATRIX_CLASSES = 20


def evaluate_run(
  directory,
  checkpoint="last",
  use_ema=None,
  cache=None,
  cache_dir=None,
  label_decisions=None,
):
  """Evaluates a finished run on its dataset's test splits.

  Args:
    directory: a `Workdir`.
    checkpoint: str, see `restoring.restore`.
    use_ema: bool, see there.
    cache: str, where images are kept, see `datasets.load`.
    cache_dir: str, see there.
    label_decisions: str, a file of decisions about the test labels, see
      `label_decisions.read`; None for the run's own.

  Returns:
    dict, see `evaluate`; `test_labels`, see
    `noisy_dataset.describe_test_labels`; `label_decisions`, the file, or None;
    `test_parts` is a dict from each of
    `noisy_dataset.test_parts` to a dict of its `num_examples`,
    `ensemble_accuracy` and `top5_accuracy`; `extra_tests` is one from the name
    of each further test split.

  Raises:
    InvalidInputError: if the run has not finished, or its data or its label
      decisions are gone.
  """
  model, config, result = restoring.restore(directory, checkpoint, use_ema)
  test_config = dataclasses.replace(
    config,
    cache=cache,
    cache_dir=cache_dir,
    label_decisions=label_decisions or config.label_decisions,
  )
  dataset = run_data.load_dataset(test_config)
  logits = functools.partial(prediction.predict, model, config, result)
  test = run_data.load_test_examples(test_config, dataset)
  test_logits = logits(test)
  return {
    "method": result["method"],
    "dataset": result["dataset"],
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
  parts = [
    text_tables.format_table(_format_overall(scores), (where, scores["method"]))
  ]
  for key, title in (
    ("test_parts", "part of the test split"),
    ("extra_tests", "further test split"),
  ):
    if scores.get(key):
      parts.append(_format_parts(scores[key], title))
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
