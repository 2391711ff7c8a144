from absl.testing import absltest, parameterized
import keras
import numpy as np
import tensorflow as tf

from nct_tf.methods import dml
from nct_tf.models import classifier
from tests.support import linear_networks

LOGITS1 = [[2.0, 0, -1], [0, 1, 0], [1, 1, 0], [-1, 0, 2]]
LOGITS2 = [[1.0, 1, 0], [0, 0, 2], [2, 0, 0], [0, 1, 1]]
LABELS = [0, 2, 1, 2]
CROSS_ENTROPIES = (
  [0.16984602, 1.55144471, 0.8619948, 0.16984602],
  [0.8619948, 0.23954477, 2.23954477, 0.8619948],
)
# KL(peer || own), the peer being the other network.
DIVERGENCES = (
  [0.46321362, 0.77936505, 0.3029291, 0.46321362],
  [0.37973825, 0.84033382, 0.37754996, 0.37973825],
)
MEANS = (1.190463237, 1.545109858)


def create(num_classes=3):
  return dml.MutualModel(
    linear_networks.create(num_classes), linear_networks.create(num_classes)
  )


class LossTest(parameterized.TestCase):
  @parameterized.named_parameters(("network1", 0), ("network2", 1))
  def test_equals_golden_numbers(self, number):
    loss = create().network_losses(
      [tf.constant(LOGITS1), tf.constant(LOGITS2)],
      {"label": tf.constant(LABELS)},
    )[number]
    np.testing.assert_allclose(
      loss.parts["cross_entropy"], CROSS_ENTROPIES[number], atol=1e-6
    )
    np.testing.assert_allclose(
      loss.parts["mimicry"], DIVERGENCES[number], atol=1e-6
    )
    total = classifier.per_example([loss])["loss"]
    self.assertAlmostEqual(np.mean(total), MEANS[number], places=6)

  @parameterized.named_parameters(("network1", 0), ("network2", 1))
  def test_no_gradient_flows_to_the_peer(self, number):
    logits = [tf.constant(LOGITS1), tf.constant(LOGITS2)]
    with tf.GradientTape() as tape:
      tape.watch(logits)
      losses = create().network_losses(logits, {"label": tf.constant(LABELS)})
      loss = classifier.per_example([losses[number]])["loss"]
    gradients = tape.gradient(loss, logits)
    self.assertIsNone(gradients[1 - number])
    own, peer = (
      linear_networks.softmax(np.array(z))
      for z in (logits[number], logits[1 - number])
    )
    # Of the cross entropy, and of KL(peer || own).
    expected = (own - np.eye(3)[LABELS]) + (own - peer)
    np.testing.assert_allclose(gradients[number], expected, atol=1e-6)


class OneStepTest(absltest.TestCase):
  def test_equals_numpy(self):
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(0)
    model = create(num_classes=5)
    model.compile(optimizer=linear_networks.sgd(), jit_compile=False)
    slow = linear_networks.SlowTraining(model)
    for _ in range(3):
      features, labels = linear_networks.random_batch(rng, 5)
      model.fit(features, labels, batch_size=6, shuffle=False, verbose=0)
      p1, p2 = map(linear_networks.softmax, slow.logits(features))
      onehot = np.eye(5)[labels]
      slow.step(features, [2 * p1 - onehot - p2, 2 * p2 - onehot - p1])
    slow.check(model)


if __name__ == "__main__":
  absltest.main()
