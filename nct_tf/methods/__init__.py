"""The training methods: name -> method. A method is one file here.

A method is a `models.classifier.Classifier`. Its options and what is said of it
stand in `options.py` or in one of the `..._options.py`. Methods may import
`models`, `networks`, `noise_estimation` and what they stand on, and each
other's formulas.
"""

import importlib

from nct_tf import errors
from nct_tf.methods import (
  correction_options,
  loss_options,
  meta_options,
  options as options_lib,
  selection_options,
)
from nct_tf.options import fields

# Name -> its options, and the module of its class. The module imports
# TensorFlow, so it is not loaded before the method is used. `make build_files`
# takes the names of the modules from here.
_METHODS = {
  "nct": (options_lib.NCT, "nct_tf.methods.nct", "ConcurrentModel"),
  "standard": (
    options_lib.Standard,
    "nct_tf.methods.standard",
    "StandardModel",
  ),
  "dml": (options_lib.DML, "nct_tf.methods.dml", "MutualModel"),
  "bootstrap": (
    options_lib.Bootstrap,
    "nct_tf.methods.bootstrap",
    "BootstrapModel",
  ),
  "mixup": (loss_options.Mixup, "nct_tf.methods.mixup", "MixupModel"),
  "gce": (loss_options.GCE, "nct_tf.methods.gce", "GCEModel"),
  "sce": (loss_options.SCE, "nct_tf.methods.sce", "SCEModel"),
  "nce_rce": (loss_options.NCERCE, "nct_tf.methods.nce_rce", "NCERCEModel"),
  "forward_correction": (
    loss_options.ForwardCorrection,
    "nct_tf.methods.forward_correction",
    "ForwardCorrectionModel",
  ),
  "elr": (loss_options.ELR, "nct_tf.methods.elr", "ELRModel"),
  "decoupling": (
    selection_options.Decoupling,
    "nct_tf.methods.decoupling",
    "DecouplingModel",
  ),
  "mentornet": (
    selection_options.MentorNet,
    "nct_tf.methods.mentornet",
    "MentorNetModel",
  ),
  "co_teaching": (
    selection_options.CoTeaching,
    "nct_tf.methods.co_teaching",
    "CoTeachingModel",
  ),
  "co_teaching_plus": (
    selection_options.CoTeachingPlus,
    "nct_tf.methods.co_teaching_plus",
    "CoTeachingPlusModel",
  ),
  "jocor": (selection_options.JoCoR, "nct_tf.methods.jocor", "JoCoRModel"),
  "incv": (selection_options.INCV, "nct_tf.methods.incv", "INCVModel"),
  "m_correction": (
    correction_options.MCorrection,
    "nct_tf.methods.m_correction",
    "MCorrectionModel",
  ),
  "pencil": (correction_options.Pencil, "nct_tf.methods.pencil", "PencilModel"),
  "joint_optim": (
    correction_options.JointOptim,
    "nct_tf.methods.joint_optim",
    "JointOptimModel",
  ),
  "d2l": (correction_options.D2L, "nct_tf.methods.d2l", "D2LModel"),
  "dividemix": (
    correction_options.DivideMix,
    "nct_tf.methods.dividemix",
    "DivideMixModel",
  ),
  "mlnt": (meta_options.MLNT, "nct_tf.methods.mlnt", "MLNTModel"),
  "meta_cleaner": (
    meta_options.MetaCleaner,
    "nct_tf.methods.meta_cleaner",
    "MetaCleanerModel",
  ),
}


def names():
  """Returns the names of all methods: tuple of str."""
  return tuple(_METHODS)


def all_options():
  """Returns the options of all methods: dict from name to `MethodOptions`."""
  return {name: options for name, (options, _, _) in _METHODS.items()}


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
  _, module, attribute = _METHODS[name]
  return getattr(importlib.import_module(module), attribute)


def register(name, model):
  """Adds a method, which is then one like all others.

  Args:
    name: str, of `--method`.
    model: a subclass of `Classifier`. It must be an attribute of its module.
  """
  _METHODS[name] = (model.Options, model.__module__, model.__name__)
