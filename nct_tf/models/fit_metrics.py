"""The metrics that somebody gives `compile`, alike on both stacks."""

from typing import NamedTuple

import keras
import tensorflow as tf

from nct_tf import distribution, errors

# Keras chooses these by the form of the labels. The labels are there as
# integers, whatever form they were given in.
_OF_INTEGERS = {
  "accuracy": keras.metrics.SparseCategoricalAccuracy,
  "acc": keras.metrics.SparseCategoricalAccuracy,
  "crossentropy": keras.metrics.SparseCategoricalCrossentropy,
  "ce": keras.metrics.SparseCategoricalCrossentropy,
}


class _Entry(NamedTuple):
  metric: keras.metrics.Metric
  label: str  # Which of the targets it takes.
  is_weighted: bool


class FitMetrics:
  """Keras metrics of the labels and the ensemble's probabilities.

  They get the labels in the form that `fit` got them in; "accuracy" and
  "crossentropy" take any. To be made in the scope of the model's strategy.

  Args:
    metrics: what Keras' `compile` takes: names, functions and metrics.
    weighted_metrics: the same; these get the sample weights.
    taken: names that the logs have already.

  Raises:
    InvalidInputError: if something is no metric, if two would have one name in
      the logs, or if one was made in the scope of another strategy.
  """

  def __init__(self, metrics=None, weighted_metrics=None, taken=()):
    self._entries = {}
    for given, is_weighted in ((metrics, False), (weighted_metrics, True)):
      for identifier in tf.nest.flatten(given or []):
        name, metric = _create(identifier)
        if is_weighted and name in self._entries:
          name = f"weighted_{name}"  # As Keras calls it.
        if name in self._entries or name in taken:
          raise errors.InvalidInputError(
            "Argument `metrics` must have names that are not in the logs "
            f"already. Received: {name}"
          )
        is_of_integers = isinstance(identifier, str) and (
          identifier in _OF_INTEGERS
        )
        self._entries[name] = _Entry(
          metric, "label" if is_of_integers else "given_label", is_weighted
        )

  @property
  def trackers(self):
    """The Keras metrics: a list."""
    return [entry.metric for entry in self._entries.values()]

  def update(self, targets, probabilities):
    """Adds a batch; returns the values so far.

    Args:
      targets: dict of `targets.unpack`, this replica's part of the batch.
      probabilities: float [batch, num_classes].

    Returns:
      dict from name to tensor, over all replicas.
    """
    results = {}
    for name, (metric, label, is_weighted) in self._entries.items():
      weights = targets.get("sample_weight") if is_weighted else None
      metric.update_state(targets[label], probabilities, sample_weight=weights)
      results[name] = _result(metric)
    return results


def _create(identifier):
  """Returns a metric's name in the logs, and the metric."""
  if isinstance(identifier, str) and identifier in _OF_INTEGERS:
    return identifier, _OF_INTEGERS[identifier](name=identifier)
  metric = keras.metrics.get(identifier)
  if isinstance(metric, type):
    metric = metric()
  if not callable(metric):  # Keras 2 gives a name back that it does not know.
    raise errors.InvalidInputError(
      "Argument `metrics` must be names, functions and metrics of Keras. "
      f"Received: {identifier}"
    )
  if not isinstance(metric, keras.metrics.Metric):
    metric = keras.metrics.MeanMetricWrapper(metric, name=metric.__name__)
  _check_scope(metric)
  return identifier if isinstance(identifier, str) else metric.name, metric


def _check_scope(metric):
  extended = tf.distribute.get_strategy().extended
  for variable in metric.variables:
    variable = distribution.tensorflow_variable(variable)
    if not extended.variable_created_in_scope(variable):
      raise errors.InvalidInputError(
        "Argument `metrics` must have metrics made in the scope of the model's "
        f"strategy. Received: {metric.name}, made outside of it"
      )


def _result(metric):
  """Returns a metric's value over all replicas.

  Keras 2 adds the replicas' sums up by itself; Keras 3 would give this
  replica's own.
  """
  context = tf.distribute.get_replica_context()
  is_one = context.num_replicas_in_sync == 1
  if is_one or not hasattr(metric, "stateless_result"):
    return metric.result()
  sums = [
    context.all_reduce(
      tf.distribute.ReduceOp.SUM, tf.convert_to_tensor(variable)
    )
    for variable in metric.variables
  ]
  return metric.stateless_result(sums)
