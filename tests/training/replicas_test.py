"""However many replicas a batch is split among, training is the same."""

import functools

from absl.testing import absltest, parameterized
import keras
import numpy as np
import tensorflow as tf

from nct_tf import config as config_lib, distribution, loss_scaling, networks
from nct_tf.input_pipeline import batching, noisy_dataset
from nct_tf.methods import building, nct
from nct_tf.models import classifier
from nct_tf.networks import layers
from nct_tf.system import interruption
from nct_tf.training import ending, loop as loop_lib, state as state_lib
from tests.support import long_tests, virtual_devices

NUM_CLASSES = 4
SHAPE = (6, 6, 1)
BATCH_SIZE = 8
# Batches of 8, 8, 8 and 5: the last does not split evenly.
NUM_EXAMPLES = 29

rng = np.random.default_rng(0)
IMAGES = rng.integers(256, size=(NUM_EXAMPLES, *SHAPE), dtype=np.uint8)
LABELS = rng.integers(NUM_CLASSES, size=NUM_EXAMPLES)


def strategy_of(num_replicas):
  if num_replicas == 1:
    return tf.distribute.get_strategy()
  strategy = distribution.create("mirrored", num_virtual_cpus=num_replicas)
  assert strategy.num_replicas_in_sync == num_replicas
  return strategy


def mlp():
  return networks.create("mlp", SHAPE, NUM_CLASSES, 8)


def synchronized_cnn():
  return networks.create(
    "simple_cnn", SHAPE, NUM_CLASSES, 8, sync_batch_norm=True
  )


def one_batch_norm(synchronized=False):
  """Returns the least that has batch norm: a graph for each replica is dear."""
  return keras.Sequential(
    [
      keras.Input(SHAPE),
      keras.layers.Conv2D(4, 3, use_bias=False),
      keras.layers.BatchNormalization(momentum=0.9, synchronized=synchronized),
      keras.layers.ReLU(),
      keras.layers.Flatten(),
      keras.layers.Dense(NUM_CLASSES),
    ]
  )


one_synchronized = functools.partial(one_batch_norm, synchronized=True)


def make_model(strategy, make_network, optimizer, **options):
  keras.utils.set_random_seed(2)
  with strategy.scope():
    model = nct.ConcurrentModel(make_network(), make_network(), **options)
    model.compile(optimizer=optimizer(), jit_compile=False)
  model.alpha.assign(0.5)
  return model


def dataset(num_epochs, augmentation, **shares):
  examples = noisy_dataset.Examples(
    IMAGES, LABELS, LABELS, np.arange(NUM_EXAMPLES)
  )
  return batching.Batching(
    batch_size=BATCH_SIZE,
    num_epochs=num_epochs,
    mean=[0.5],
    std=[0.3],
    augmentation=augmentation,
  ).train(examples, **shares)


def train(model, num_steps, num_epochs=1, augmentation="none", **options):
  """Trains; returns the means of the last epoch."""
  loop = loop_lib.TrainingLoop(model, interruption.Interruption(), **options)
  state = state_lib.TrainingState(model)

  def make_batches(first_step):
    return loop.iterate(
      functools.partial(
        dataset, num_epochs, augmentation, first_step=first_step
      )
    )

  loop.train(make_batches, num_steps, ending.Ending(num_epochs), state, [])
  return model.means.results()


def first_gradients(model):
  """Returns the gradient of each variable in the first step: list of arrays."""
  before = [np.asarray(w) for w in model.trainable_variables]
  train(model, num_steps=1)
  return [
    b - np.asarray(w)
    for b, w in zip(before, model.trainable_variables, strict=True)
  ]


# What a step of it takes from a weight is the gradient.
descent = functools.partial(keras.optimizers.SGD, 1.0)


WEIGHT_DECAY = 0.01


@functools.cache
def usual_gradients(make_network, num_replicas):
  """Returns those of all that can be switched on, but clipping."""
  return gradients_of(make_network, num_replicas)


def gradients_of(make_network, num_replicas, **options):
  model = make_model(
    strategy_of(num_replicas),
    make_network,
    descent,
    weight_decay=WEIGHT_DECAY,
    **options,
  )
  model.target_variability_rate.assign(0.4)
  return first_gradients(model)


class GradientsTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("mlp_2", mlp, 2),
    ("synchronized_2", one_synchronized, 2),
    *long_tests.also(
      ("synchronized_cnn_2", synchronized_cnn, 2),
      ("synchronized_4", one_synchronized, 4),
    ),
  )
  def test_are_those_of_one_replica(self, make_network, num_replicas):
    for one, many in zip(
      usual_gradients(make_network, 1),
      usual_gradients(make_network, num_replicas),
      strict=True,
    ):
      self.assertGreater(np.abs(one).max(), 1e-3)
      np.testing.assert_allclose(many, one, atol=1e-5)

  @parameterized.parameters(
    (2,), *long_tests.also((virtual_devices.NUM_DEVICES,))
  )
  def test_batch_norm_is_of_each_replicas_part(self, num_replicas):
    strategy = strategy_of(num_replicas)
    actual = make_model(strategy, one_batch_norm, descent)
    gradients = first_gradients(actual)
    # The same with one replica, a part of the batch at a time.
    model = make_model(strategy_of(1), one_batch_norm, descent)
    shares = dataset(
      1, "none", replicas=range(num_replicas), num_replicas=num_replicas
    )
    statistics = []
    fresh = model.get_weights()
    expected = 0.0
    for images, targets in shares.take(num_replicas):
      model.set_weights(fresh)
      with tf.GradientTape() as tape:
        logits = model.logits(images, training=True)
        losses = classifier.per_example(model.network_losses(logits, targets))
        loss = tf.reduce_sum(losses["loss"]) / BATCH_SIZE
      parts = tape.gradient(loss, model.trainable_variables)
      expected = expected + np.array([p.numpy() for p in parts], object)
      statistics.append(moving_statistics(model))
    for one, other in zip(gradients, expected, strict=True):
      np.testing.assert_allclose(one, other, atol=1e-5)
    for one, *others in zip(
      moving_statistics(actual), *statistics, strict=True
    ):
      np.testing.assert_allclose(one, np.mean(others, axis=0), atol=1e-6)

  @parameterized.parameters((2,), *long_tests.also((1,)))
  def test_clips_each_network_by_its_own_norm(self, num_replicas):
    # Weight decay comes after clipping.
    decay = [WEIGHT_DECAY * w for w in initial_weights(mlp)]
    whole = [
      gradient - part
      for gradient, part in zip(
        usual_gradients(mlp, num_replicas), decay, strict=True
      )
    ]
    half = len(whole) // 2
    norms = [
      np.sqrt(sum(np.sum(g**2) for g in part))
      for part in (whole[:half], whole[half:])
    ]
    # Between the two: one is clipped, the other is not.
    norm = sum(norms) / 2
    self.assertGreater(np.ptp(norms), 0.01 * norm)
    clipped = gradients_of(mlp, num_replicas, clip_norm=norm)
    for number, (one, part, other) in enumerate(
      zip(whole, decay, clipped, strict=True)
    ):
      factor = min(1.0, norm / norms[number // half])
      np.testing.assert_allclose(other - part, factor * one, atol=1e-6)

  def test_replicas_drop_differently(self):
    strategy = strategy_of(2)
    with strategy.scope():
      layer = layers.Dropout(0.5)
      layer.build((None, 100))
    drop = tf.function(functools.partial(layer, training=True), autograph=False)
    draws = [strategy.run(drop, (tf.ones([2, 100]),)) for _ in range(2)]
    shares = [
      share.numpy().tolist()
      for draw in draws
      for share in strategy.experimental_local_results(draw)
    ]
    self.assertLen({str(share) for share in shares}, 4)
    for copy in distribution.local_components(strategy, layer.num_draws):
      self.assertEqual(copy.numpy(), 2)


def initial_weights(make_network):
  model = make_model(strategy_of(1), make_network, descent)
  return [np.asarray(w) for w in model.trainable_variables]


def moving_statistics(model):
  return [
    np.asarray(variable)
    for network in model.networks
    for variable in network.non_trainable_variables
    if "moving" in variable.name
  ]


class TrainingTest(absltest.TestCase):
  def test_one_and_two_give_the_same_weights_and_means(self):
    weights, means = [], []
    num_steps = batching.steps_per_epoch(NUM_EXAMPLES, BATCH_SIZE)
    momentum = functools.partial(keras.optimizers.SGD, 0.1, momentum=0.9)
    for number in (1, 2):
      model = make_model(
        strategy_of(number), mlp, momentum, weight_decay=WEIGHT_DECAY
      )
      model.target_variability_rate.assign(0.4)
      means.append(
        train(model, num_steps, num_epochs=3, augmentation="crop_flip")
      )
      weights.append([np.asarray(w) for w in model.trainable_variables])
    for one, two in zip(*weights, strict=True):
      np.testing.assert_allclose(one, two, atol=1e-6)
    self.assertIn("mimicry_1", means[0])
    self.assertEqual(means[0].keys(), means[1].keys())
    for name, value in means[0].items():
      self.assertAlmostEqual(value, means[1][name], places=5, msg=name)


class Float16Test(parameterized.TestCase):
  @parameterized.parameters((2, "mlp"), *long_tests.also((1, "simple_cnn")))
  def test_a_step_that_overflows_anywhere_is_left_out_everywhere(
    self, num_replicas, network
  ):
    strategy = strategy_of(num_replicas)
    config = config_lib.TrainConfig(
      network=network, width=4, mixed_precision="float16", clip_norm=1.0
    )
    keras.utils.set_random_seed(2)
    with strategy.scope():
      model = building.create_compiled(config, SHAPE, NUM_CLASSES, NUM_EXAMPLES)
      model.optimizer.build(model.trainable_variables)

    @tf.function
    def step(batch):
      return strategy.run(model.train_step, args=(batch,))

    def weights():
      return [
        [value.numpy() for value in distribution.local_components(strategy, w)]
        for w in model.trainable_variables
      ]

    good = (IMAGES[:8] / np.float32(255), LABELS[:8])
    bad = (good[0] * np.float32(1e9), good[1])
    # Only the last replica overflows.
    batches = [good] * (num_replicas - 1) + [bad]
    before = weights()
    step(self.distribute(strategy, batches))
    for old, new in zip(before, weights(), strict=True):
      np.testing.assert_array_equal(old, new)
    scale = float(loss_scaling.scale_loss(model.optimizer, tf.ones(())))
    for _ in range(3):
      step(self.distribute(strategy, [good] * num_replicas))
    self.assertLess(scale, 2.0**15)
    for old, new in zip(before, weights(), strict=True):
      self.assertTrue(np.isfinite(new).all())
      self.assertTrue((np.asarray(old) != new).any())
      for other in new[1:]:
        np.testing.assert_array_equal(other, new[0])

  def distribute(self, strategy, batches):
    if len(batches) == 1:
      return tf.nest.map_structure(tf.constant, batches[0])
    return strategy.experimental_distribute_values_from_function(
      lambda context: tf.nest.map_structure(
        tf.constant, batches[context.replica_id_in_sync_group]
      )
    )


if __name__ == "__main__":
  absltest.main()
