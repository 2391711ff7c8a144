"""Iterative noisy cross-validation: examples are selected, then learned."""

import logging
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from nct_tf import errors, metrics
from nct_tf.methods import selection_options
from nct_tf.models import classifier, example_table, selection, weights

_logger = logging.getLogger(__name__)

# Of `incv_stage`.
_ITERATIONS, _SELECTED, _MIXED = 0.0, 1.0, 2.0
_MANY_WRONG = 0.6
_SOME_WRONG = 0.3
_MAX_REMOVED = 2.0  # As a multiple of what was selected.
_TINY = 1e-8
_STEP = 1000  # Noise rates are multiples of 1 / _STEP.
# In Co-teaching, so many candidates for each selected example, at most.
_MAX_CANDIDATES = 0.5


class _Roles(NamedTuple):
  """Which examples are what, float32 or bool each; the rest is removed.

  Attributes:
    selected: those whose label is trusted.
    first: the candidates that the first network learns from.
    second: the candidates that the second one learns from.
  """

  selected: np.ndarray
  first: np.ndarray
  second: np.ndarray


class INCVModel(classifier.Classifier):
  """Two networks that select examples, then two that learn from them.

  In each iteration, both networks begin with the same weights. Each learns from
  what was selected so far and from one half of the other examples, the
  candidates. Of the half that it has not learned, those are selected whose
  label it predicts. With `symmetric` noise, those of largest cross entropy are
  removed. The first iteration estimates the share of wrong labels.

  Then two new networks learn from what was selected by Co-teaching, and after
  some epochs from the candidates, too.

  In the authors' code the batches are drawn from the examples that a network
  learns from. Here they are drawn from all, the others of a batch do not count,
  and candidates come in the share that the batch has. Losses are ranked as they
  are in training. The share of wrong labels is estimated by both halves, not by
  one. Their code knows the pattern of the noise.

  Under Keras' own `fit` nothing is selected, and Co-teaching learns from all
  examples; see `Classifier`.

  Args:
    network1: a `keras.Model` that gives logits [batch, num_classes].
    network2: another one.
    seed: int, of the halves, and of what other methods draw.
    **kwargs: fields of `selection_options.INCV`, and see `Classifier`.

  References:
    Chen, Liao, Chen and Zhang, "Understanding and Utilizing Deep Neural
    Networks Trained with Noisy Labels", ICML 2019, Algorithms 1 to 3.
  """

  Options = selection_options.INCV

  def network_losses(self, logits, targets):
    """The cross entropies, weighted by what each network learns from."""
    batch = self.global_batch(targets)
    rows = self.example_state["roles"].gather(targets)
    roles = _Roles(*tf.unstack(rows, axis=1))
    plain = classifier.plain_losses(logits, targets)
    stage = tf.convert_to_tensor(self.incv_stage)
    chosen = co_teaching_choice(
      [batch.join(each.loss) for each in plain],
      self._joined_roles(batch, rows),
      tf.convert_to_tensor(self.forget_rate),
      stage >= _MIXED,
    )
    iterates = stage < _SELECTED
    return [
      each._replace(
        weight=tf.where(
          iterates,
          roles.selected + half,
          batch.share(tf.cast(of_peer, tf.float32)),
        )
      )
      for each, half, of_peer in zip(
        plain, roles[1:], reversed(chosen), strict=True
      )
    ]

  def _joined_roles(self, batch, rows):
    """Returns the `_Roles` of a global batch; all are selected if none is."""
    selected, first, second = tf.unstack(batch.join(rows) > 0, axis=1)
    any_selected = tf.convert_to_tensor(self.example_state["num_selected"]) > 0
    return _Roles(
      tf.where(any_selected, selected, first | second),
      first & any_selected,
      second & any_selected,
    )

  def evaluation_losses(self, logits, targets):
    """The cross entropies of all examples."""
    return classifier.plain_losses(logits, targets)

  def state(self, num_examples, num_classes, batch_size):
    """Roles, and what is known of the half that each network did not learn.

    Of each example: whether its label is predicted, and its cross entropy.
    """
    roles = example_table.ExampleTable(num_examples, 3, batch_size)
    everything = np.ones(num_examples, bool)
    roles.set_state(_rows(_halve(~everything, everything, [self.seed, 0])))
    return {
      "roles": roles,
      "found": tf.Variable(tf.zeros([num_examples, 2]), trainable=False),
      # Of the epoch that `found` is of.
      "agreement": tf.Variable([-1.0, -1.0], trainable=False),
      "noise_rate": tf.Variable(0.0, trainable=False),
      "num_selected": tf.Variable(0.0, trainable=False),
    }

  def schedules(self, num_epochs):
    """The stage, 0 to 2, and the share that Co-teaching leaves out."""
    begin = self._iteration_epochs(num_epochs) * self.options.incv_iterations

    def stage(epoch):
      if epoch < begin:
        return _ITERATIONS
      is_mixed = epoch - begin >= self._mix_epochs(num_epochs - begin)
      return _MIXED if is_mixed else _SELECTED

    def share(epoch):
      if epoch < begin:
        return 0.0
      rise = (epoch - begin) / self.options.forget_rampup_epochs
      return self._selected_noise_rate() * min(1.0, rise)

    return {"incv_stage": stage, "forget_rate": share}

  def _iteration_epochs(self, num_epochs):
    """Returns how many epochs an iteration has: int, perhaps 0."""
    epochs = self.options.incv_epochs or num_epochs // 2
    return epochs // self.options.incv_iterations

  def _mix_epochs(self, num_epochs):
    """Returns when candidates are mixed in, of Co-teaching's epochs: int."""
    if self.options.incv_mix_epochs:
      return self.options.incv_mix_epochs
    is_hard = self._is_asymmetric or self._noise_rate > _MANY_WRONG
    return max(1, round((0.4 if is_hard else 0.2) * num_epochs))

  @property
  def _is_asymmetric(self):
    return self.options.incv_noise_pattern == "asymmetric"

  @property
  def _noise_rate(self):
    return float(self.recall("noise_rate"))

  def _selected_noise_rate(self):
    """Returns the share of wrong labels among what is selected: float."""
    num_classes = self.remembered["num_classes"]
    return selected_noise_rate(
      self._noise_rate, 1 if self._is_asymmetric else num_classes - 1
    )

  def phases(self, num_epochs):
    """The iterations, and Co-teaching."""
    number = self.options.incv_iterations
    length = self._iteration_epochs(num_epochs)
    if self.options.incv_epochs:
      classifier.check_ends_before(
        "incv_epochs", self.options.incv_epochs, num_epochs
      )
    if not length:
      name, low = "num_epochs", 2 * number
      if self.options.incv_epochs:
        name, low = "incv_epochs", number
      raise errors.InvalidInputError(
        f"Argument `{name}` must be at least {low}, an epoch for each of "
        f"`incv_iterations`={number}. Received: num_epochs={num_epochs}, "
        f"incv_epochs={self.options.incv_epochs}"
      )
    return [
      *(
        classifier.Phase(f"iteration {each}", length, restart=each > 1)
        for each in range(1, number + 1)
      ),
      classifier.Phase(
        "co-teaching", num_epochs - number * length, restart=True
      ),
    ]

  def begin_phase(self, number):
    """Gives both networks the same weights, where an iteration begins."""
    if number >= self.options.incv_iterations:
      return
    first, second = weights.network_weights(self).values()
    for variable, other in zip(first, second, strict=True):
      other.assign(variable)
    weights.spread_to_replicas(self)

  def passes(self, num_epochs):
    """One after each epoch of the iterations, if the estimate is as yet."""
    length = self._iteration_epochs(num_epochs)
    number = self.options.incv_iterations
    num_best = min(number, self._num_best())
    return num_best * length + number - num_best

  def between_epochs(self, epoch, training_set):
    """Scores what a network has not learned; at last, selects from it."""
    length = self._iteration_epochs(training_set.num_epochs)
    iteration, number = divmod(epoch, length)
    if iteration >= self.options.incv_iterations:
      return
    is_last = number == length - 1
    takes_best = iteration < self._num_best()
    if takes_best or is_last:
      self._score(training_set, takes_best)
    if is_last:
      self._select(iteration, training_set.labels)

  def _num_best(self):
    """Returns how many iterations select by their best epochs: int."""
    if self._is_asymmetric or self._noise_rate > _MANY_WRONG:
      return 1
    if self._noise_rate > _SOME_WRONG:
      return 2
    return self.options.incv_iterations

  def _roles(self):
    """Returns the `_Roles` of all examples: bool arrays."""
    return _Roles(*(self.example_state["roles"].get_state().T > 0))

  def _score(self, training_set, takes_best):
    """Notes what each network predicts of the half that it has not learned.

    Args:
      training_set: a `classifier.TrainingSet`.
      takes_best: bool, whether only an epoch counts that is better than those
        before.
    """
    labels = training_set.labels
    _, *halves = self._roles()
    found, agreement = self.recall("found"), self.recall("agreement")
    for network, logits in enumerate(training_set.predict()):
      own = halves[1 - network]
      if not own.any():
        continue
      is_predicted = metrics.correct(logits[own], labels[own]).numpy()
      if takes_best and is_predicted.mean() <= agreement[network]:
        continue
      agreement[network] = is_predicted.mean()
      found[own, 0] = is_predicted
      found[own, 1] = label_cross_entropy(logits[own], labels[own])
    self.example_state["found"].assign(found)
    self.example_state["agreement"].assign(agreement)

  def _select(self, iteration, labels):
    """Ends an iteration: changes the roles, and says what was done."""
    roles = self._roles()
    found = self.recall("found")
    candidates = roles.first | roles.second
    num_classes = self.remembered["num_classes"]
    if iteration == 0:
      agreement = found[candidates, 0].mean()
      noise_rate = estimate_noise_rate(float(agreement), num_classes)
      self.example_state["noise_rate"].assign(noise_rate)
      if noise_rate > _MANY_WRONG:
        _logger.warning(
          "%.1f %% of the labels seem wrong: unless they are that bad, the "
          "networks knew too little yet, and a longer --incv_epochs is better",
          100 * noise_rate,
        )
    new = candidates & (found[:, 0] > 0)
    removed = np.zeros_like(new)
    if self.options.incv_noise_pattern == "symmetric":
      for half in roles[1:]:
        removed |= largest_losses(
          half & ~new,
          found[:, 1],
          num_removed(self._noise_rate, int((half & new).sum())),
        )
    selected = roles.selected | new
    candidates &= ~new & ~removed
    _logger.info(
      "Iteration %d: %d examples are selected, %d more than before; %d are "
      "removed, %d stay candidates. %.1f %% of the labels seem wrong",
      iteration + 1,
      selected.sum(),
      new.sum(),
      removed.sum(),
      candidates.sum(),
      100 * self._noise_rate,
    )
    if iteration + 1 == self.options.incv_iterations:
      selected, candidates = _without_gaps(
        selected, candidates, labels, num_classes
      )
    roles = _halve(selected, candidates, [self.seed, iteration + 1])
    self.example_state["roles"].set_state(_rows(roles))
    self.example_state["num_selected"].assign(float(selected.sum()))
    self.example_state["agreement"].assign([-1.0, -1.0])


