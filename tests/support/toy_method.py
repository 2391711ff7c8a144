"""A training method as somebody else would write one, with all that one may.

`python -m tests.support.toy_method WORKDIR` trains with it. With `SIGTERM 3`
behind that, it sends itself that signal while it goes over the training set
after epoch 3.
"""

import dataclasses
import os
import signal
import sys

import keras
import numpy as np
import tensorflow as tf

from nct_tf import errors, losses, methods
from nct_tf.methods import options
from nct_tf.models import classifier, example_table
from nct_tf.options import fields
from nct_tf.training import run
from tests.support import tiny_run

# Of 400 examples, 320 are trained on: 10 steps an epoch.
SETTINGS = {
  "method": "toy",
  "toy_memory": 0.8,
  "num_train_examples": 400,
  "validation_fraction": 0.2,
  "batch_size": 32,
  "num_epochs": 6,
  "learning_rate": 0.1,
  "lr_decay_factor": 0.5,
  "monitor_every_epochs": 1,
  "checkpoint_every_minutes": 1e-6,
  "steps_per_execution": 2,
}
# The first epoch of each phase.
PHASE_BEGINS = (0, 2, 4)
# The signal, and the epoch, of the command line.
DISTURBANCE = []


@dataclasses.dataclass(frozen=True)
class ToyOptions(options.MethodOptions):
  """Options of the toy method."""

  TITLE = "Toy method"
  SUMMARY = "Two networks turn away from examples that they find hard."
  REFERENCE = "Nobody, 2026"
  ADVICE = "The probabilities are a toy's."
  NUM_NETWORKS = 2

  toy_memory: float = fields.option(
    0.9, "How much is kept of what was remembered.", low=0, high=1
  )


class ToyModel(classifier.Classifier):
  """Weights examples by how hard both networks found them."""

  Options = ToyOptions
  PARTS = ("cross_entropy", "weight")

  def __init__(self, *networks, **kwargs):
    super().__init__(*networks, **kwargs)
    self.gauge = keras.layers.Dense(1, name="gauge")
    self.gauge.build([None, networks[0].output_shape[-1]])

  @property
  def auxiliary_layers(self):
    return [self.gauge]

  def state(self, num_examples, num_classes, batch_size):
    return {
      "hardness": example_table.ExampleTable(num_examples, 2, batch_size),
      "confidence": tf.Variable(0.0, trainable=False),
      "size": tf.Variable(0.0, trainable=False),
      "phase": tf.Variable(-1.0, trainable=False),
    }

  def prepare(self, images, targets):
    hardness = self.example_state["hardness"].gather(targets)
    return images, {**targets, "hardness": hardness}

  def network_losses(self, logits, targets):
    values = [losses.cross_entropy(own, targets["label"]) for own in logits]
    kept = self.options.toy_memory
    found = tf.stop_gradient(tf.stack(values, axis=1))
    hardness = kept * targets["hardness"] + (1 - kept) * found
    self.example_state["hardness"].assign(hardness, targets)
    confidence = tf.convert_to_tensor(self.example_state["confidence"])
    weights = tf.exp(-(self.strength + confidence) * hardness)
    return [
      self._network_loss(each, weights[:, number])
      for number, each in enumerate(values)
    ]

  def training_losses(self, images, targets):
    logits, network_losses = super().training_losses(images, targets)
    error = self.gauge(tf.stop_gradient(logits[0]))[:, 0] - 1
    size = tf.convert_to_tensor(self.example_state["size"])
    first, second = network_losses
    return logits, [first._replace(unlabelled=error**2 * size), second]

  def evaluation_losses(self, logits, targets):
    values = [losses.cross_entropy(own, targets["label"]) for own in logits]
    return [self._network_loss(each, tf.ones_like(each)) for each in values]

  def _network_loss(self, cross_entropy, weight):
    return classifier.NetworkLoss(
      cross_entropy,
      weight,
      parts={"cross_entropy": cross_entropy, "weight": weight},
      floor=0.1,
    )

  def schedules(self, num_epochs):
    return {"strength": lambda epoch: epoch / num_epochs}

  def before_training(self, training_set):
    features = training_set.features(np.arange(0, len(training_set.labels), 2))
    self.example_state["size"].assign(np.abs(features).mean())

  def begin_phase(self, number):
    self.example_state["phase"].assign(number)

  def between_epochs(self, epoch, training_set):
    if ["SIGTERM", str(epoch)] == DISTURBANCE:
      os.kill(os.getpid(), signal.SIGTERM)  # The pass ends after a batch.
    probabilities = tf.nn.softmax(training_set.predict().mean(axis=0))
    if ["SIGKILL", str(epoch)] == DISTURBANCE:
      os.kill(os.getpid(), signal.SIGKILL)  # Nothing is remembered of it.
    confidence = tf.reduce_mean(tf.reduce_max(probabilities, axis=-1))
    self.example_state["confidence"].assign(confidence)

  def phases(self, num_epochs):
    third = num_epochs // 3
    return [
      classifier.Phase("begin", third),
      classifier.Phase("slow", third, learning_rate=0.005),
      classifier.Phase("again", num_epochs - 2 * third, restart=True),
    ]


def register():
  """Makes the method one like all others; once in a process."""
  if "toy" not in methods.names():
    methods.register("toy", ToyModel)


if __name__ == "__main__":
  register()
  DISTURBANCE += sys.argv[2:]
  try:
    run.train_and_evaluate(
      tiny_run.tiny_config(workdir=sys.argv[1], **SETTINGS)
    )
  except errors.TrainingInterrupted:
    sys.exit(errors.RESTART_CODE)
