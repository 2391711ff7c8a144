"""The audit of a finished run's labels: what is scored, and by which model."""

import dataclasses
import logging
import math

import numpy as np
from sklearn import metrics as sklearn_metrics

from nct_tf import errors, methods, metrics, units
from nct_tf.audit import label_audit, report
from nct_tf.evaluation import prediction
from nct_tf.input_pipeline import noisy_dataset, run_data
from nct_tf.models import held_out as held_out_lib
from nct_tf.noise_estimation import noise_estimate
from nct_tf.system import devices
from nct_tf.training import automatic, run
from nct_tf.workdir import layout, learned, restoring, run_dataset

_logger = logging.getLogger(__name__)

_MIN_EPOCHS = 10
_MEMORISED = 0.98
_MAX_DROP = 0.1


@dataclasses.dataclass(frozen=True)
class _Part:
  """Examples of a split, with what is predicted of them.

  Attributes:
    split: str, `train`, `validation` or `test`, of the dataset.
    examples: `noisy_dataset.Examples`.
    pred_probs: float32 [num_examples, num_classes], of the ensemble.
    disagreement: float32 [num_examples] of `metrics.disagreement`; None of one
      network.
    is_held_out: bool, whether the networks did not train on the labels.
    own: float32 [num_examples], the means over a training's epochs, NaN where
      there is none; None where there are none at all.
  """

  split: str
  examples: noisy_dataset.Examples
  pred_probs: np.ndarray
  disagreement: np.ndarray | None
  is_held_out: bool
  own: np.ndarray | None = None

  @classmethod
  def of_logits(cls, split, examples, logits, is_held_out, own=None):
    """Returns the part of each network's logits, which need not stay.

    Args:
      split: see the class.
      examples: see there.
      logits: float32 [num_networks, num_examples, num_classes].
      is_held_out: see there.
      own: see there.
    """
    disagreement = metrics.disagreement(logits)
    return cls(
      split,
      examples,
      prediction.probabilities(logits),
      None if disagreement is None else disagreement.numpy(),
      is_held_out,
      own,
    )

  def scores(self, noise):
    """Returns the scores that rank: float32 [num_examples].

    Args:
      noise: a `noise_estimate.NoiseEstimate` of all parts.
    """
    labels = self.examples.given_labels
    predicted = label_audit.scores_of(labels, self.pred_probs, noise)
    if self.own is None:
      return predicted
    own = label_audit.weigh(self.own, labels, self.pred_probs, noise)
    both = (own + predicted) / 2 if self.is_held_out else own
    return np.where(np.isnan(own), predicted, both)


def audit_run(
  directory,
  num_folds=None,
  checkpoint="last",
  use_ema=None,
  cache=None,
  cache_dir=None,
  time_budget_minutes=10.0,
  force=False,
  dataset=None,
):
  """Ranks the labels of a finished run's examples, and writes the audit.

  With folds, the method is trained that many times more: each time on all
  training examples but one part, which is then predicted. A score is the mean
  of that of the fold and of the mean over the epochs of the run itself. Without
  folds it is the latter alone. The dataset's own validation split and the test
  split are audited too, by the run, unless their labels are known to be right.

  Args:
    directory: the run's `Workdir`.
    num_folds: int, see above; 0 for none; None for as many as usual, if there
      is time for it.
    checkpoint: str, whose predictions are taken, `last` or `best`.
    use_ema: bool, see `restoring.restore`.
    cache: str, see `datasets.load`.
    cache_dir: str, see there.
    time_budget_minutes: float, how long folds may take if `num_folds` is None.
    force: bool, whether to audit even what has learned nothing.
    dataset: str, where the run's data are now, see `run_dataset.configure`.

  Returns:
    a `report.RunAudit`.

  Raises:
    InvalidInputError: if the run has not finished, has learned nothing, its
      data have changed, or the folder cannot be written to.
  """
  config = run_dataset.configure(
    directory, dataset, cache=cache, cache_dir=cache_dir
  )
  with directory.lock():
    seconds = directory.read_result()["seconds"]
    dataset = run_dataset.load(directory, config)
    noisy = run_data.load_noisy_dataset(config, dataset)
    directory.check_noise(noisy)
    guessing = [_check_run(directory, dataset, noisy, force)]
    folder = directory.audit_dir(num_folds)
    if num_folds is None:
      num_folds = _choose_folds(
        config, noisy, dataset.num_classes, seconds, time_budget_minutes
      )
    devices.log()
    warnings = ()
    if num_folds:
      train = predict_folds(
        directory, config, noisy, num_folds, checkpoint, use_ema
      )
      guessing.append(_check_folds(train, force))
      train = _with_own_scores(directory, noisy, train)
    else:
      train, warnings = _predict_own(directory, noisy, checkpoint, use_ema)
    parts = [train]
    if not num_folds and len(noisy.held_out):
      logits = predict(directory, noisy.held_out, checkpoint, use_ema)
      parts.append(_Part.of_logits("train", noisy.held_out, logits, True))
    if config.noise_type == "none" and not dataset.test_labels_are_clean:
      for split in ("validation", "test")[not noisy.has_own_validation :]:
        examples = getattr(noisy, split)
        logits = predict(directory, examples, checkpoint, use_ema)
        parts.append(_Part.of_logits(split, examples, logits, True))
    if config.label_decisions or config.drop_flagged:
      # What was decided is better known than what was held out.
      warnings = ()
    guessing = tuple(filter(None, guessing))
    if not guessing:
      warnings = (*warnings, *_find_contradicted(parts))
    result = _describe(dataset, parts, num_folds, (*guessing, *warnings))
    if guessing:
      result = _without_estimate(result)
    report.write(folder, directory, result)
  return result