def _halve(selected, candidates, seed):
  """Returns `_Roles`, with the candidates in two random halves."""
  order = np.random.default_rng(seed).permutation(np.flatnonzero(candidates))
  first = np.zeros_like(candidates)
  first[order[: (len(order) + 1) // 2]] = True
  return _Roles(selected, first, candidates & ~first)


def _rows(roles):
  """Returns `_Roles` as the rows of a table: float32 array."""
  return np.stack(roles, axis=1).astype(np.float32)


def _without_gaps(selected, candidates, labels, num_classes):
  """Returns what is selected in the end, and the candidates, with a line.

  Of a class of which nothing was selected, all candidates are: without them,
  it would never be predicted.
  """
  counts = np.bincount(labels[selected], minlength=num_classes)
  is_missing = (counts == 0)[labels] & candidates
  if is_missing.any():
    _logger.warning(
      "Nothing is selected of %d of %d classes: their %d candidates are taken "
      "as they are",
      len(np.unique(labels[is_missing])),
      num_classes,
      is_missing.sum(),
    )
  return selected | is_missing, candidates & ~is_missing


def co_teaching_choice(losses, roles, rate, mixes):
  """Returns what each network chooses of a batch: list of bool [rows].

  As many of those of the smallest losses as there are selected ones, but for a
  share of these.

  Args:
    losses: list of float32 [rows], each network's.
    roles: `_Roles` of bool [rows].
    rate: float32 scalar, the share.
    mixes: bool scalar, whether candidates may be chosen, too: the first ones,
      at most half as many as there are selected ones.
  """
  num_selected = tf.reduce_sum(tf.cast(roles.selected, tf.float32))
  candidates = roles.first | roles.second
  place = tf.cumsum(tf.cast(candidates, tf.float32))
  candidates &= place <= tf.floor(_MAX_CANDIDATES * num_selected)
  among = roles.selected | (candidates & mixes)
  num_kept = tf.cast(tf.round(num_selected * (1 - rate)), tf.int32)
  return [selection.smallest(each, num_kept, among) for each in losses]


def label_cross_entropy(logits, labels):
  """Returns `-log(p[label] + 1e-8)`: float32 array [rows]."""
  p = tf.nn.softmax(logits).numpy()
  return -np.log(p[np.arange(len(labels)), labels] + _TINY)


def estimate_noise_rate(agreement, num_classes):
  """Returns the share of wrong labels by cross-validation: float.

  A network that learns labels of which a share e is wrong predicts wrong ones
  as often. It agrees with those it has not learned with the probability
  `(1 - e)**2 + e**2 / (C - 1)`, if each other class is as likely. The share is
  the smallest multiple of 0.001 with that at most the agreement; at less
  agreement than that of chance, that of chance.

  Args:
    agreement: float, the share of predictions that equal the label.
    num_classes: int, C, at least 2.
  """
  chance = (num_classes - 1) / num_classes
  rates = np.arange(int(chance * _STEP) + 1) / _STEP
  expected = (1 - rates) ** 2 + rates**2 / (num_classes - 1)
  below = np.flatnonzero(expected <= agreement)
  return float(rates[below[0] if len(below) else -1])


def selected_noise_rate(noise_rate, num_classes):
  """Returns the share of wrong labels among what is selected: float.

  `e**2 / (e**2 + k * (1 - e)**2)`.

  Args:
    noise_rate: float in [0, 1), e.
    num_classes: int, k, that a wrong label may be of.
  """
  wrong = noise_rate**2
  return wrong / (wrong + num_classes * (1 - noise_rate) ** 2)


def num_removed(noise_rate, num_selected):
  """Returns how many examples are removed beside those selected: int."""
  return int(min(_MAX_REMOVED, noise_rate / (1 - noise_rate)) * num_selected)


def largest_losses(among, losses, count):
  """Returns the examples of the largest losses: bool array.

  Args:
    among: bool array, of which.
    losses: float array.
    count: int, how many; all there are if that is less.
  """
  places = np.flatnonzero(among)
  order = places[np.argsort(-losses[places], kind="stable")]
  chosen = np.zeros_like(among)
  chosen[order[:count]] = True
  return chosen
