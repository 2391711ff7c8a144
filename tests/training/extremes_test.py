"""The smallest and the largest data that somebody may train on."""

import pathlib
import tempfile

from absl.testing import absltest, parameterized
import numpy as np

from nct_tf import errors
from nct_tf.audit import run_audit
from nct_tf.evaluation import evaluation
from nct_tf.serving import exporting, session, version_folders
from nct_tf.training import automatic
from nct_tf.workdir import restoring
from tests.support import long_tests, tiny_run

_PLAIN = {"noise_type": "none", "noise_rate": 0.0, "num_train_examples": None}


class ExtremesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.top = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))

  def save(self, shape, num_classes, per_class):
    """Writes random images, brighter the higher their class."""
    labels = np.repeat(np.arange(num_classes), per_class)
    rng = np.random.default_rng(0)
    low = (labels * (200 // num_classes)).reshape(-1, *[1] * len(shape))
    images = low + rng.integers(0, 56, (len(labels), *shape))
    path = self.top / "own.npz"
    np.savez(path, images=images.astype(np.uint8), labels=labels)
    return f"npz:{path}"

  def train(self, dataset, **options):
    options = {**_PLAIN, "batch_size": 16, **options}
    return tiny_run.train(self.top / "run", dataset=dataset, **options)

  @long_tests.only
  @parameterized.parameters(
    ("nct", (8, 8), 2, 20),
    ("standard", (8, 8), 2, 20),
    ("nct", (1, 1), 2, 20),
    ("standard", (1, 1), 2, 20),
    ("nct", (2, 96, 3), 3, 12),
    ("standard", (2, 96, 3), 3, 12),
    ("nct", (8, 8, 4), 2, 20),
    ("standard", (8, 8, 4), 2, 20),
  )
  def test_from_training_to_an_answer(
    self, method, shape, num_classes, per_class
  ):
    directory = self.train(
      self.save(shape, num_classes, per_class), method=method
    )
    found = evaluation.evaluate_run(directory)
    self.assertBetween(found["balanced_accuracy"], 0, 1)
    audit = run_audit.audit_run(directory, num_folds=0, force=True).audit
    self.assertLen(audit.labels, num_classes * per_class)
    model, config, result = restoring.restore(directory)
    images = directory.read_warmup_images()
    exporting.export(model, config, result, images, str(self.top / "export"))
    (version,) = version_folders.find(str(self.top / "export")).values()
    answer = session.SavedModelSession(version).run("serving_default", images)
    self.assertEqual(answer["probabilities"].shape, (len(images), num_classes))

  @long_tests.only
  def test_a_thousand_classes(self):
    directory = self.train(
      self.save((4, 4), 1000, 3), batch_size=128, network="mlp"
    )
    self.assertLen(directory.read_result()["class_names"], 1000)
    audit = run_audit.audit_run(directory, num_folds=0, force=True).audit
    self.assertEqual(audit.transition.value.shape, (1000, 1000))

  @long_tests.only
  def test_an_audit_by_folds_with_a_class_of_one_image(self):
    path = self.top / "own.npz"
    labels = np.repeat([0, 1, 2], [20, 20, 1])
    images = np.random.default_rng(0).integers(256, size=(41, 6, 6))
    np.savez(path, images=images.astype(np.uint8), labels=labels)
    directory = self.train(f"npz:{path}")
    result = run_audit.audit_run(directory, num_folds=3, force=True)
    self.assertLen(result.audit.labels, 41)
    self.assertTrue(np.isfinite(result.audit.score).all())

  @long_tests.only
  def test_one_batch_and_nothing_wrong(self):
    directory = self.train(self.save((8, 8), 2, 20), batch_size=32)
    self.assertEqual(directory.read_result()["actual_noise_rate"], 0)
    audit = run_audit.audit_run(directory, num_folds=2, force=True).audit
    self.assertTrue(np.isfinite(audit.score).all())

  @long_tests.only
  def test_all_labels_wrong(self):
    directory = self.train(
      self.save((8, 8), 3, 20), noise_type="symmetric_exclusive", noise_rate=1.0
    )
    self.assertEqual(directory.read_result()["actual_noise_rate"], 1)

  def test_one_image_a_class(self):
    with self.assertRaisesRegex(
      errors.InvalidInputError, "leave each class an example"
    ):
      self.train(self.save((8, 8), 5, 1))
    self.assertFalse((self.top / "run").exists())

  def test_one_class(self):
    with self.assertRaisesRegex(
      errors.InvalidInputError, "at least two classes"
    ):
      self.train(self.save((8, 8), 1, 30))

  @long_tests.only
  @parameterized.parameters(((1, 1), 2), ((2, 96, 3), 3), ((8, 8, 4), 2))
  def test_what_is_chosen_can_be_trained(self, shape, num_classes):
    config = tiny_run.tiny_config(
      dataset=self.save(shape, num_classes, 30), **_PLAIN
    ).replace(**dict.fromkeys(["network", "width", "image_size"]))
    choice = automatic.choose(config)
    self.assertGreater(choice.train_seconds, 0)
    self.assertEmpty(choice.config.automatic_options)


if __name__ == "__main__":
  absltest.main()