def _check_run(directory, dataset, noisy, force):
  """Returns why a run is worth no audit, or None; raises unless forced."""
  problem = learned.find_guessing(
    directory.read_history(), noisy.measured.given_labels, dataset.num_classes
  )
  return _refuse(problem, force)


def _check_folds(part, force):
  """As `_check_run`, of what the networks of the folds predict."""
  predicted = part.pred_probs.argmax(axis=-1)
  labels = part.examples.given_labels
  problem = learned.describe_guessing(
    np.mean(predicted == labels),
    sklearn_metrics.recall_score(labels, predicted, average="macro"),
    labels,
    part.pred_probs.shape[-1],
  )
  return _refuse(problem, force)


def _refuse(problem, force):
  if problem and not force:
    raise errors.InvalidInputError(
      f"{problem}. An audit by them would be worth nothing; --force writes it "
      "all the same"
    )
  return problem


def _choose_folds(config, noisy, num_classes, seconds, time_budget_minutes):
  """Returns the usual number of folds, or 0 where they would not do."""
  num_folds = automatic.NUM_FOLDS
  price = (num_folds - 1) * seconds  # A fold trains on the other parts.
  labels = noisy.all_train.given_labels
  if price > 60 * time_budget_minutes:
    _logger.info(
      "No folds: they would take about %s (--time_budget_minutes=%g)",
      units.seconds(price),
      time_budget_minutes,
    )
    return 0
  if np.bincount(labels).max() < num_folds:
    _logger.info("No folds: no class has %d training examples", num_folds)
    return 0
  num_learned = _num_learned(len(labels), num_folds)
  if config.method_options.is_estimated and not held_out_lib.is_enough(
    num_learned, num_classes
  ):
    _logger.info(
      "No folds: %s holds examples out, and a tenth of the %d that a fold "
      "trains on are fewer than the %d classes",
      config.method,
      num_learned,
      num_classes,
    )
    return 0
  _logger.info(
    "Trains %d times on two thirds of the examples each, to predict each label "
    "by networks that did not learn it: about %s (--folds=0 does not)",
    num_folds,
    units.seconds(price),
  )
  return num_folds


def _describe(dataset, parts, num_folds, warnings):
  def join(name):
    return np.concatenate([getattr(part.examples, name) for part in parts])

  is_held_out = np.concatenate(
    [np.full(len(part.examples), part.is_held_out) for part in parts]
  )
  if not is_held_out.any():
    warnings = (
      *warnings,
      "How many labels are wrong is not known: the networks learned these very "
      "labels. The share is that of the labels that they contradict, which may "
      f"be far off. Give --folds={automatic.NUM_FOLDS}",
    )
  labels = join("given_labels")
  pred_probs = np.concatenate([part.pred_probs for part in parts])
  noise = label_audit.find_noise(labels, pred_probs, is_held_out)
  audit = label_audit.rank(
    labels, pred_probs, _join_scores(parts, noise), noise
  )
  disagreement = None
  if parts[0].disagreement is not None:
    disagreement = np.concatenate([part.disagreement for part in parts])
  return report.RunAudit(
    dataset=dataset,
    splits=np.repeat(
      [part.split for part in parts], [len(part.examples) for part in parts]
    ),
    index=join("index"),
    true_labels=join("true_labels"),
    audit=audit,
    disagreement=disagreement,
    num_folds=num_folds,
    num_held_out=int(is_held_out.sum()),
    warnings=warnings,
    truth=label_audit.compare_with_truth(audit, join("true_labels")),
  )


