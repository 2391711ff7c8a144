"""A method's steps are the same with several replicas, and with XLA."""

import dataclasses
import functools
from unittest import mock

from absl.testing import absltest, parameterized
import keras
import numpy as np
import tensorflow as tf

from nct_tf import distribution, methods, networks
from nct_tf.input_pipeline import batching, noisy_dataset
from nct_tf.models import classifier, label_scores
from nct_tf.system import devices, interruption
from nct_tf.training import ending, loop as loop_lib, state as state_lib
from tests.support import long_tests, virtual_devices

NUM_REPLICAS = 2
NUM_CLASSES = 3
SHAPE = (4, 4, 1)
NUM_EXAMPLES = 43
BATCH_SIZE = 12  # The last batch has 7: it does not split evenly.
NUM_STEPS = 4

# Of those that look at the whole batch or at what is kept of the examples.
OPTIONS = {
  "mixup": {},
  "gce": {"gce_truncation": 0.5, "gce_prune_epochs": 2},
  "forward_correction": {},
  "elr": {},
  "decoupling": {},
  "mentornet": {},
  "co_teaching": {},
  "co_teaching_plus": {},
  "jocor": {},
  "dividemix": {"loss_history_epochs": 2, "lambda_u": "25"},
  "m_correction": {"m_correction_type": "soft", "mixup_epochs": 2},
  "d2l": {"d2l_init_epochs": 1},
  "incv": {},
  "pencil": {},
  "joint_optim": {},
  "mlnt": {"mlnt_label_sets": 2, "mlnt_neighbors": 4, "mlnt_fast_rate": 0.5},
  "meta_cleaner": {"meta_cleaner_set_size": 2, "meta_cleaner_units": 4},
}
# As in the middle of a training.
WEIGHTS = {
  "forget_rate": 0.3,
  "holds_out": 0.0,
  "uses_disagreement": 1.0,
  "training_percent": 95.0,
  "dropout_rate": 0.2,
  "corrects": 1.0,
  "prunes": 0.0,
  "divides": 1.0,
  "guessed_weight": 25.0,
  "stage": 2.0,
  "temperature": 0.5,
  "wrong_share": 0.4,
  "alpha": 0.6,
  "lid": 2.0,
  "incv_stage": 2.0,
  "pencil_stage": 1.0,
  "ring_slot": 3.0,
  "regularizes": 1.0,
  "meta_epochs": 2.0,
  "meta_progress": 0.0,
}
# Likewise, of what is remembered.
STATE = {
  "gce": {"pruned": np.arange(NUM_EXAMPLES)[:, None] % 3 == 0},
  "m_correction": {
    "wrong_probabilities": np.linspace(0, 1, 100),
    "loss_bounds": [0.5, 2.0],
  },
  "dividemix": {
    "probability_right": np.linspace(0, 1, 2 * NUM_EXAMPLES).reshape(-1, 2),
    "is_labelled": np.arange(2 * NUM_EXAMPLES).reshape(-1, 2) % 5 < 3,
  },
  "incv": {
    "roles": np.arange(NUM_EXAMPLES)[:, None] % 4 == np.arange(3),
    "num_selected": 11.0,
  },
}

rng = np.random.default_rng(0)
LABELS = rng.integers(NUM_CLASSES, size=NUM_EXAMPLES)
EXAMPLES = noisy_dataset.Examples(
  rng.integers(256, size=(NUM_EXAMPLES, *SHAPE), dtype=np.uint8),
  LABELS,
  LABELS,
  np.arange(NUM_EXAMPLES),
)
BATCHING = batching.Batching(
  batch_size=BATCH_SIZE,
  num_epochs=2,
  mean=[0.5],
  std=[0.3],
  augmentation="none",
)


def strategy_of(num_replicas):
  if num_replicas == 1:
    return tf.distribute.get_strategy()
  return distribution.create(
    "mirrored",
    num_virtual_cpus=min(num_replicas, virtual_devices.NUM_DEVICES),
  )


