import dataclasses
import pathlib
import subprocess
import sys
import tempfile

from absl.testing import absltest, parameterized
import keras
import numpy as np
import tensorflow as tf

from nct_tf import config, datasets, errors, exporting, model_building


class ExportTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(
      self.enter_context(tempfile.TemporaryDirectory())
    )
    keras.utils.set_random_seed(0)
    self.dataset = datasets.load("digits")
    mean, std = self.dataset.moments
    self.result = {"image_shape": [8, 8, 1], "mean": mean, "std": std}

  def model(self, **changes):
    run = dataclasses.replace(
      config.TrainConfig(network="preact_resnet10", width=4), **changes
    )
    return model_building.create(run, (8, 8, 1), 10)

  def expected(self, model, images):
    normalized = (images / 255 - self.result["mean"]) / self.result["std"]
    logits = np.mean(
      [
        network.predict(normalized.astype(np.float32), verbose=0)
        for network in model.networks
      ],
      axis=0,
    )
    return tf.nn.softmax(logits).numpy()

  @parameterized.parameters("nct", "standard")
  def test_takes_bytes_and_gives_the_ensembles_probabilities(self, method):
    model = self.model(method=method)
    path = exporting.export(model, self.result, self.folder)
    self.assertEqual(path, self.folder / "1")
    serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    _, inputs = serve.structured_input_signature
    self.assertEqual(list(inputs), ["images"])
    self.assertEqual(inputs["images"].dtype, tf.uint8)
    self.assertEqual(inputs["images"].shape.as_list(), [None, 8, 8, 1])
    for num_images in (1, 7):
      images = self.dataset.test_images[:num_images]
      np.testing.assert_allclose(
        serve(tf.constant(images))["probabilities"],
        self.expected(model, images),
        atol=1e-5,
      )

  def test_the_session_loader_runs_it(self):
    # TF Serving's own loader: an export may load in Python and fail there.
    model = self.model()
    path = exporting.export(model, self.result, self.folder)
    images = self.dataset.test_images[:3]
    np.save(self.folder / "images.npy", images)
    subprocess.run(
      [
        sys.executable,
        "-c",
        "from tensorflow.python.tools import saved_model_cli as c; c.main()",
        "run",
        f"--dir={path}",
        "--tag_set=serve",
        "--signature_def=serving_default",
        f"--inputs=images={self.folder / 'images.npy'}",
        f"--outdir={self.folder}",
      ],
      check=True,
      capture_output=True,
    )
    np.testing.assert_allclose(
      np.load(self.folder / "probabilities.npy"),
      self.expected(model, images),
      atol=1e-5,
    )

  def test_versions(self):
    model = self.model()
    (self.folder / "0007").mkdir()
    (self.folder / "notes").mkdir()
    first = exporting.export(model, self.result, self.folder)
    self.assertEqual(first.name, "8")
    chosen = exporting.export(model, self.result, self.folder, version=3)
    self.assertEqual(chosen.name, "3")
    with self.assertRaisesRegex(errors.InvalidInputError, "Version 3 exists"):
      exporting.export(model, self.result, self.folder, version=3)
    self.assertEqual(
      sorted(path.name for path in self.folder.iterdir()),
      ["0007", "3", "8", "notes"],
    )

  def test_a_file_in_the_way(self):
    (self.folder / "file").write_text("")
    with self.assertRaisesRegex(errors.InvalidInputError, "Nothing can be"):
      exporting.export(self.model(), self.result, self.folder / "file")


if __name__ == "__main__":
  absltest.main()
