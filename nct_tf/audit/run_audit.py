"""The audit of a finished run's labels: what is scored, and by which model."""

import dataclasses
import logging

import numpy as np
import tensorflow as tf

from nct_tf import errors, methods, metrics
from nct_tf.audit import label_audit, report
from nct_tf.evaluation import prediction
from nct_tf.input_pipeline import run_data
from nct_tf.models import classifier
from nct_tf.training import run
from nct_tf.workdir import layout, restoring

_logger = logging.getLogger(__name__)

_MIN_EPOCHS = 10
_MEMORISED = 0.98
_MAX_DROP = 0.1


def audit_run(
  directory,
  num_folds=None,
  checkpoint="last",
  use_ema=None,
  cache=None,
  cache_dir=None,
):
  """Ranks the training examples of a finished run, and writes `audit/`.

  An example's score is its mean over the epochs of the run itself. With
  `num_folds` the method is trained that many times more instead: each time on
  all examples but one part, which the model then scores without having seen
  it. All parts together are all examples, held-out ones included.

  Args:
    directory: the run's `Workdir`.
    num_folds: int, see above; None for the scores of the run itself.
    checkpoint: str, whose predictions are taken, `last` or `best`.
    use_ema: bool, see `restoring.restore`.
    cache: str, see `datasets.load`.
    cache_dir: str, see there.

  Returns:
    a `report.RunAudit`.

  Raises:
    InvalidInputError: if the run has not finished, its data have changed, or
      the folder cannot be written to.
  """
  config = dataclasses.replace(
    directory.read_config(), cache=cache, cache_dir=cache_dir
  )
  with directory.lock():
    dataset = run_data.load_dataset(config)
    noisy = run_data.load_noisy_dataset(config, dataset)
    directory.check_noise(noisy)
    if num_folds is None:
      examples = noisy.train
      logits = predict(directory, examples, checkpoint, use_ema)
      scores, warnings = _own_scores(directory, config.method, examples)
    else:
      examples, logits = predict_folds(
        directory, config, noisy, num_folds, checkpoint, use_ema
      )
      scores, warnings = None, ()
    result = _describe(dataset, examples, logits, scores, warnings)
    report.write(directory, result)
  return result


def _describe(dataset, examples, logits, scores, warnings):
  audit = label_audit.audit(
    examples.given_labels,
    tf.nn.softmax(classifier.ensemble_logits(list(logits))).numpy(),
    scores,
  )
  disagreement = metrics.disagreement(logits)
  return report.RunAudit(
    dataset=dataset,
    examples=examples,
    audit=audit,
    disagreement=None if disagreement is None else disagreement.numpy(),
    warnings=warnings,
    truth=label_audit.compare_with_truth(audit, examples.true_labels),
  )


def predict(directory, examples, checkpoint, use_ema):
  """Returns what a finished run predicts of examples.

  Args:
    directory: its `Workdir`.
    examples: a `noisy_dataset.Examples`.
    checkpoint: str, see `restoring.restore`.
    use_ema: bool, see there.

  Returns:
    each network's logits, float32 [num_networks, num_examples, num_classes].
  """
  restored = restoring.restore(directory, checkpoint, use_ema)
  return prediction.predict(*restored, examples)


def predict_folds(directory, config, noisy, num_folds, checkpoint, use_ema):
  """Trains once for each fold, and predicts the examples of that fold.

  What was trained before is not trained again, and a training that was stopped
  goes on.

  Args:
    directory: a `Workdir`; the runs are in its `folds_dir`.
    config: the `TrainConfig` of each training; what it holds out is set here.
    noisy: the `NoisyDataset` of it.
    num_folds: int.
    checkpoint: str, see `restoring.restore`.
    use_ema: bool, see there.

  Returns:
    a pair: all `Examples`, held-out ones too; each network's logits, float32
    [num_networks, num_examples, num_classes], of models that did not train on
    the example.
  """
  parts = []
  for fold in range(num_folds):
    _logger.info("Fold %d of %d", fold + 1, num_folds)
    part = layout.Workdir(directory.folds_dir / f"{fold}-of-{num_folds}")
    run.train_and_evaluate(
      dataclasses.replace(
        config,
        validation_fraction=0.0,
        num_folds=num_folds,
        fold=fold,
        label_scores=False,
        # A model must not see the part that it scores, not even to stop.
        early_stopping=None,
        monitor_every_epochs=0,
        workdir=str(part.path),
      )
    )
    fold_config = part.read_config()
    held_out = run_data.load_noisy_dataset(
      fold_config, run_data.load_dataset(config)
    ).validation
    parts.append((held_out.index, predict(part, held_out, checkpoint, use_ema)))
  index = np.concatenate([index for index, _ in parts])
  logits = np.concatenate([logits for _, logits in parts], axis=1)
  order = np.argsort(index)
  return noisy.all_train, logits[:, order]


def _own_scores(directory, method, examples):
  """Returns the means over the run's epochs, and warnings about them."""
  scores = directory.read_label_scores()
  warnings = []
  if scores is None:
    warnings.append(
      "The run kept no label scores (--nolabel_scores): the ranking is by the "
      "last predictions alone, which have memorised more"
    )
  elif len(scores) != len(examples):
    raise errors.InvalidInputError(
      f"{directory.label_scores_file} must hold {len(examples)} numbers. "
      f"Received: {len(scores)}"
    )
  remedy = methods.get_options(method).REMEDY
  return scores, (*warnings, *_find_warnings(directory.read_history(), remedy))


def _find_warnings(history, remedy):
  """Yields why a run's scores may not be trusted.

  Args:
    history: dict of `Workdir.read_history`.
    remedy: str, of the run's method, see `MethodOptions`.
  """
  train, held_out = (
    history[name] for name in ("ensemble_accuracy", "val_ensemble_accuracy")
  )
  num_epochs = len(train)
  if num_epochs < _MIN_EPOCHS:
    yield (
      f"The run had {num_epochs} epochs: the networks may not have learned "
      f"what tells right labels from wrong ones; {_MIN_EPOCHS} or more are "
      "better"
    )
  if train[-1] >= _MEMORISED and held_out[-1] < train[-1] - _MAX_DROP:
    yield (
      f"The run reproduces {train[-1]:.0%} of its labels, and only "
      f"{held_out[-1]:.0%} of held-out ones: it has memorised the wrong ones "
      f"too. {remedy}, or give --folds"
    )
  elif held_out[-1] < held_out.max() - _MAX_DROP:
    yield (
      f"The accuracy fell from {held_out.max():.0%} to {held_out[-1]:.0%}: "
      f"the run has begun to memorise wrong labels. {remedy}"
    )
