"""Each preset trains two steps, on random images of its dataset's shape.

`make test-long` takes all of them; otherwise, of the small network, one for
each of two methods.
"""

import dataclasses
import functools
import gc
import math

from absl.testing import absltest, parameterized
import keras

from nct_tf import datasets
from nct_tf.experiments import tables
from nct_tf.input_pipeline import batching, noisy_dataset
from nct_tf.methods import building
from nct_tf.system import interruption
from nct_tf.training import loop as loop_lib
from tests.support import long_tests

_BATCH_SIZE = 4
_METHODS = ("nct", "standard")
_LARGE = ("resnet50", "inception_resnet_v2", "preact_resnet18")


def presets():
  """Returns a cell for each kind of run there is, and if it is taken."""
  kinds = {}
  for scale in tables.SCALES:
    for number in tables.available(scale):
      for name, cell in tables.load(number, scale).cells.items():
        run = cell.config(0)
        kinds.setdefault(_kind(run), (number, scale, name))
  of_methods = {}
  for kind, place in kinds.items():
    if kind.network not in _LARGE and kind.method in _METHODS:
      of_methods.setdefault(kind.method, place)
  taken = kinds.values() if long_tests.IS_ON else of_methods.values()
  return [
    ("{1}_table{0}_{2}".format(*place), *place, place in taken)
    for place in kinds.values()
  ]


def _kind(run):
  """Returns what decides which graph is built: all but the noise."""
  return dataclasses.replace(
    run,
    method_options=run.method_options.of_equal_cost(),
    noise_type="none",
    noise_rate=0.0,
    noise_map=None,
    noise_count=None,
  )


def _num_steps(config):
  """Returns how many steps change the weights: int."""
  options = config.method_options
  if getattr(options, "mentornet_type", None) == "self_paced":
    return 10  # First its average has to come near the losses.
  return 2


class PresetsTest(parameterized.TestCase):
  @parameterized.named_parameters(*presets())
  def test_trains_two_steps(self, number, scale, name, is_taken):
    if not is_taken:
      self.skipTest("all take minutes; make test-long runs it")
    # What was built before takes gigabytes.
    keras.backend.clear_session()
    gc.collect()
    cell = tables.load(number, scale).cells[name]
    preset = cell.config(0)
    shape = tables.data_shapes()[preset.dataset]
    height, _, channels = shape["image_shape"]
    dataset = datasets.load(
      "fake",
      # Some methods hold a tenth of them out, one for each class.
      num_train_examples=10 * shape["num_classes"],
      num_test_examples=shape["num_classes"],
      height=height,
      num_channels=channels,
      num_classes=shape["num_classes"],
    )
    config = dataclasses.replace(
      preset,
      batch_size=_BATCH_SIZE,
      num_train_examples=None,
      num_test_examples=None,
    )
    noisy = noisy_dataset.prepare(dataset)
    model = building.create_compiled(
      config,
      dataset.image_shape,
      dataset.num_classes,
      len(noisy.train),
      **building.no_noise(dataset.num_classes),
    )
    before = [variable.numpy() for variable in model.trainable_variables]
    loop = loop_lib.TrainingLoop(model, interruption.Interruption())
    pipeline = batching.Batching.of_run(config, dataset.moments)
    batches = loop.iterate(functools.partial(pipeline.train, noisy.train))
    for _ in range(_num_steps(config)):
      loss = loop.train_steps(batches)
    self.assertTrue(math.isfinite(loss), loss)
    changed = [
      (variable.numpy() != old).any()
      for variable, old in zip(model.trainable_variables, before, strict=True)
    ]
    # Some numbers are too small for what is added to them.
    self.assertGreater(sum(changed) / len(changed), 0.9)


if __name__ == "__main__":
  absltest.main()
