"""Steps with XLA, several a call, and with batches made ready in the step."""

import functools
import logging
import os
import pathlib
import tempfile
from unittest import mock

from absl.testing import absltest, parameterized
import keras
import numpy as np
import tensorflow as tf

from nct_tf import distribution, networks
from nct_tf.input_pipeline import batching, noisy_dataset
from nct_tf.methods import bootstrap, dml, nct, standard
from nct_tf.models import label_scores, weight_average
from nct_tf.system import interruption
from nct_tf.training import (
  ending,
  feeding,
  loop as loop_lib,
  state as state_lib,
)
from tests.support import long_tests, virtual_devices

NUM_DEVICES = virtual_devices.NUM_DEVICES
NUM_EXAMPLES = 42
BATCH_SIZE = 12  # The last batch has 6.
NUM_STEPS = 4

rng = np.random.default_rng(0)
EXAMPLES = noisy_dataset.Examples(
  rng.integers(0, 256, [NUM_EXAMPLES, 6, 6, 1], np.uint8),
  rng.integers(0, 3, NUM_EXAMPLES, np.int32),
  rng.integers(0, 3, NUM_EXAMPLES, np.int32),
  np.arange(NUM_EXAMPLES),
)
BATCHING = batching.Batching(
  [0.5], [0.3], BATCH_SIZE, num_epochs=2, augmentation="crop_flip"
)


class Uncompilable(nct.ConcurrentModel):
  """NCT, with an operation that XLA has no program for."""

  def random_labels(self, targets, num_classes):
    return [
      tf.ensure_shape(tf.numpy_function(np.copy, [each], tf.int32), [None])
      for each in super().random_labels(targets, num_classes)
    ]


class Diverging(standard.StandardModel):
  """Standard training, whose loss is no number in step 1, counted from 0."""

  def network_losses(self, logits, targets):
    (result,) = super().network_losses(logits, targets)
    bad = tf.where(targets["step"] == 1, np.nan, 0.0)
    return [result._replace(loss=result.loss + bad)]


def create_model(
  model_class=nct.ConcurrentModel, policy="float32", num_replicas=1
):
  keras.utils.set_random_seed(1)
  strategy = tf.distribute.get_strategy()
  if num_replicas > 1:
    strategy = distribution.create("mirrored", num_virtual_cpus=num_replicas)
  before = keras.mixed_precision.global_policy()
  keras.mixed_precision.set_global_policy(policy)
  try:
    with strategy.scope():
      model = model_class(
        *(
          networks.create("simple_cnn", (6, 6, 1), 3, 2)
          for _ in range(model_class.Options.NUM_NETWORKS)
        ),
        weight_decay=0.01,
      )
      model.compile(keras.optimizers.SGD(0.01, momentum=0.9), jit_compile=False)
      model.track(label_scores.LabelScores(NUM_EXAMPLES, BATCH_SIZE))
  finally:
    keras.mixed_precision.set_global_policy(before)
  for name in model.schedules(1):
    getattr(model, name).assign(0.5)
  return model


class Recorder(keras.callbacks.Callback):
  """Keeps what the loop tells of each call."""

  def __init__(self):
    super().__init__()
    self.calls = []

  def on_train_batch_end(self, batch, logs=None):
    self.calls.append((batch, logs))


def train(model, feed=None, average=None, **options):
  """Trains two epochs.

  Returns:
    what it has learned, a list of arrays; the loop; the `Recorder`'s calls.
  """
  feed = feed or feeding.Feeding()
  recorder = Recorder()
  loop = loop_lib.TrainingLoop(
    model,
    interruption.Interruption(),
    feed.finish,
    feed.finish_evaluation,
    average,
    **options,
  )
  loop.train(
    lambda first_step: loop.iterate(
      functools.partial(
        BATCHING.train, EXAMPLES, first_step=first_step, upto=feed.upto
      )
    ),
    NUM_STEPS,
    ending.Ending(BATCHING.num_epochs),
    state_lib.TrainingState(model),
    [recorder],
    has_small=True,
  )
  learned = [np.array(tf.convert_to_tensor(w)) for w in model.weights]
  learned.append(model._label_scores.get_state())
  return learned, loop, recorder.calls


def predictions(loop, feed=None):
  """Returns an evaluation's results, and all logits."""
  upto = (feed or feeding.Feeding()).upto_evaluation
  make = functools.partial(BATCHING.evaluate, EXAMPLES, 20, upto=upto)
  num_replicas = loop.strategy.num_replicas_in_sync
  sizes = batching.evaluation_sizes(NUM_EXAMPLES, 20, num_replicas)
  results = loop.evaluate(loop.iterate(make), len(sizes))
  return results, loop.make_predictor(loop.iterate(make), sizes)()


