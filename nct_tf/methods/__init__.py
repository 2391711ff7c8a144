"""The training methods: name -> method. A method is one file here.

A method is a `models.classifier.Classifier`. Its options and what is said of it
stand in `options.py`, `loss_options.py` or `selection_options.py`. Methods may
import `models`, `networks`, `noise_estimation` and what they stand on, and each
other's formulas.
"""

import importlib

from nct_tf import errors
from nct_tf.methods import (
  loss_options,
  options as options_lib,
  selection_options,
)
from nct_tf.options import fields

# Name -> its options, and its class in the module of that name. The module
# imports TensorFlow, so it is not loaded before the method is used.
_METHODS = {
  "nct": (options_lib.NCT, "ConcurrentModel"),
  "standard": (options_lib.Standard, "StandardModel"),
  "dml": (options_lib.DML, "MutualModel"),
  "bootstrap": (options_lib.Bootstrap, "BootstrapModel"),
  "mixup": (loss_options.Mixup, "MixupModel"),
  "gce": (loss_options.GCE, "GCEModel"),
  "sce": (loss_options.SCE, "SCEModel"),
  "nce_rce": (loss_options.NCERCE, "NCERCEModel"),
  "forward_correction": (
    loss_options.ForwardCorrection,
    "ForwardCorrectionModel",
  ),
  "elr": (loss_options.ELR, "ELRModel"),
  "decoupling": (selection_options.Decoupling, "DecouplingModel"),
  "mentornet": (selection_options.MentorNet, "MentorNetModel"),
  "co_teaching": (selection_options.CoTeaching, "CoTeachingModel"),
  "co_teaching_plus": (
    selection_options.CoTeachingPlus,
    "CoTeachingPlusModel",
  ),
  "jocor": (selection_options.JoCoR, "JoCoRModel"),
}
# Name of a method that was registered -> its class.
_REGISTERED = {}


def names():
  """Returns the names of all methods: tuple of str."""
  return tuple(_METHODS)


def all_options():
  """Returns the options of all methods: dict from name to `MethodOptions`."""
  return {name: options for name, (options, _) in _METHODS.items()}


def option_names():
  """Returns the names of all options that some method has: set of str."""
  return {
    name
    for options in all_options().values()
    for name in fields.options_of(options)
  }


def having(option):
  """Returns the names of the methods that have an option: tuple of str."""
  return tuple(
    name
    for name, options in all_options().items()
    if option in fields.options_of(options)
  )


def describe_all():
  """Returns what methods there are, as text of a line each."""
  width = max(map(len, names()))
  return "\n".join(
    f"{name:<{width}}  {options.describe()}"
    for name, options in all_options().items()
  )


def get_options(name):
  """Returns the class of a method's options, a `MethodOptions`.

  Raises:
    InvalidInputError: if there is no such method.
  """
  errors.check_choice("method", name, names())
  return _METHODS[name][0]


def get_model(name):
  """Returns the class of a method, a `Classifier`; see `get_options`."""
  errors.check_choice("method", name, names())
  if name in _REGISTERED:
    return _REGISTERED[name]
  module = importlib.import_module(f"{__name__}.{name}")
  return getattr(module, _METHODS[name][1])


def register(name, model):
  """Adds a method, which is then one like all others.

  Args:
    name: str, of `--method`.
    model: a subclass of `Classifier`.
  """
  _METHODS[name] = (model.Options, model.__name__)
  _REGISTERED[name] = model