@functools.cache
def train(method, num_replicas=1, uses_xla=False, is_on_host=False):
  """Trains two epochs; returns what was learned: dict of arrays.

  Args:
    method: str.
    num_replicas: int.
    uses_xla: bool.
    is_on_host: bool, whether tables are placed as for a GPU without memory.
  """
  keras.utils.set_random_seed(2)
  model_class = methods.get_model(method)
  with strategy_of(num_replicas).scope():
    model = model_class(
      *(
        networks.create("mlp", SHAPE, NUM_CLASSES, 8)
        for _ in range(model_class.Options.NUM_NETWORKS)
      ),
      **OPTIONS[method],
    )
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), jit_compile=False)
    found = [devices.Device("GPU", memory=0 if is_on_host else None)]
    with mock.patch.object(devices, "find", return_value=found):
      model.remember(NUM_EXAMPLES, NUM_CLASSES, BATCH_SIZE)
    scores = label_scores.LabelScores(NUM_EXAMPLES, BATCH_SIZE)
  model.track(scores)
  for name in model.schedules(1):
    getattr(model, name).assign(WEIGHTS[name])
  for name, value in STATE.get(method, {}).items():
    model.example_variables[name].assign(np.float32(value))
  batches = BATCHING
  if model_class.Options.NUM_VIEWS > 1:
    batches = dataclasses.replace(
      BATCHING,
      num_views=model_class.Options.NUM_VIEWS,
      augmentation="crop_flip",
    )
  loop = loop_lib.TrainingLoop(
    model, interruption.Interruption(), uses_xla=uses_xla
  )
  loop.train(
    lambda first_step: loop.iterate(
      functools.partial(batches.train, EXAMPLES, first_step=first_step)
    ),
    NUM_STEPS,
    ending.Ending(2),
    state_lib.TrainingState(model, label_scores=scores),
    [],
    has_small=True,
  )
  # As after the second of 20 epochs, the last one of the warm-up.
  predictions = np.random.default_rng(1).normal(
    size=(len(model.networks), NUM_EXAMPLES, NUM_CLASSES)
  )
  predictions = predictions.astype(np.float32)
  training_set = classifier.TrainingSet(
    20, LABELS, lambda: predictions, lambda chosen: predictions[0, chosen]
  )
  model.between_epochs(1, training_set)
  schedules = {name: each(7) for name, each in model.schedules(20).items()}
  learned = {f"weight{i}": np.asarray(w) for i, w in enumerate(model.weights)}
  for name, variable in model.example_variables.items():
    learned[name] = tf.convert_to_tensor(variable).numpy()
  learned |= schedules
  return {**learned, "scores": scores.get_state(), **model.means.results()}


def _others(*names):
  """Returns the parameters of all methods but some."""
  return [(name,) for name in OPTIONS if name not in names]


class MethodStepsTest(parameterized.TestCase):
  def check(self, method, **different):
    expected = train(method)
    found = train(method, **different)
    self.assertEqual(found.keys(), expected.keys())
    for name, value in expected.items():
      np.testing.assert_allclose(
        found[name], value, rtol=1e-4, atol=1e-5, err_msg=name
      )

  @parameterized.parameters(
    ("mixup",),
    ("co_teaching_plus",),
    *long_tests.also(*_others("mixup", "co_teaching_plus")),
  )
  def test_two_replicas_learn_what_one_does(self, method):
    self.check(method, num_replicas=NUM_REPLICAS)

  @parameterized.parameters(
    ("co_teaching_plus",), *long_tests.also(*_others("co_teaching_plus"))
  )
  def test_xla_changes_nothing(self, method):
    self.check(method, uses_xla=True)

  @long_tests.only
  def test_a_table_on_the_host_changes_nothing(self):
    with self.assertLogs(loop_lib.__name__) as logged:
      self.check("pencil", uses_xla=True, is_on_host=True)
    self.assertIn("XLA compiles the networks, not whole", logged.output[0])


if __name__ == "__main__":
  absltest.main()
