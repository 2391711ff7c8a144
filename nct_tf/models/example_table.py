"""What a method remembers of each training example, alike on all replicas."""

import contextlib
import logging

import tensorflow as tf

from nct_tf import distribution, units
from nct_tf.system import devices

_logger = logging.getLogger(__name__)

# A table that would take more than this share of an accelerator's memory is
# kept by the host: networks and activations need the rest.
DEVICE_SHARE = 0.25
_HOST = "CPU:0"


class ExampleTable:
  """A row of numbers for each training example.

  Training steps read and write the rows of their batch. With several replicas,
  each writes the rows of the whole global batch, so that all hold the whole
  table. It is to be made in the scope of the model's strategy.

  Args:
    num_examples: int, of the training data.
    num_columns: int.
    batch_size: int, the largest global batch; needed where there are several
      replicas.
    dtype: of the numbers as they are kept. They are taken and given as float32.

  Attributes:
    is_on_host: bool, whether the host keeps it, and not the device that
      computes. Then XLA cannot compile what reads or writes it.
  """

  def __init__(
    self, num_examples, num_columns, batch_size=None, dtype=tf.float32
  ):
    self._batch_size = batch_size
    num_bytes = num_examples * num_columns * tf.as_dtype(dtype).size
    # Inside a strategy's scope it is the current one.
    is_alone = not tf.distribute.has_strategy()
    self.is_on_host = is_alone and belongs_on_host(num_bytes, devices.find())
    if self.is_on_host:
      _logger.info(
        "A table of the examples takes %s: it is on the host",
        units.num_bytes(num_bytes),
      )
    with self._placed():
      self._rows = distribution.whole_variable(
        [num_examples, num_columns], dtype
      )

  def _placed(self):
    """Puts what is done within it to where the table is."""
    return tf.device(_HOST) if self.is_on_host else contextlib.nullcontext()

  @property
  def variable(self):
    """The `tf.Variable` [num_examples, num_columns]."""
    return self._rows

  def gather(self, targets):
    """Returns the rows of a batch: float32 [batch, num_columns].

    Args:
      targets: dict of `Classifier.unpack`, with `example`.

    Raises:
      ValueError: if there is no `example`.
    """
    # With several replicas, `tf.gather` would read, and copy, the whole table.
    with self._placed():
      rows = tf.raw_ops.ResourceGather(
        resource=self._rows.handle,
        indices=_example(targets),
        dtype=self._rows.dtype,
      )
    return tf.cast(rows, tf.float32)

  def add(self, values, targets):
    """Adds to the rows of a batch.

    Args:
      values: float32 [batch, num_columns], of this replica's share.
      targets: dict with `example`, and `position` where there are several
        replicas.

    Raises:
      ValueError: if there is no `example`.
    """
    values, example, _ = self._of_all_replicas(values, targets)
    # `assign_add` would take as long as there are examples.
    with self._placed():
      tf.raw_ops.ResourceScatterAdd(
        resource=self._rows.handle,
        indices=example,
        updates=tf.cast(values, self._rows.dtype),
      )

  def assign(self, values, targets):
    """Replaces the rows of a batch; see `add`."""
    values, example, is_there = self._of_all_replicas(values, targets)
    # Where the batch is not full, its first example is written once more.
    values = tf.where(is_there[:, None], values, values[:1])
    example = tf.where(is_there, example, example[:1])
    with self._placed():
      tf.raw_ops.ResourceScatterUpdate(
        resource=self._rows.handle,
        indices=example,
        updates=tf.cast(values, self._rows.dtype),
      )

  def _of_all_replicas(self, values, targets):
    """Returns values, examples and whether they are there, of all replicas.

    Where the global batch is not full, zeros of the first example follow.
    """
    example = _example(targets)
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
      return values, example, tf.ones_like(example, tf.bool)
    # Float64 holds the numbers of examples exactly.
    share = tf.concat(
      [
        tf.cast(values, tf.float64),
        tf.cast(example, tf.float64)[:, None],
        tf.ones_like(example, tf.float64)[:, None],
      ],
      axis=1,
    )
    batch = distribution.join_shares(
      share, targets["position"], self._batch_size
    )
    return (
      tf.cast(batch[:, :-2], tf.float32),
      tf.cast(batch[:, -2], tf.int32),
      batch[:, -1] > 0,
    )

  def get_state(self):
    """Returns all rows: an array [num_examples, num_columns]."""
    return tf.convert_to_tensor(self._rows).numpy()

  def set_state(self, state):
    """Replaces all rows by what `get_state` gave; not within a step."""
    self._rows.assign(state)


def belongs_on_host(num_bytes, found):
  """Returns whether a table is too large for devices: bool.

  Args:
    num_bytes: int, its size.
    found: list of `devices.Device`. Where a memory is not known, it is taken to
      be large enough.
  """
  return any(
    each.kind != "CPU"
    and each.memory is not None
    and num_bytes > DEVICE_SHARE * each.memory
    for each in found
  )


def _example(targets):
  if "example" not in targets:
    raise ValueError(
      "What is kept of each example needs its number. Instead of labels, pass "
      '`fit` the targets {"label": labels, "example": np.arange(len(labels))}'
    )
  return targets["example"]
