"""Optimizers by name, each with its own kind of weight decay."""

import keras
import tensorflow as tf

from nct_tf.options import training as training_options
from nct_tf.system import addons

# What Keras adds under the root, where PyTorch's and the first Keras' Adagrad
# add the root of it beside the root.
_ADAGRAD_EPSILON = 1e-14


@keras.saving.register_keras_serializable("nct_tf")
class Adam(keras.optimizers.Adam):
  """Adam as PyTorch computes it, whose `beta_1` may change while it trains.

  `beta_1` is a variable: `optimizer.beta_1.assign(0.1)`. As in PyTorch, the
  moments stay as they are then, and their bias is corrected as if it had always
  been so.

  Args:
    learning_rate: float.
    beta_1: float in [0, 1), how much of the first moment stays at each step.
    epsilon: float, which is added to the root of the second moment after the
      correction of its bias; Keras adds its own before.
    **kwargs: other arguments of `keras.optimizers.Adam`.
  """

  def __init__(self, learning_rate=0.001, beta_1=0.9, epsilon=1e-8, **kwargs):
    super().__init__(learning_rate, beta_1=beta_1, epsilon=epsilon, **kwargs)
    # Keras would write a number into the graph of the step.
    self.beta_1 = self.add_variable(
      shape=(),
      dtype="float32",
      initializer=keras.initializers.Constant(beta_1),
      name="beta_1",
    )

  @property
  def epsilon(self):
    """What Keras' own step adds to the root of the second moment."""
    step = tf.cast(tf.convert_to_tensor(self.iterations) + 1, tf.float32)
    return self._epsilon * tf.sqrt(1 - self.beta_2**step)

  @epsilon.setter
  def epsilon(self, value):
    self._epsilon = value

  def get_config(self):
    """As Keras' own."""
    beta_1 = float(tf.convert_to_tensor(self.beta_1))
    return {**super().get_config(), "beta_1": beta_1, "epsilon": self._epsilon}


def couples_weight_decay(name, decoupled_weight_decay):
  """Returns whether the model must add the weight decay to the gradients.

  True for plain `sgd`, `adam` and `adagrad`: PyTorch's weight decay, which the
  paper's authors use, is an L2 term of the gradient, before momentum.
  """
  return name in ("sgd", "adam", "adagrad") and not decoupled_weight_decay


def velocities(name, optimizer):
  """Returns the variables that hold learning rate times gradient.

  Args:
    name: str, one of `options.training.OPTIMIZERS`.
    optimizer: an optimizer of `create`.

  Returns:
    list of variables; empty if the optimizer has none such, or has not made its
    first step.
  """
  if name == "sgd":
    return list(getattr(_unwrapped(optimizer), "momentums", []))
  if name == "sgdw":
    return optimizer.weights[1:]  # The first counts the steps.
  return []


def beta_1(optimizer):
  """Returns the variable of an optimizer `adam` that holds its momentum."""
  return _unwrapped(optimizer).beta_1


def _unwrapped(optimizer):
  # Loss scaling wraps the optimizer.
  return getattr(optimizer, "inner_optimizer", optimizer)


def create(name, learning_rate, momentum=0.9, weight_decay=0.0, nesterov=False):
  """Makes an optimizer.

  Args:
    name: str, one of `options.training.OPTIMIZERS`.
    learning_rate: float, of epoch 0.
    momentum: float in [0, 1), of `sgd` and `sgdw`; beta_1 of `adam`.
    weight_decay: float, the decay that the optimizer itself applies beside the
      gradient. At each step, `sgd` and `adamw` subtract
      `learning_rate * weight_decay * w` from a weight w, and `sgdw` subtracts
      `weight_decay * w`. For `lamb` see `addons.lamb`. `adam` and `adagrad`
      have none.
    nesterov: bool, whether `sgd` has Nesterov's momentum.

  Returns:
    a Keras optimizer.

  Raises:
    InvalidInputError: if this stack has no such optimizer.
  """
  training_options.check_optimizer(name)
  if name == "sgd":
    return keras.optimizers.SGD(
      learning_rate,
      momentum=momentum,
      nesterov=nesterov,
      weight_decay=weight_decay or None,
    )
  if name == "adam":
    return Adam(learning_rate, momentum)
  if name == "adagrad":
    return keras.optimizers.Adagrad(
      learning_rate, initial_accumulator_value=0.0, epsilon=_ADAGRAD_EPSILON
    )
  if name == "adamw":
    return keras.optimizers.AdamW(learning_rate, weight_decay=weight_decay)
  if name == "lamb":
    return addons.lamb(learning_rate, weight_decay)
  return addons.sgdw(learning_rate, momentum, weight_decay)
