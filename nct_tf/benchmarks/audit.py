"""Compares the audit with cleanlab: wrong labels found, and time taken."""

import dataclasses
import pathlib
import tempfile

from sklearn import metrics
import tensorflow as tf

from nct_tf import errors, units
from nct_tf.audit import label_audit, run_audit
from nct_tf.benchmarks import training_steps
from nct_tf.evaluation import prediction
from nct_tf.input_pipeline import batching, run_data
from nct_tf.reporting import text_tables
from nct_tf.training import automatic, run
from nct_tf.workdir import layout

_NUM_FOLDS = 5
# cleanlab's label quality scores; the higher, the better the label.
_CLEANLAB_SCORES = (
  "self_confidence",
  "normalized_margin",
  "confidence_weighted_entropy",
)


def benchmark(config, num_steps):
  """Compares average precisions of two rankings of the same labels.

  Ours is of one training of the config's method. cleanlab's is of predictions
  out of sample: the same network is trained by plain cross entropy on all but
  a fifth of the examples, five times. Each time, the epoch is taken that
  predicts the held-out fifth, with its noisy labels, best.

  Args:
    config: a `TrainConfig` with label noise, or a dataset with clean labels.
    num_steps: int, how many training steps of each kind are timed.

  Returns:
    dict ready for JSON: what was trained; `average_precision`, dict of our
    mean over the epochs (`<method>_mean`), of our predictions after the last
    (`<method>_last`), and of each of cleanlab's scores; `seconds`, dict of what
    the training steps take, without evaluations: `<method>`, `standard_folds`,
    and `standard_folds_to_best`, until the epochs that were chosen. Steps are
    timed side by side, in turn, and multiplied by their number. So whatever
    else the machine does slows both alike.

  Raises:
    InvalidInputError: if cleanlab is not there, or no label is wrong.
  """
  score_labels = _import_cleanlab()
  config = automatic.resolve(config)
  dataset = run_data.load_dataset(config)
  noisy = run_data.load_noisy_dataset(config, dataset)
  wrong = ~noisy.train.is_clean
  if not wrong.any() or len(noisy.held_out):
    raise errors.InvalidInputError(
      "An audit is measured where some labels are known to be wrong, and none "
      "is held out: give --noise_type and --noise_rate. Received: "
      f"noise_type={config.noise_type}, "
      f"validation_fraction={config.validation_fraction}"
    )
  with tempfile.TemporaryDirectory() as folder:
    directory = layout.Workdir(pathlib.Path(folder) / "own")
    folds = layout.Workdir(pathlib.Path(folder) / "folds")
    own_scores, last = _train_once(config, noisy, directory)
    pred_probs = _train_folds(config, noisy, folds)
    seconds = _training_seconds(config, dataset, num_steps, directory, folds)
  labels = noisy.train.given_labels
  scores = {
    f"{config.method}_mean": own_scores,
    f"{config.method}_last": label_audit.audit(labels, last).score,
    **{
      f"cleanlab_{name}": -score_labels(labels, pred_probs, method=name)
      for name in _CLEANLAB_SCORES
    },
  }
  return {
    "method": config.method,
    "dataset": dataset.name,
    "num_train_examples": len(labels),
    "noise_type": config.noise_type,
    "noise_rate": noisy.nominal_noise_rate,
    "wrong_rate": float(wrong.mean()),
    "network": config.network,
    "width": config.width,
    "num_epochs": config.num_epochs,
    "flags": config.to_flags(),
    "tensorflow": tf.__version__,
    "average_precision": {
      name: float(metrics.average_precision_score(wrong, values))
      for name, values in scores.items()
    },
    "seconds": seconds,
  }


def _train_once(config, noisy, directory):
  """Returns the label scores of a run, and what it predicts in the end."""
  run.train_and_evaluate(
    dataclasses.replace(
      config,
      workdir=str(directory.path),
      export_dir=None,
      monitor_every_epochs=0,
    )
  )
  logits = run_audit.predict(directory, noisy.train, "last", None)
  return directory.read_label_scores(), prediction.probabilities(logits)


def _train_folds(config, noisy, folds):
  """Returns what standard training predicts of examples it did not see."""
  part = run_audit.predict_folds(
    folds,
    config.replace(method=training_steps.BASELINE),
    noisy,
    _NUM_FOLDS,
    "best",
    None,
  )
  return part.pred_probs


def _import_cleanlab():
  try:
    from cleanlab import rank
  except ImportError as error:
    raise errors.InvalidInputError(
      "--suite=audit compares with cleanlab: install it, as with "
      "`pip install cleanlab==2.9.0`"
    ) from error
  return rank.get_label_quality_scores


def _training_seconds(config, dataset, num_steps, directory, folds):
  """Returns the dict `seconds` of `benchmark`."""
  height, _, num_channels = dataset.image_shape
  own_step, single_step = training_steps.time_steps(
    dataclasses.replace(
      config,
      fake_image_size=height,
      fake_num_channels=num_channels,
      fake_num_classes=dataset.num_classes,
    ),
    num_steps,
  )
  results = [
    layout.Workdir(path).read_result() for path in folds.folds_dir.iterdir()
  ]

  def count_steps(result, num_epochs):
    return num_epochs * batching.steps_per_epoch(
      result["num_train_examples"], config.batch_size
    )

  def count_all_steps(result):
    return count_steps(result, result["num_epochs_trained"])

  own = count_all_steps(directory.read_result())
  whole = sum(map(count_all_steps, results))
  to_best = sum(
    count_steps(result, result["best_epoch"] + 1) for result in results
  )
  return {
    config.method: own * own_step,
    "standard_folds": whole * single_step,
    "standard_folds_to_best": to_best * single_step,
  }


def format_benchmark(benchmark):
  """Returns tables of what `benchmark` measured.

  Args:
    benchmark: its dict.
  """
  precisions = [
    (name.replace("_", " "), f"{value:.3f}")
    for name, value in benchmark["average_precision"].items()
  ]
  seconds = benchmark["seconds"]
  wrong = text_tables.percent(benchmark["wrong_rate"])
  own = seconds[benchmark["method"]]
  times = [
    (name.replace("_", " "), units.seconds(value), f"{value / own:.2f}")
    for name, value in seconds.items()
  ]
  return "\n\n".join(
    [
      f"{benchmark['dataset']}, {benchmark['num_train_examples']} examples, "
      f"{benchmark['noise_type']} {benchmark['noise_rate']:.4g}: "
      f"{wrong} of the labels are wrong\n"
      f"{benchmark['network']}, width {benchmark['width']}, "
      f"{benchmark['num_epochs']} epochs",
      text_tables.format_table(
        precisions, ("wrong labels", "average precision")
      ),
      text_tables.format_table(times, ("training", "time", "x ours")),
    ]
  )
