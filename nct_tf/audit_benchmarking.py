"""How well an audit finds wrong labels, beside cleanlab, and what it costs."""

import dataclasses
import logging
import pathlib
import tempfile

import numpy as np
from sklearn import metrics
import tensorflow as tf

from nct_tf import (
  auditing,
  classifier,
  errors,
  history as history_lib,
  training,
  workdir,
)

_NUM_FOLDS = 5
# cleanlab's label quality scores; the higher, the better the label.
_CLEANLAB_SCORES = (
  "self_confidence",
  "normalized_margin",
  "confidence_weighted_entropy",
)

_logger = logging.getLogger(__name__)


def benchmark(config, num_steps):
  """Compares average precisions of two rankings of the same labels.

  Ours is of one training of Noisy Concurrent Training. cleanlab's is of
  predictions out of sample: the same network, trained by plain cross entropy
  on all but a fifth of the examples, five times, each time until the epoch
  that predicts the held-out fifth, with its noisy labels, best.

  Args:
    config: a `TrainConfig` with label noise, or a dataset with clean labels.
    num_steps: not needed.

  Returns:
    dict ready for JSON: what was trained; `average_precision`, dict of our
    mean over the epochs (`nct_mean`), of our predictions after the last
    (`nct_last`), and of each of cleanlab's scores; `seconds`, dict of the
    training alone, without evaluations: `nct`, `standard_folds`, and
    `standard_folds_to_best`, until the epochs that were chosen.

  Raises:
    InvalidInputError: if cleanlab is not there, or no label is wrong.
  """
  del num_steps
  score_labels = _import_cleanlab()
  dataset = training.load_dataset(config)
  noisy = training.load_noisy_dataset(config, dataset)
  wrong = ~noisy.train.is_clean
  if not wrong.any() or len(noisy.validation):
    raise errors.InvalidInputError(
      "An audit is measured where some labels are known to be wrong, and none "
      "is held out: give --noise_type and --noise_rate. Received: "
      f"noise_type={config.noise_type}, "
      f"validation_fraction={config.validation_fraction}"
    )
  with tempfile.TemporaryDirectory() as folder:
    directory = workdir.Workdir(pathlib.Path(folder) / "nct")
    nct = _train(config, directory, "nct")
    last = auditing.predict(directory, noisy.train, "last", None)
    own_scores = directory.read_label_scores()
    folds = workdir.Workdir(pathlib.Path(folder) / "standard")
    _, logits = auditing.predict_folds(
      folds,
      dataclasses.replace(config, method="standard"),
      noisy,
      _NUM_FOLDS,
      "best",
      None,
    )
    standard = [
      _training_seconds(workdir.Workdir(path))
      for path in sorted(folds.folds_dir.iterdir())
    ]
  labels = noisy.train.given_labels

  def precision(quality):
    return float(metrics.average_precision_score(wrong, -quality))

  last_probabilities = _probabilities(last)
  pred_probs = _probabilities(logits)
  return {
    "dataset": dataset.name,
    "num_train_examples": len(labels),
    "noise_type": config.noise_type,
    "noise_rate": config.noise_rate,
    "wrong_rate": float(wrong.mean()),
    "network": config.network,
    "width": config.width,
    "num_epochs": config.num_epochs,
    "target_variability_max": config.target_variability_max,
    "tensorflow": tf.__version__,
    "average_precision": {
      "nct_mean": precision(own_scores),
      "nct_last": precision(last_probabilities[np.arange(len(labels)), labels]),
      **{
        f"cleanlab_{name}": precision(
          score_labels(labels, pred_probs, method=name)
        )
        for name in _CLEANLAB_SCORES
      },
    },
    "seconds": {
      "nct": nct[0],
      "standard_folds": sum(whole for whole, _ in standard),
      "standard_folds_to_best": sum(to_best for _, to_best in standard),
    },
  }


def _import_cleanlab():
  try:
    from cleanlab import rank
  except ImportError as error:
    raise errors.InvalidInputError(
      "--suite=audit compares with cleanlab: install it, as with "
      "`pip install cleanlab==2.9.0`"
    ) from error
  return rank.get_label_quality_scores


def _train(config, directory, method):
  """Trains a run; returns its `_training_seconds`."""
  training.train_and_evaluate(
    dataclasses.replace(
      config,
      method=method,
      workdir=str(directory.path),
      export_dir=None,
      monitor_every_epochs=0,
    )
  )
  return _training_seconds(directory)


def _training_seconds(directory):
  """Returns the seconds of all training steps, and of those to the best."""
  history = history_lib.History(directory.history_file).columns()
  result = directory.read_result()
  seconds = result["num_train_examples"] / history["examples_per_second"]
  return (
    float(seconds.sum()),
    float(seconds[: result["best_epoch"] + 1].sum()),
  )


def _probabilities(logits):
  return tf.nn.softmax(classifier.ensemble_logits(list(logits))).numpy()