def _find_contradicted(parts):
  """Yields a warning if networks contradict very many held-out labels."""
  contradicted = [
    part.pred_probs.argmax(axis=-1) != part.examples.given_labels
    for part in parts
    if part.is_held_out
  ]
  share = np.concatenate(contradicted).mean() if contradicted else 0.0
  if share > noise_estimate.MAX_CONTRADICTED:
    yield (
      f"The networks contradict {share:.0%} of the labels that "
      "they did not learn. Either very many labels are wrong, or the networks "
      "cannot tell the classes apart: then the estimate is too high, and many "
      "suggestions are wrong. Look at some before you trust them. A larger "
      "--image_size or network, or more images, may help"
    )


def _without_estimate(result):
  """Returns a `RunAudit` that says of the share of wrong labels: 0 to 100 %."""
  audit = result.audit
  unknown = dataclasses.replace(audit.noise_rate, low=0.0, high=1.0)
  return dataclasses.replace(
    result, audit=dataclasses.replace(audit, noise_rate=unknown)
  )


def _join_scores(parts, noise):
  """Returns scores of all parts that can be ranked together: float32 array.

  Means over epochs are lower than scores of the last epoch. The examples of
  both splits are of one kind, so the test split's get the train split's scores
  of the same ranks.
  """
  train, *others = (part.scores(noise) for part in parts)
  if parts[0].own is not None:
    others = [
      np.quantile(train, (scores.argsort().argsort() + 0.5) / len(scores))
      for scores in others
    ]
  return np.concatenate([train, *others]).astype(np.float32)


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
    a `_Part` of all training examples, held-out ones too.
  """
  fewest = _num_learned(len(noisy.all_train), num_folds)
  strategy = config.strategy
  if strategy == "multi_worker":  # Nobody starts its other workers now.
    _logger.info("The folds train on this machine alone (--strategy=default)")
    strategy = "default"
  predicted = []
  for fold in range(num_folds):
    _logger.info("Fold %d of %d", fold + 1, num_folds)
    part = layout.Workdir(directory.folds_dir / f"{fold}-of-{num_folds}")
    run.train_and_evaluate(
      dataclasses.replace(
        config,
        validation_fraction=0.0,
        num_folds=num_folds,
        fold=fold,
        # A model must not see the part that it scores, not even to stop.
        early_stopping=None,
        # Of few examples, a part may have fewer than a batch.
        batch_size=min(config.batch_size, fewest),
        label_scores=False,
        monitor_every_epochs=0,
        strategy=strategy,
        workdir=str(part.path),
      )
    )
    fold_config = part.read_config()
    held_out = run_data.load_noisy_dataset(
      fold_config, run_data.load_dataset(config)
    ).validation
    predicted.append(
      (held_out.index, predict(part, held_out, checkpoint, use_ema))
    )
  index = np.concatenate([index for index, _ in predicted])
  logits = np.concatenate([logits for _, logits in predicted], axis=1)
  order = np.argsort(index)
  return _Part.of_logits("train", noisy.all_train, logits[:, order], True)


def _num_learned(num_examples, num_folds):
  """Returns how many examples the training of a fold has at least: int."""
  return num_examples - math.ceil(num_examples / num_folds)


def _read_scores(directory, noisy):
  """Returns the scores that a run kept of its training examples, or None."""
  scores = directory.read_label_scores()
  if scores is not None and len(scores) != len(noisy.train):
    raise errors.InvalidInputError(
      f"{directory.label_scores_file} must hold {len(noisy.train)} numbers. "
      f"Received: {len(scores)}"
    )
  return scores


def _with_own_scores(directory, noisy, part):
  """Returns the `_Part` of folds with the run's own scores."""
  kept = _read_scores(directory, noisy)
  if kept is None:
    return part
  # What the run held out has no score of its own.
  own = np.full(len(part.examples), np.nan, np.float32)
  own[np.searchsorted(part.examples.index, noisy.train.index)] = kept
  return dataclasses.replace(part, own=own)


def _predict_own(directory, noisy, checkpoint, use_ema):
  """Returns the `_Part` that a run trained on, and warnings about it."""
  config = directory.read_config()
  scores = _read_scores(directory, noisy)
  warnings = []
  if scores is None:
    warnings.append(
      "The run kept no label scores (--nolabel_scores): the ranking is by the "
      "last predictions alone, which have memorised more"
    )
  remedy = methods.get_options(config.method).REMEDY
  warnings += _find_warnings(directory.read_history(), remedy)
  logits = predict(directory, noisy.train, checkpoint, use_ema)
  part = _Part.of_logits("train", noisy.train, logits, False, scores)
  return part, warnings


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
      f"too. {remedy}, or give --folds={automatic.NUM_FOLDS}"
    )
  elif held_out[-1] < held_out.max() - _MAX_DROP:
    yield (
      f"The accuracy fell from {held_out.max():.0%} to {held_out[-1]:.0%}: "
      f"the run has begun to memorise wrong labels. {remedy}"
    )
