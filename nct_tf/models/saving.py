"""What a `.keras` file holds of a classifier beside its weights."""

import dataclasses
import warnings

import keras
import tensorflow as tf

# Stands before the names of what the method remembers of the examples. Keras'
# own names in the same store are numbers.
_STATE = "state_"


class Hidden:
  """Keeps a value out of Keras' sight, which would save what is in it."""

  def __init__(self, value):
    self.value = value


class Saved(keras.Model):
  """A base of `Classifier` that can be saved, loaded and cloned whole.

  `model.save("x.keras")` keeps the networks, the options and the other
  arguments, all weights, the weights of the schedules among them, what
  `remember` made, the arguments of `compile` and the optimizer's state. A model
  that `keras.models.load_model` gives trains on as the saved one would.

  Subclasses need nothing for that, as long as they are made from networks,
  fields of `Options` and the arguments of `Classifier`. They are registered by
  themselves, under the name of their outermost package, such as
  `nct_tf>ConcurrentModel`. Their module must be imported before a file is
  loaded, as that of any class that is not Keras' own.

  It is told by its attributes what to save: `networks`, `options`, `seed`,
  `weight_decay`, `clip_norm`, `validation_metrics`, `remembered`,
  `example_variables`, all as those of `Classifier`, and `compile_arguments`, a
  `Hidden` dict of what `compile` got, or None.

  Not in the file are `LabelScores`, the state of tensorflow-addons' optimizers,
  and, as Keras does not save them, the random states of Keras' own layers such
  as dropout. (Those of `networks.create` keep theirs as a weight.)
  """

  def __init_subclass__(cls, **kwargs):
    super().__init_subclass__(**kwargs)
    package = cls.__module__.partition(".")[0]
    keras.saving.register_keras_serializable(package)(cls)

  def get_config(self):
    """Returns the arguments that a model like this one is made from."""
    arguments = {
      "name": self.name,
      "trainable": self.trainable,
      "dtype": self.dtype_policy.name,
      "networks": self.networks,
      "seed": self.seed,
      "weight_decay": self.weight_decay,
      "clip_norm": self.clip_norm,
      "validation_metrics": self.validation_metrics,
      "remembered": self.remembered,
      **dataclasses.asdict(self.options),
    }
    try:
      return keras.saving.serialize_keras_object(arguments)
    except ValueError as error:
      # A SavedModel of Keras 2 is possible without.
      raise NotImplementedError(str(error)) from error

  @classmethod
  def from_config(cls, config, custom_objects=None):
    """Makes a model of what `get_config` gave, with new weights.

    Args:
      config: dict.
      custom_objects: dict from name to class or function, for Keras.
    """
    with keras.saving.custom_object_scope(custom_objects or {}):
      arguments = keras.saving.deserialize_keras_object(config)
    networks = arguments.pop("networks")
    remembered = arguments.pop("remembered", None)
    for field in dataclasses.fields(cls.Options):
      if isinstance(arguments.get(field.name), list):
        # Keras 2 makes lists of tuples; options, which are frozen, have none.
        arguments[field.name] = tuple(arguments[field.name])
    model = cls(*networks, **arguments)
    if remembered:
      model.remember(**remembered)
    return model

  def build(self, input_shape):
    """Marks the model as built, and builds networks that are not."""
    if self._has_built_networks():
      # Keras 2 would call them, on floats whatever they take.
      keras.layers.Layer.build(self, input_shape)
    else:
      super().build(input_shape)

  def build_as_networks(self):
    """Marks the model as built if its networks are.

    Keras would wait for the first call of the model as a whole, which training
    does without, and refuse or warn meanwhile.
    """
    input_shape = getattr(self.network1, "input_shape", None)
    if not self.built and self._has_built_networks() and input_shape:
      self.build(input_shape)

  def save(self, *args, **kwargs):
    """As Keras' own."""
    self.build_as_networks()
    super().save(*args, **kwargs)

  def load_weights(self, *args, **kwargs):
    """As Keras' own."""
    self.build_as_networks()
    return super().load_weights(*args, **kwargs)

  def get_compile_config(self):
    """Returns the arguments of `compile`, or None before it was called."""
    if self.compile_arguments.value is None:
      return None
    if not hasattr(self.optimizer, "save_own_variables"):
      warnings.warn(
        "A .keras file does not hold the state of an optimizer like "
        f"{type(self.optimizer).__name__}; only its settings are saved",
        stacklevel=2,
      )
    # The optimizer as it is now: its learning rate may have changed.
    return keras.saving.serialize_keras_object(
      {**self.compile_arguments.value, "optimizer": self.optimizer}
    )

  def compile_from_config(self, config):
    """Compiles with what `get_compile_config` gave."""
    self.compile(**keras.saving.deserialize_keras_object(config))
    if self._has_built_networks() and hasattr(self.optimizer, "build"):
      # It must have its variables before they are loaded.
      self.optimizer.build(self.trainable_variables)

  def _has_built_networks(self):
    return all(network.built for network in self.networks)

  def save_own_variables(self, store):
    """Adds what the method remembers of the examples to Keras' own."""
    super().save_own_variables(store)
    for name, variable in self.example_variables.items():
      store[f"{_STATE}{name}"] = tf.convert_to_tensor(variable).numpy()

  def load_own_variables(self, store):
    """Reverses `save_own_variables`."""
    names = list(store.keys())
    own = {name: store[name] for name in names if name.isdecimal()}
    super().load_own_variables(own)
    for name, variable in self.example_variables.items():
      if f"{_STATE}{name}" in names:
        variable.assign(store[f"{_STATE}{name}"])
