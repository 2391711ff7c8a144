"""What the examples share: both methods under Keras' `fit`, and the audit."""

import dataclasses
import typing

import keras
import numpy as np

import nct_tf
from nct_tf.audit import label_audit
from nct_tf.reporting import text_tables

NOISE_RATE = 0.3


@dataclasses.dataclass
class Task:
  """Data, a network, and how to train it.

  Attributes:
    train: array [num_examples, ...], what the network takes.
    train_labels: integer array [num_examples], the true labels; a share
      `NOISE_RATE` of them is made wrong.
    train_names: list of str, a text that shows each example to a person.
    test: as `train`.
    test_labels: integer array, the true labels, which stay unchanged.
    class_names: list of str.
    network: a function without arguments that returns a new Keras model, whose
      outputs are logits.
    num_epochs: int.
    batch_size: int.
    learning_rate: float, of Adam. It and the number of epochs were chosen on
      training examples that were held out with their noisy labels.
  """

  train: np.ndarray
  train_labels: np.ndarray
  train_names: list
  test: np.ndarray
  test_labels: np.ndarray
  class_names: list
  network: typing.Callable
  num_epochs: int
  batch_size: int
  learning_rate: float


def run(task, seed=0):
  """Trains with and without NCT, audits the labels, and prints the outcome.

  Args:
    task: a `Task`.
    seed: int.
  """
  given_labels, is_clean = nct_tf.corrupt_labels(
    task.train_labels,
    len(task.class_names),
    "symmetric_exclusive",
    NOISE_RATE,
    seed,
  )
  num_wrong = int(np.sum(~is_clean))
  print(f"{num_wrong} of {len(is_clean)} training labels were made wrong.\n")
  rows = []
  for method in ("standard", "nct"):
    keras.utils.set_random_seed(seed)
    audit, accuracy = _train(task, given_labels, method)
    measured = label_audit.compare_with_truth(audit, task.train_labels)
    num_found = round(measured["precision_at_wrong"] * num_wrong)
    rows.append(
      (
        method,
        text_tables.percent(accuracy),
        f"{num_found}, {text_tables.percent(measured['precision_at_wrong'])}",
      )
    )
  head = ("method", "accuracy", f"wrong among the first {num_wrong}")
  print(text_tables.format_table(rows, head))
  print(
    f"\nAccuracy is of {len(task.test)} held-out examples with true labels; "
    "the last column, of\nthe training labels that the audit ranks first."
  )
  print("\nMost suspicious in the eyes of nct:\n")
  print(_suspects(task, audit))


def _train(task, given_labels, method):
  """Returns the `LabelAudit` of a training, and the held-out accuracy."""
  if method == "nct":
    model = nct_tf.ConcurrentModel(task.network(), task.network())
    schedules = nct_tf.concurrent_schedules(
      model, task.num_epochs, target_variability_max=0.2
    )
  else:
    model = nct_tf.StandardModel(task.network())
    schedules = []
  # Each training step adds the probabilities of its batch's labels.
  scores = nct_tf.LabelScores(len(task.train), task.batch_size)
  model.track(scores)
  model.compile(optimizer=keras.optimizers.Adam(task.learning_rate))
  model.fit(
    task.train,
    {"label": given_labels, "example": np.arange(len(given_labels))},
    batch_size=task.batch_size,
    epochs=task.num_epochs,
    callbacks=schedules,
    verbose=0,
  )
  pred_probs = model.predict(task.train, batch_size=256, verbose=0)
  audit = nct_tf.audit_labels(
    given_labels,
    pred_probs,
    scores.means(),
    is_held_out=False,  # The model learned from these labels.
  )
  results = model.evaluate(
    task.test, task.test_labels, batch_size=256, return_dict=True, verbose=0
  )
  return audit, results["ensemble_accuracy"]


def _suspects(task, audit, num_rows=10):
  names = task.class_names
  rows = [
    (
      task.train_names[number],
      names[audit.labels[number]],
      names[audit.suggested[number]],
      names[task.train_labels[number]],
    )
    for number in np.argsort(audit.rank)[:num_rows]
  ]
  return text_tables.format_table(
    rows, ("example", "given", "suggested", "true")
  )
