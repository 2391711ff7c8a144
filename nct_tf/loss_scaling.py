"""Loss scaling for float16, the same on both stacks.

The gradients of float16 computations may be too small for float16. So the
loss is multiplied by a scale first, and the gradients are divided by it. A step
whose gradients overflow is skipped, and the scale is halved. Under the policy
`mixed_float16`, Keras wraps the optimizer in a `LossScaleOptimizer`, which
keeps the scale and skips such steps. Without it these functions change nothing.
"""

import tensorflow as tf


def scale_loss(optimizer, loss):
  """Returns the loss times the optimizer's scale."""
  if hasattr(optimizer, "get_scaled_loss"):  # Keras 2.
    return optimizer.get_scaled_loss(loss)
  # Keras 3 gives every optimizer a fixed factor of its own, which is 1 here.
  return optimizer.scale_loss(loss) if _has_scale(optimizer) else loss


def unscale(optimizer, gradients):
  """Returns the gradients of the loss itself.

  Args:
    optimizer: a Keras optimizer.
    gradients: list of float32 tensors, of the scaled loss.
  """
  if hasattr(optimizer, "get_unscaled_gradients"):
    return optimizer.get_unscaled_gradients(gradients)
  if not _has_scale(optimizer):
    return gradients
  inverse = 1.0 / optimizer.scale_loss(tf.ones(()))
  return [gradient * inverse for gradient in gradients]


def rescale(optimizer, gradients):
  """Returns the gradients as the optimizer's `apply_gradients` wants them.

  Keras 2 wants those of `unscale`. Keras 3 wants scaled ones, and its first
  replica decides for all whether the step is skipped. So if they are not finite
  on one replica, they are made NaN on all.

  Args:
    optimizer: a Keras optimizer.
    gradients: list of float32 tensors, of the loss itself.
  """
  if not _has_scale(optimizer):
    return gradients
  scale = optimizer.scale_loss(tf.ones(()))
  context = tf.distribute.get_replica_context()
  if context.num_replicas_in_sync > 1:
    # 0 * x is 0 if x is finite, and NaN otherwise.
    poison = tf.add_n([tf.reduce_sum(0.0 * gradient) for gradient in gradients])
    scale += context.all_reduce(tf.distribute.ReduceOp.SUM, poison)
  return [gradient * scale for gradient in gradients]


def _has_scale(optimizer):
  return hasattr(optimizer, "dynamic_growth_steps") and not hasattr(
    optimizer, "get_unscaled_gradients"
  )
