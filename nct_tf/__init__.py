"""Noisy Concurrent Training in TensorFlow and Keras.

What most users need can be imported from here; `docs/api.md` lists it. Each
name is loaded when it is first used, so importing this package does not load
TensorFlow. The packages below are ordered by subject, and imports only point
down: `scripts` and `flags` import `nct_tf`, which never imports them.
"""

import importlib

from nct_tf.version import __version__ as __version__

# Name -> the module that it is in, and its name there.
_PUBLIC = {
  "ConcurrentModel": ("nct_tf.methods.nct", "ConcurrentModel"),
  "LabelScores": ("nct_tf.models.label_scores", "LabelScores"),
  "StandardModel": ("nct_tf.methods.standard", "StandardModel"),
  "TrainConfig": ("nct_tf.config", "TrainConfig"),
  "audit_labels": ("nct_tf.audit.label_audit", "audit"),
  "concurrent_schedules": (
    "nct_tf.training.epoch_schedules",
    "concurrent_schedules",
  ),
  "corrupt_labels": ("nct_tf.label_noise", "corrupt_labels"),
  "load_run": ("nct_tf.workdir.restoring", "load_run"),
  "train_and_evaluate": ("nct_tf.training.run", "train_and_evaluate"),
}
# Modules that people use by their name.
_MODULES = (
  "label_noise",
  "losses",
  "methods",
  "networks",
  "schedules",
  "target_variability",
)


def __getattr__(name):
  if name in _PUBLIC:
    module, attribute = _PUBLIC[name]
    return getattr(importlib.import_module(module), attribute)
  if name in _MODULES:
    return importlib.import_module(f"nct_tf.{name}")
  raise AttributeError(f"module 'nct_tf' has no attribute {name!r}")


def __dir__():
  return sorted([*globals(), *_PUBLIC, *_MODULES])
