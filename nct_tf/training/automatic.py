"""Chooses what is `auto`: settings that fit one's own pictures and the time.

The rules are this project's own. docs/data.md tells them, and how they were
found.
"""

import dataclasses
import logging
import math
import time

import numpy as np
import tensorflow as tf

from nct_tf import datasets, distribution, errors, preprocessing
from nct_tf.input_pipeline import noisy_dataset, run_data
from nct_tf.reporting import units
from nct_tf.training import cost, mirroring

_logger = logging.getLogger(__name__)

# What the audit trains by default to predict each label by networks that did
# not learn it; that costs as many trainings less one.
NUM_FOLDS = 3

_SECONDS = 1.5  # How long a candidate's steps are timed, and its evaluation.
_NUM_SAMPLED = 1000
# So many steps of 32 images were enough for digits, clothes and textures.
_NUM_STEPS = 2000
_STEP_SIZE = 32
_MAX_EPOCHS = 100
_MIN_EPOCHS = 20
_FEW = 10_000  # Fewer examples than this get small batches.
_MIN_AUGMENTED_SIZE = 24
_TARGET_VARIABILITY = 0.1


@dataclasses.dataclass(frozen=True)
class _Candidate:
  """A network, and what it costs.

  Attributes:
    network: str.
    width: int.
    max_size: int, pixels of the images' shorter side that it gets.
    relative_cost: float, of a step at 32 pixels, measured on two cores.
  """

  network: str
  width: int
  max_size: int
  relative_cost: float


_ON_CPU = (
  _Candidate("preact_resnet10", 16, 32, 1.0),
  _Candidate("simple_cnn", 32, 32, 0.65),
  _Candidate("simple_cnn", 16, 32, 0.25),
  _Candidate("simple_cnn", 16, 16, 0.08),
)
_ON_GPU = (
  _Candidate("preact_resnet18", 64, 64, 100.0),
  _Candidate("preact_resnet18", 64, 32, 25.0),
  *_ON_CPU,
)
_MIN_CONVOLVED_SIZE = 4
_FOR_DOTS = (_Candidate("mlp", 64, _MIN_CONVOLVED_SIZE, 0.05),)


@dataclasses.dataclass(frozen=True)
class Choice:
  """What was chosen, and why.

  Attributes:
    config: the `TrainConfig` with all values.
    reasons: dict from the name of an option that was `auto` to str.
    train_seconds: float, what the training will take, measured; None where
      nothing had to be measured.
    audit_seconds: float, likewise, of an audit with folds; None where it is
      longer than the budget.
    facts: str, what the pictures are.
  """

  config: object
  reasons: dict
  train_seconds: float | None
  audit_seconds: float | None
  facts: str

  def describe(self):
    """Returns the choice as lines of text, with its price."""
    values = {
      **vars(self.config),
      **vars(self.config.method_options),
    }
    flags = {
      name: f"--{name}={'as they are' if value is None else value}"
      for name in self.reasons
      for value in [values[name]]
    }
    width = max(map(len, flags.values()))
    lines = [
      f"Chosen for {self.facts} (--time_budget_minutes="
      f"{self.config.time_budget_minutes:g}):",
      *(
        f"  {flag:<{width}}  {self.reasons[name]}"
        for name, flag in flags.items()
      ),
    ]
    if self.train_seconds is not None:
      lines.append(f"  Price: {self._describe_price()}")
    return "\n".join(lines)

  def _describe_price(self):
    train = f"about {units.seconds(self.train_seconds)} of training"
    if self.audit_seconds is None:
      return f"{train}; an audit by this run's own scores"
    return (
      f"{train}, and {units.seconds(self.audit_seconds)} of an audit that "
      f"trains {NUM_FOLDS} times on the other parts"
    )