class StepsTest(parameterized.TestCase):
  def assert_same(self, actual, expected, **tolerance):
    for one, other in zip(actual, expected, strict=True):
      np.testing.assert_allclose(one, other, **tolerance)

  @parameterized.named_parameters(
    ("standard", standard.StandardModel, "float32", 1, 1e-4),
    *long_tests.also(
      ("nct", nct.ConcurrentModel, "float32", 1, 1e-4),
      ("replicas", nct.ConcurrentModel, "float32", NUM_DEVICES, 1e-4),
      ("float16", standard.StandardModel, "mixed_float16", 1, 0.02),
      ("bfloat16", nct.ConcurrentModel, "mixed_bfloat16", 1, 0.1),
      ("bootstrap", bootstrap.BootstrapModel, "float32", 1, 1e-4),
      ("dml", dml.MutualModel, "float32", 1, 1e-4),
      (
        "bootstrap_replicas",
        bootstrap.BootstrapModel,
        "float32",
        NUM_DEVICES,
        1e-4,
      ),
    ),
  )
  def test_xla_learns_and_predicts_the_same(
    self, method, policy, num_replicas, atol
  ):
    plain, plain_loop, _ = train(create_model(method, policy, num_replicas))
    with self.assertNoLogs(loop_lib.__name__, "WARNING"):
      compiled, loop, _ = train(
        create_model(method, policy, num_replicas), uses_xla=True
      )
    self.assert_same(compiled, plain, atol=atol)
    expected, expected_logits = predictions(plain_loop)
    results, logits = predictions(loop)
    self.assertEqual(results.keys(), expected.keys())
    np.testing.assert_allclose(logits, expected_logits, atol=10 * atol)
    self.assertAlmostEqual(results["loss"], expected["loss"], delta=10 * atol)

  @parameterized.named_parameters(
    ("one", 1), *long_tests.also(("replicas", NUM_DEVICES))
  )
  def test_how_many_steps_a_call_makes_changes_nothing(self, num_replicas):
    model = create_model(num_replicas=num_replicas)
    average = weight_average.WeightAverage(model, 0.9)
    one, _, calls = train(model, average=average, steps_per_execution=1)
    self.assertLen(calls, 2 * NUM_STEPS)
    model = create_model(num_replicas=num_replicas)
    other_average = weight_average.WeightAverage(model, 0.9)
    many, _, calls = train(model, average=other_average, steps_per_execution=3)
    # Three full batches, and the small one by itself.
    self.assertEqual([batch for batch, _ in calls], [2, 3, 2, 3])
    self.assert_same(many, one)
    self.assert_same(
      other_average.weights["network2"], average.weights["network2"]
    )

  @parameterized.named_parameters(
    ("held", True), *long_tests.also(("sent", False))
  )
  def test_batches_made_ready_in_the_step_are_the_same(self, is_held):
    expected, expected_loop, _ = train(create_model())
    images = EXAMPLES.images if is_held else list(EXAMPLES.images)
    feed = feeding.on_device(BATCHING, images, tf.distribute.get_strategy())
    self.assertEqual(feed.upto, batching.ROWS if is_held else batching.IMAGES)
    actual, loop, _ = train(create_model(), feed)
    self.assert_same(actual, expected, atol=1e-5)
    np.testing.assert_allclose(
      predictions(loop, feed)[1], predictions(expected_loop)[1], atol=1e-4
    )

  def xla_folder(self):
    """Returns the folder where XLA keeps programs in this test, and is empty.

    Another test of this process may have named one.
    """
    folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    flags = f"--tf_xla_persistent_cache_directory={folder}"
    self.enter_context(mock.patch.dict(os.environ, TF_XLA_FLAGS=flags))
    return folder

  @parameterized.parameters(False, True)
  def test_what_xla_cannot_compile_runs_without(self, is_something_kept):
    kept = self.xla_folder() / "xla_compile_cache__1"
    if is_something_kept:
      kept.touch()
    expected, _, _ = train(create_model())
    model = create_model(Uncompilable)
    with self.assertLogs(loop_lib.__name__, logging.WARNING) as logged:
      actual, _, _ = train(model, uses_xla=True)
    self.assertLen(logged.output, 1 + is_something_kept)
    if is_something_kept:
      self.assertIn("kept on disk is deleted: ", logged.output[0])
      self.assertFalse(kept.exists())
    self.assertRegex(logged.output[-1], "without XLA: .*PyFunc")
    # No batch was lost.
    self.assert_same(actual, expected, atol=1e-5)

  def test_what_is_timed_runs_without_what_xla_cannot_compile(self):
    self.xla_folder()
    loop = loop_lib.TrainingLoop(
      create_model(Uncompilable), interruption.Interruption(), uses_xla=True
    )
    batches = loop.iterate(functools.partial(BATCHING.train, EXAMPLES))
    with self.assertLogs(loop_lib.__name__, logging.WARNING) as logged:
      losses = [loop.train_steps(batches) for _ in range(2)]
    self.assertLen(logged.output, 1)
    self.assertRegex(logged.output[0], "without XLA: .*PyFunc")
    self.assertTrue(np.isfinite(losses).all())

  def test_counts_the_steps_before_a_loss_that_is_no_number(self):
    _, _, calls = train(create_model(Diverging), steps_per_execution=3)
    batch, logs = calls[0]
    self.assertEqual((batch, logs["num_finite_steps"]), (2, 1))
    self.assertTrue(np.isnan(logs["loss"]))


if __name__ == "__main__":
  absltest.main()
