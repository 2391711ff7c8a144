"""The weights of a classifier's networks, as checkpoints hold them."""

from nct_tf import distribution


def network_weights(model):
  """Returns what a checkpoint holds of the networks.

  Args:
    model: a `Classifier`.

  Returns:
    dict from `network1` and `network2` to the list of a network's
    `tf.Variable`s in Keras' order; of its moving statistics, the first
    replica's.
  """
  strategy = model.distribute_strategy

  def weight(variable):
    if variable.trainable:
      # As a whole: the slots of tensorflow-addons' optimizers hang on it.
      return distribution.tensorflow_variable(variable)
    return distribution.local_components(strategy, variable)[0]

  return {
    f"network{number}": [weight(variable) for variable in network.weights]
    for number, network in enumerate(model.networks, start=1)
  }


def spread_to_replicas(model):
  """Gives all replicas the first one's moving statistics."""
  for network in model.networks:
    for variable in network.non_trainable_variables:
      first, *others = distribution.local_components(
        model.distribute_strategy, variable
      )
      for other in others:
        other.assign(first)
