from absl.testing import absltest
import numpy as np

from nct_tf import metrics


def softmax(logits):
  exponentials = np.exp(logits)
  return exponentials / exponentials.sum(axis=-1, keepdims=True)


class DisagreementTest(absltest.TestCase):
  def test_is_the_divergence_from_the_first_network_to_the_second(self):
    logits = np.random.default_rng(0).standard_normal((2, 6, 4))
    first, second = softmax(logits)
    np.testing.assert_allclose(
      metrics.disagreement(list(logits)),
      np.sum(first * np.log(first / second), axis=-1),
      rtol=1e-4,
    )

  def test_of_equal_networks_is_zero_and_never_below(self):
    logits = 30 * np.random.default_rng(0).standard_normal((1000, 4))
    found = metrics.disagreement([logits, logits]).numpy()
    np.testing.assert_allclose(found, 0, atol=1e-6)
    self.assertGreaterEqual(found.min(), 0)

  def test_of_one_network_there_is_none(self):
    self.assertIsNone(metrics.disagreement([np.zeros((3, 4))]))


if __name__ == "__main__":
  absltest.main()
