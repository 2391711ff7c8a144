"""The labels that people gave CIFAR, of tensorflow-datasets' own builders.

What these download and what is fetched by hand is imitated, with a few images.
"""

import functools
import pathlib
import tempfile
from unittest import mock

from absl.testing import absltest, parameterized
import numpy as np
import tensorflow_datasets as tfds

from nct_tf import config, datasets, errors
from nct_tf.input_pipeline import noisy_dataset
from tests.support import tiny_run

_NUM_TRAIN = 40
_NUM_TEST = 20
_COLUMNS = {
  "aggre_label": 1,
  "worse_label": 2,
  "random_label1": 3,
  "random_label2": 4,
  "random_label3": 5,
}


def write_cifar(folder, files, num_labels):
  """Writes binaries whose images tell their number; labels are number % 10."""
  folder.mkdir(parents=True)
  number = 0
  for name, num_images in files:
    with open(folder / name, "wb") as file:
      for _ in range(num_images):
        file.write(bytes([number % 10] * num_labels) + bytes([number]) * 3072)
        number += 1


def write_table(path, *columns):
  np.savetxt(
    path, np.stack(columns, axis=1), "%d", ",", header="x", comments=""
  )


def human(column):
  """Returns what people said of each image: wrong of every `column + 1`-th."""
  number = np.arange(_NUM_TRAIN)
  return (number + (number % (column + 1) == 0) * column) % 10


