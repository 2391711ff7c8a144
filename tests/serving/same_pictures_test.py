"""Files of all kinds get the same answers from networks and their export."""

import pathlib
import shutil
import tempfile

from absl.testing import absltest
import numpy as np

from nct_tf import datasets
from nct_tf.evaluation import prediction
from nct_tf.input_pipeline import noisy_dataset
from nct_tf.methods import building
from nct_tf.serving import exporting
from nct_tf.serving.clients import image_files, image_search, local_client
from tests.support import pictures, tiny_run


class SamePicturesTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(tempfile.mkdtemp())
    self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
    self.images = self.folder / "images"

  def fill(self, kinds):
    """Writes files of two classes, which differ by the pixel that one adds."""
    for label in "ab":
      (self.images / label).mkdir(parents=True)
      for name, contents in kinds.items():
        (self.images / label / name).write_bytes(contents)
    for number in range(20):
      path = self.images / "b" / f"{number}.png"
      path.write_bytes(pictures.png(9, 12, seed=number))

  def load(self):
    """Returns the dataset, as training gets it, and a file's name for each."""
    dataset = datasets.load(
      f"folder:{self.images}", image_size=8, cache_dir=str(self.folder / "c")
    )
    names = [*dataset.split_ids("train"), *dataset.split_ids("test")]
    images = np.concatenate([dataset.train_images, dataset.test_images])
    return dataset, images, [str(self.images / name) for name in names]

  def test_an_export_answers_as_the_networks_that_were_trained(self):
    kinds = {
      **pictures.plain_kinds(),
      **pictures.decodable_kinds(),
      **pictures.other_kinds(),
    }
    self.fill(kinds)
    cut = self.images / "a/cut.webp"
    cut.write_bytes(kinds["rgb.webp"][:-30])
    dataset, images, paths = self.load()
    config = tiny_run.tiny_config(method="standard")
    mean, std = dataset.moments
    result = {
      "image_shape": list(dataset.image_shape),
      "class_names": list(dataset.class_names),
      "mean": mean,
      "std": std,
    }
    model = building.create(config, dataset.image_shape, 2)
    exporting.write_saved_model(model, result, self.folder / "export/1")

    labels = np.zeros(len(images), np.int64)
    examples = noisy_dataset.Examples(
      images, labels, labels, np.arange(len(images))
    )
    expected = prediction.probabilities(
      prediction.predict(model, config, result, examples)
    )
    client = local_client.LocalClient(self.folder / "export")
    found = image_search.find([str(self.images)])
    rows = {row["path"]: row for row in image_files.classify(client, found)}
    self.assertLen(rows, 2 * len(kinds) + 21)
    self.assertIn("error", rows.pop(str(cut)))
    self.assertContainsSubset(paths, rows)
    # Whatever was left out of training, such as copies, is answered, too.
    self.assertGreater(len(paths), len(kinds))
    for path, probabilities in zip(paths, expected, strict=True):
      score = rows[path]["score"]
      self.assertAlmostEqual(score, probabilities.max(), delta=1e-6, msg=path)
      self.assertEqual(rows[path]["class_id"], probabilities.argmax(), path)


if __name__ == "__main__":
  absltest.main()
