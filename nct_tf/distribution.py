"""tf.distribute strategies by name: one device, many, or many machines."""

import json
import os

import tensorflow as tf

from nct_tf import errors
from nct_tf.options import run as run_options


def create(name, num_virtual_cpus=None, workers=None, worker_index=None):
  """Returns a strategy. Call this before TensorFlow computes anything.

  Args:
    name: str: `default`, the one device that TensorFlow chooses; `mirrored`, a
      replica on each GPU, or on each logical CPU device if there is no GPU;
      `multi_worker`, the same on each of several machines, which must all call
      this; `tpu`, the TPU that TPU_NAME names (untested).
    num_virtual_cpus: int, how many logical CPU devices `mirrored` makes and
      uses; None for the existing devices.
    workers: sequence of str `host:port`, all workers of `multi_worker`; the
      first is the chief. If it is None or empty, the environment's TF_CONFIG
      names them.
    worker_index: int, the position of this process in `workers`.

  Returns:
    a `tf.distribute.Strategy`.

  Raises:
    InvalidInputError: if there is no such strategy, or if it is not possible
      here.
  """
  run_options.check_strategy(name, num_virtual_cpus, workers, worker_index)
  if name == "default":
    return tf.distribute.get_strategy()
  if name == "mirrored":
    return _mirrored(num_virtual_cpus)
  if name == "multi_worker":
    return _multi_worker(workers, worker_index)
  return _tpu()


def _mirrored(num_virtual_cpus):
  gpus = tf.config.list_physical_devices("GPU")
  if gpus and num_virtual_cpus is None:
    return tf.distribute.MirroredStrategy()
  if num_virtual_cpus is not None:
    _make_virtual_cpus(num_virtual_cpus)
  cpus = tf.config.list_logical_devices("CPU")[:num_virtual_cpus]
  # Collective operations on CPUs mix up their messages when a process trains
  # more than one model. They would gain little here.
  return tf.distribute.MirroredStrategy(
    [device.name for device in cpus],
    cross_device_ops=tf.distribute.ReductionToOneDevice(),
  )


def _make_virtual_cpus(number):
  (cpu,) = tf.config.list_physical_devices("CPU")
  if len(tf.config.get_logical_device_configuration(cpu) or [None]) >= number:
    return
  try:
    tf.config.set_logical_device_configuration(
      cpu, [tf.config.LogicalDeviceConfiguration()] * number
    )
  except RuntimeError as error:
    raise errors.InvalidInputError(
      f"Argument `num_virtual_cpus`={number} comes too late: TensorFlow has "
      "computed in this process already"
    ) from error


def _multi_worker(workers, worker_index):
  if workers:
    task = {"type": "worker", "index": worker_index}
    os.environ[run_options.TF_CONFIG] = json.dumps(
      {"cluster": {"worker": list(workers)}, "task": task}
    )
  if not os.environ.get(run_options.TF_CONFIG):
    raise errors.InvalidInputError(
      "Argument `strategy`=multi_worker needs --workers and --worker_index, or "
      f"{run_options.TF_CONFIG} in the environment"
    )
  try:
    return tf.distribute.MultiWorkerMirroredStrategy()
  except (ValueError, KeyError) as error:
    raise errors.InvalidInputError(
      f"{run_options.TF_CONFIG} does not describe a cluster: {error}. "
      f"Received: {os.environ[run_options.TF_CONFIG]}"
    ) from error
  except RuntimeError as error:
    raise errors.InvalidInputError(
      "Argument `strategy`=multi_worker comes too late: TensorFlow has "
      "computed in this process already"
    ) from error


def _tpu():
  try:
    resolver = tf.distribute.cluster_resolver.TPUClusterResolver()
    tf.config.experimental_connect_to_cluster(resolver)
    tf.tpu.experimental.initialize_tpu_system(resolver)
    return tf.distribute.TPUStrategy(resolver)
  except (ValueError, tf.errors.OpError) as error:
    raise errors.InvalidInputError(
      f"Argument `strategy`=tpu finds no TPU (TPU_NAME names it): {error}"
    ) from error


def is_multi_worker(strategy):
  """Returns whether a strategy spans several processes."""
  return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def is_default(strategy):
  """Returns whether a strategy is TensorFlow's own, of one device.

  To be called outside of the scope of any strategy.
  """
  return strategy is tf.distribute.get_strategy()


def is_chief(strategy):
  """Returns whether this process is the one that writes files."""
  if not is_multi_worker(strategy):
    return True
  resolver = strategy.cluster_resolver
  if "chief" in resolver.cluster_spec().jobs:
    return resolver.task_type == "chief"
  return resolver.task_id == 0


def wait_for_all(strategy):
  """Returns when all workers have called this."""
  if is_multi_worker(strategy):
    sum_over_workers(strategy, [1])


def sum_over_replicas(value):
  """Returns the sum of all replicas' values; each replica must call this."""
  context = tf.distribute.get_replica_context()
  if context.num_replicas_in_sync == 1:
    return value
  return context.all_reduce(
    tf.distribute.ReduceOp.SUM,
    tf.identity(value),  # This puts it on the replica's device.
  )


def join_shares(share, position, batch_size):
  """Returns the rows of the whole global batch; each replica must call this.

  Each replica puts its share in its place, with zeros around it. The sum over
  all replicas is the batch.

  Args:
    share: float [share, num_columns], this replica's rows.
    position: integer [share], of each row in the global batch.
    batch_size: int, the size of the largest global batch; missing rows are 0.

  Returns:
    a tensor [batch_size, num_columns].
  """
  return tf.distribute.get_replica_context().all_reduce(
    tf.distribute.ReduceOp.SUM,
    tf.scatter_nd(position[:, None], share, [batch_size, share.shape[-1]]),
  )


def whole_variable(shape, dtype=tf.float32):
  """Returns a variable of zeros for sums over all replicas.

  Each replica must add the sum over all replicas, so that its copy holds the
  whole sum. Reading the variable reads the first replica's copy. Call this in
  the scope of the strategy.
  """
  return tf.Variable(
    tf.zeros(shape, dtype),
    trainable=False,
    synchronization=tf.VariableSynchronization.ON_READ,
    aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
  )


def sum_over_workers(strategy, values):
  """Returns the sum of each of some ints over all workers' replicas: a list."""
  return make_sum(strategy)(values)


def make_sum(strategy):
  """Returns a function that does what `sum_over_workers` does, many times."""

  @tf.function
  def add(numbers):
    return strategy.run(sum_over_replicas, args=(numbers,))

  def add_values(values):
    totals = add(tf.constant(values, tf.int64))
    return strategy.experimental_local_results(totals)[0].numpy().tolist()

  return add_values


def local_replicas(context):
  """Returns the numbers of the replicas that an input pipeline feeds: a range.

  Args:
    context: the `tf.distribute.InputContext` that
      `distribute_datasets_from_function` gives.
  """
  number = context.num_replicas_in_sync // context.num_input_pipelines
  first = context.input_pipeline_id * number
  return range(first, first + number)


def local_components(strategy, variable):
  """Returns a variable's copies in this process, one for each replica.

  Args:
    strategy: the `tf.distribute.Strategy` in whose scope it was made.
    variable: a weight of a Keras model.

  Returns:
    tuple of `tf.Variable`.
  """
  return strategy.experimental_local_results(tensorflow_variable(variable))


def tensorflow_variable(variable):
  """Returns the `tf.Variable` of a Keras variable; in Keras 2 it is one."""
  return variable if isinstance(variable, tf.Variable) else variable.value
