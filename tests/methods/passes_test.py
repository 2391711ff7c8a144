"""How often methods go over the training set is what they say of it."""

from absl.testing import absltest, parameterized
import numpy as np

from nct_tf import methods
from nct_tf.models import classifier
from tests.support import golden_batch

_NUM_EPOCHS = 20
_OPTIONS = {"gce": {"gce_truncation": 0.5}}


class PassesTest(parameterized.TestCase):
  @parameterized.parameters(*((name,) for name in methods.names()))
  def test_between_epochs_makes_as_many(self, method):
    model = golden_batch.create(method, **_OPTIONS.get(method, {}))
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=golden_batch.NUM_EXAMPLES)
    shape = [len(model.networks), len(labels), 3]
    passes = []

    def predict():
      passes.append(1)
      return rng.normal(size=shape).astype(np.float32)

    def features(chosen):
      passes.append(len(chosen) / len(labels))
      return rng.normal(size=[len(chosen), 4]).astype(np.float32)

    training_set = classifier.TrainingSet(
      _NUM_EPOCHS, labels, predict, features
    )
    model.before_training(training_set)
    for epoch in range(_NUM_EPOCHS):
      model.between_epochs(epoch, training_set)
    self.assertAlmostEqual(sum(passes), model.passes(_NUM_EPOCHS))


if __name__ == "__main__":
  absltest.main()