def fake_cifar10_n(downloads, manual):
  root = downloads / "cifar-10-batches-bin"
  parts = [(f"data_batch_{n}.bin", _NUM_TRAIN // 5) for n in range(1, 6)]
  write_cifar(root, parts, num_labels=1)
  write_cifar(root / "test", [("test_batch.bin", _NUM_TEST)], num_labels=1)
  (root / "test" / "test_batch.bin").rename(root / "test_batch.bin")
  (root / "batches.meta.txt").write_text("\n".join(map(chr, range(97, 107))))
  order = np.random.default_rng(0).permutation(_NUM_TRAIN)
  np.save(manual / "image_order_c10.npy", order)
  write_table(
    manual / "CIFAR-10_human_annotations.csv",
    order % 10,
    *(human(column)[order] for column in _COLUMNS.values()),
  )
  rows = np.arange(_NUM_TRAIN // 10)
  write_table(manual / "side_info_cifar10N.csv", *[rows] * 7)


def fake_cifar100_n(downloads, manual):
  root = downloads / "cifar-100-binary"
  write_cifar(root, [("train.bin", _NUM_TRAIN)], num_labels=2)
  write_cifar(root / "test", [("test.bin", _NUM_TEST)], num_labels=2)
  (root / "test" / "test.bin").rename(root / "test.bin")
  for name, num_classes in (("coarse", 20), ("fine", 100)):
    (root / f"{name}_label_names.txt").write_text(
      "\n".join(f"{name}{number}" for number in range(num_classes))
    )
  order = np.random.default_rng(0).permutation(_NUM_TRAIN)
  np.save(manual / "image_order_c100.npy", order)
  write_table(
    manual / "CIFAR-100_human_annotations.csv",
    order % 10,
    human(1)[order],
    order % 10,
  )
  rows = np.arange(_NUM_TRAIN // 5)
  write_table(manual / "side_info_cifar100N.csv", *[rows] * 3)


_FAKES = {"cifar10_n": fake_cifar10_n, "cifar100_n": fake_cifar100_n}


@functools.cache
def prepare(folder, name):
  """Prepares a dataset in a folder of its own; returns that and the dataset."""
  data_dir = pathlib.Path(folder, name)
  downloads = data_dir / "fake"
  manual = data_dir / "downloads" / "manual"
  manual.mkdir(parents=True)
  _FAKES[name](downloads, manual)
  with mock.patch.object(
    tfds.download.DownloadManager, "download_and_extract"
  ) as download:
    download.return_value = str(downloads)
    return data_dir, datasets.load(name, str(data_dir), download=True)


class HumanNoiseTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = tempfile.TemporaryDirectory()
    cls.addClassCleanup(folder.cleanup)
    cls.folder = folder.name

  @parameterized.parameters(
    ("human_aggre", 1),
    ("human_worse", 2),
    ("human_random1", 3),
    ("human_random2", 4),
    ("human_random3", 5),
  )
  def test_cifar10_n(self, noise_type, column):
    _, dataset = prepare(self.folder, "cifar10_n")
    noisy = noisy_dataset.prepare(dataset, noise_type=noise_type)
    number = dataset.train_images[noisy.train.index, 0, 0, 0]
    np.testing.assert_array_equal(
      noisy.train.given_labels, human(column)[number]
    )
    np.testing.assert_array_equal(noisy.train.true_labels, number % 10)
    wrong = human(column) != np.arange(_NUM_TRAIN) % 10
    self.assertEqual(noisy.actual_noise_rate, wrong.mean())
    np.testing.assert_array_equal(
      noisy.test.true_labels, dataset.test_images[:, 0, 0, 0] % 10
    )
    self.assertEqual(dataset.moments[0], (0.4914, 0.4822, 0.4465))

  def test_cifar100_n(self):
    _, dataset = prepare(self.folder, "cifar100_n")
    noisy = noisy_dataset.prepare(dataset, noise_type="human_noisy")
    number = dataset.train_images[noisy.train.index, 0, 0, 0]
    np.testing.assert_array_equal(noisy.train.given_labels, human(1)[number])
    np.testing.assert_array_equal(noisy.train.true_labels, number % 10)
    self.assertEqual(noisy.actual_noise_rate, 0.5)
    self.assertEqual(dataset.num_classes, 100)

  def test_a_run_knows_which_labels_are_wrong(self):
    data_dir, _ = prepare(self.folder, "cifar10_n")
    directory = tiny_run.train(
      pathlib.Path(self.folder, "run"),
      dataset="cifar10_n",
      data_dir=str(data_dir),
      method="standard",
      num_train_examples=None,
      noise_type="human_worse",
      noise_rate=0.0,
      batch_size=20,
      monitor_every_epochs=1,
    )
    result = directory.read_result()
    wrong = human(2) != np.arange(_NUM_TRAIN) % 10
    self.assertEqual(result["noise_type"], "human_worse")
    self.assertEqual(result["actual_noise_rate"], wrong.mean())
    self.assertIsNotNone(result["train_accuracy_noisy"])
    with np.load(directory.noise_file) as noise:
      self.assertEqual(
        np.mean(noise["given_label"] != noise["true_label"]), wrong.mean()
      )

  def test_is_refused_where_there_is_none(self):
    for dataset, noise_type in (
      (datasets.load("digits"), "human_worse"),
      (prepare(self.folder, "cifar10_n")[1], "human_noisy"),
    ):
      with self.assertRaisesRegex(
        errors.InvalidInputError,
        f"`noise_type` can be {noise_type} for .*cifar10_n and .*; "
        f"{dataset.name} has none",
      ) as caught:
        noisy_dataset.prepare(dataset, noise_type=noise_type)
      self.assertNotIn("\n", str(caught.exception))
    self.assertIn("human_aggre", str(caught.exception))

  def test_has_no_noise_rate(self):
    with self.assertRaisesRegex(
      errors.InvalidInputError, "`noise_rate` must be 0 .*human_worse"
    ):
      config.TrainConfig(noise_type="human_worse", noise_rate=0.4)

  def test_what_is_missing_is_said_in_a_line(self):
    folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    with (
      self.assertRaisesRegex(
        errors.InvalidInputError, "Manual directory .*image_order_c10.npy"
      ) as caught,
      mock.patch.object(
        tfds.download.DownloadManager, "download_and_extract"
      ) as download,
    ):
      download.return_value = str(folder)
      (folder / "cifar-10-batches-bin").mkdir()
      (folder / "cifar-10-batches-bin" / "batches.meta.txt").write_text(
        "\n".join(map(chr, range(97, 107)))
      )
      datasets.load("cifar10_n", str(folder), download=True)
    self.assertNotIn("\n", str(caught.exception))


class Food101(tfds.builder_cls("food101"), skip_registration=True):
  """Two training and one test picture of each class."""

  def _split_generators(self, dl_manager):
    del dl_manager
    return {"train": self._examples(202), "validation": self._examples(101)}

  def _examples(self, num_examples):
    rng = np.random.default_rng(0)
    for number in range(num_examples):
      image = np.full((20, 30, 3), rng.integers(256), np.uint8)
      yield number, {"image": image, "label": number % 101}


class Food101Test(absltest.TestCase):
  def test_its_validation_split_is_tested_on(self):
    with tempfile.TemporaryDirectory() as folder:
      Food101(data_dir=folder).download_and_prepare()
      dataset = datasets.load("food101", folder, image_size=8)
    self.assertEqual(dataset.train_images.shape, (202, 8, 8, 3))
    np.testing.assert_array_equal(np.sort(dataset.test_labels), np.arange(101))
    self.assertIsNone(dataset.train_clean_labels)


if __name__ == "__main__":
  absltest.main()
