"""Optimizers by name, each with its own kind of weight decay."""

import keras

from nct_tf.options import training as training_options
from nct_tf.system import addons


def couples_weight_decay(name, decoupled_weight_decay):
  """Returns whether the model must add the weight decay to the gradients.

  True for plain `sgd`: PyTorch's weight decay, which the paper's authors use,
  is an L2 term of the gradient, before momentum.
  """
  return name == "sgd" and not decoupled_weight_decay


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
    # Loss scaling wraps the optimizer.
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    return list(getattr(inner, "momentums", []))
  if name == "sgdw":
    return optimizer.weights[1:]  # The first counts the steps.
  return []


def create(name, learning_rate, momentum=0.9, weight_decay=0.0):
  """Makes an optimizer.

  Args:
    name: str, one of `options.training.OPTIMIZERS`.
    learning_rate: float, of epoch 0.
    momentum: float in [0, 1), of `sgd` and `sgdw`.
    weight_decay: float, the decay that the optimizer itself applies beside the
      gradient. At each step, `sgd` and `adamw` subtract
      `learning_rate * weight_decay * w` from a weight w, and `sgdw` subtracts
      `weight_decay * w`. For `lamb` see `addons.lamb`.

  Returns:
    a Keras optimizer.

  Raises:
    InvalidInputError: if this stack has no such optimizer.
  """
  training_options.check_optimizer(name)
  if name == "sgd":
    return keras.optimizers.SGD(
      learning_rate, momentum=momentum, weight_decay=weight_decay or None
    )
  if name == "adamw":
    return keras.optimizers.AdamW(learning_rate, weight_decay=weight_decay)
  if name == "lamb":
    return addons.lamb(learning_rate, weight_decay)
  return addons.sgdw(learning_rate, momentum, weight_decay)
