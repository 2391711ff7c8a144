from absl.testing import absltest, parameterized
import keras
import numpy as np
import tensorflow as tf

from nct_tf.methods import bootstrap
from tests.support import linear_networks

LOGITS = [[2.0, 0, -1], [0, 1, 0], [1, 1, 0], [-1, 0, 2]]
LABELS = [0, 2, 1, 2]
# In the third row two classes are equally likely: the first one counts.
SOFT = [0.18756705, 1.52263887, 0.86976292, 0.18756705]
HARD = [0.16984602, 1.35144471, 0.8619948, 0.16984602]
CROSS_ENTROPY = [0.16984602, 1.55144471, 0.8619948, 0.16984602]


def create(kind, num_classes=3, beta=None):
  return bootstrap.BootstrapModel(
    linear_networks.create(num_classes),
    bootstrap_type=kind,
    bootstrap_beta=beta,
  )


def golden_loss(model):
  (loss,) = model.network_losses(
    [tf.constant(LOGITS)], {"label": tf.constant(LABELS)}
  )
  return loss


class LossTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("soft", "soft", SOFT, 0.691883973), ("hard", "hard", HARD, 0.638282889)
  )
  def test_equals_golden_numbers(self, kind, expected, mean):
    loss = golden_loss(create(kind))
    np.testing.assert_allclose(loss.loss, expected, atol=1e-6)
    self.assertAlmostEqual(np.mean(loss.loss), mean, places=6)
    np.testing.assert_allclose(
      loss.parts["cross_entropy"], CROSS_ENTROPY, atol=1e-6
    )

  def test_soft_is_differentiated_through_its_target(self):
    logits = tf.constant(LOGITS[:1])
    with tf.GradientTape() as tape:
      tape.watch(logits)
      (loss,) = create("soft").network_losses(
        [logits], {"label": tf.constant(LABELS[:1])}
      )
    # With a constant target it would be [-0.148395, 0.10848544, 0.03990956].
    np.testing.assert_allclose(
      tape.gradient(loss.loss, logits),
      [[-0.16334791, 0.1178813, 0.04546661]],
      atol=1e-6,
    )

  @parameterized.named_parameters(("soft", "soft"), ("hard", "hard"))
  def test_with_beta_1_it_is_the_cross_entropy(self, kind):
    loss = golden_loss(create(kind, beta=1.0))
    np.testing.assert_allclose(loss.loss, CROSS_ENTROPY, atol=1e-6)


def gradient(kind, logits, labels):
  """Of each example's loss to its logits, written out."""
  p = linear_networks.softmax(logits)
  onehot = np.eye(p.shape[1])[labels]
  if kind == "hard":
    likeliest = np.eye(p.shape[1])[p.argmax(axis=1)]
    return p - (0.8 * onehot + 0.2 * likeliest)
  entropy = -np.sum(p * np.log(p), axis=1, keepdims=True)
  return 0.95 * (p - onehot) - 0.05 * p * (np.log(p) + entropy)


class OneStepTest(parameterized.TestCase):
  @parameterized.named_parameters(("soft", "soft"), ("hard", "hard"))
  def test_equals_numpy(self, kind):
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(0)
    model = create(kind, num_classes=5)
    model.compile(optimizer=linear_networks.sgd(), jit_compile=False)
    slow = linear_networks.SlowTraining(model)
    for _ in range(3):
      features, labels = linear_networks.random_batch(rng, 5)
      model.fit(features, labels, batch_size=6, shuffle=False, verbose=0)
      (logits,) = slow.logits(features)
      slow.step(features, [gradient(kind, logits, labels)])
    slow.check(model)


if __name__ == "__main__":
  absltest.main()
