from unittest import mock

from absl.testing import absltest, parameterized
import numpy as np
import tensorflow as tf

from nct_tf import distribution
from nct_tf.models import example_table
from nct_tf.system import devices
from tests.support import virtual_devices

NUM_EXAMPLES = 7
# Of a global batch of at most 5.
BATCHES = ([3, 0, 6, 1, 5], [2, 6], [4, 3, 0])


def strategy_of(num_replicas):
  if num_replicas == 1:
    return tf.distribute.get_strategy()
  return distribution.create(
    "mirrored", num_virtual_cpus=virtual_devices.NUM_DEVICES
  )


def shares(strategy, batch):
  """Returns each replica's part of a batch as `Strategy.run` takes it."""
  num_replicas = strategy.num_replicas_in_sync

  def part(context):
    replica = context.replica_id_in_sync_group
    begin, end = (
      len(batch) * number // num_replicas for number in (replica, replica + 1)
    )
    return {
      "example": tf.constant(batch[begin:end], tf.int32),
      "position": tf.range(begin, end),
    }

  return strategy.experimental_distribute_values_from_function(part)


class ExampleTableTest(parameterized.TestCase):
  @parameterized.parameters(1, virtual_devices.NUM_DEVICES)
  def test_is_what_a_slow_loop_makes(self, num_replicas):
    strategy = strategy_of(num_replicas)
    with strategy.scope():
      table = example_table.ExampleTable(NUM_EXAMPLES, 2, batch_size=5)
    slow = np.zeros([NUM_EXAMPLES, 2], np.float32)

    @tf.function(autograph=False)
    def add(targets):
      rows = tf.stack([targets["example"], targets["position"] + 1], axis=1)
      table.add(tf.cast(rows, tf.float32), targets)

    @tf.function(autograph=False)
    def halve(targets):
      table.assign(table.gather(targets) / 2 + 0.1, targets)

    for batch in BATCHES:
      strategy.run(add, args=(shares(strategy, batch),))
      for position, example in enumerate(batch):
        slow[example] += (example, position + 1)
    strategy.run(halve, args=(shares(strategy, BATCHES[1]),))
    slow[BATCHES[1]] = slow[BATCHES[1]] / 2 + 0.1
    np.testing.assert_allclose(table.get_state(), slow, rtol=1e-6)
    for own in distribution.local_components(strategy, table.variable):
      np.testing.assert_allclose(own.numpy(), slow, rtol=1e-6)

  @parameterized.parameters(1, virtual_devices.NUM_DEVICES)
  def test_a_step_does_not_read_the_whole_table(self, num_replicas):
    strategy = strategy_of(num_replicas)
    with strategy.scope():
      table = example_table.ExampleTable(NUM_EXAMPLES, 2, batch_size=5)

    @tf.function(autograph=False)
    def step(targets):
      def replica_step(targets):
        table.assign(table.gather(targets) + 1, targets)
        table.add(table.gather(targets), targets)

      strategy.run(replica_step, args=(targets,))

    graph = step.get_concrete_function(shares(strategy, BATCHES[0])).graph
    kinds = {each.type for each in graph.get_operations()}
    self.assertIn("ResourceGather", kinds)
    self.assertNotIn("ReadVariableOp", kinds)

  @parameterized.parameters(
    ("GPU", 1000, 251, True),
    ("GPU", 1000, 250, False),
    ("GPU", None, 10**15, False),
    ("CPU", 1000, 10**15, False),
  )
  def test_is_on_the_host_where_it_does_not_fit(
    self, kind, memory, num_bytes, expected
  ):
    found = [devices.Device("TPU"), devices.Device(kind, memory=memory)]
    self.assertEqual(example_table.belongs_on_host(num_bytes, found), expected)

  def test_steps_reach_a_table_on_the_host(self):
    small = devices.Device("GPU", memory=8)
    tables = [example_table.ExampleTable(NUM_EXAMPLES, 2)]
    with (
      mock.patch.object(devices, "find", return_value=[small]),
      tf.device("CPU:1"),  # What computes, where the host is CPU:0.
      self.assertLogs(example_table.__name__) as logged,
    ):
      tables.append(example_table.ExampleTable(NUM_EXAMPLES, 2))
    self.assertEqual([t.is_on_host for t in tables], [False, True])
    self.assertIn("56 B: it is on the host", logged.output[0])
    self.assertRegex(tables[1].variable.device, "CPU:0$")
    for table in tables:

      @tf.function(autograph=False)
      def step(example, table=table):
        with tf.device("CPU:1"):
          targets = {"example": example}
          rows = table.gather(targets)
          table.assign(rows / 2 + 0.1, targets)
          table.add(tf.ones_like(rows), targets)

      for batch in BATCHES:
        step(tf.constant(batch))
    np.testing.assert_array_equal(*(t.get_state() for t in tables))
    self.assertTrue(tables[0].get_state().any())

  def test_a_state_is_taken_back(self):
    table = example_table.ExampleTable(3, 1)
    table.set_state(np.float32([[1], [2], [3]]))
    rows = table.gather({"example": tf.constant([2, 0])})
    np.testing.assert_array_equal(rows, [[3], [1]])

  def test_says_that_it_needs_numbers(self):
    table = example_table.ExampleTable(3, 1)
    with self.assertRaisesRegex(
      ValueError, 'pass `fit` the targets .*"example"'
    ):
      table.add(tf.zeros([1, 1]), {"label": tf.constant([0])})


if __name__ == "__main__":
  absltest.main()
