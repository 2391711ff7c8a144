"""Data that are read from the disk need no more memory from epoch to epoch.

Only `make test-long` runs it.
"""

import pathlib
import tempfile

from absl.testing import absltest, parameterized
import numpy as np
from PIL import Image
import psutil
import tensorflow_datasets as tfds

from tests.support import interrupted_runs, long_tests

_NUM_TRAIN = 6000
_SHAPE = (32, 32, 3)


class ExampleNoise(tfds.core.GeneratorBasedBuilder):
  """Random images, in many shards."""

  VERSION = tfds.core.Version("1.0.0")

  def _info(self):
    return self.dataset_info_from_configs(
      features=tfds.features.FeaturesDict(
        {
          "image": tfds.features.Image(shape=_SHAPE),
          "label": tfds.features.ClassLabel(num_classes=10),
        }
      ),
      supervised_keys=("image", "label"),
    )

  def _split_generators(self, dl_manager):
    del dl_manager
    return {
      "train": self._generate_examples(_NUM_TRAIN),
      "test": self._generate_examples(200),
    }

  def _generate_examples(self, num_examples):
    rng = np.random.default_rng(0)
    for number in range(num_examples):
      image = rng.integers(256, size=_SHAPE, dtype=np.uint8)
      yield number, {"image": image, "label": number % 10}


def prepare_dataset(folder):
  """Makes a dataset of tensorflow-datasets; returns flags."""
  ExampleNoise(data_dir=folder).download_and_prepare(
    download_config=tfds.download.DownloadConfig(num_shards=8)
  )
  return ["--dataset=example_noise", f"--data_dir={folder}"]


def prepare_pictures(folder):
  """Makes a folder of pictures; returns flags."""
  rng = np.random.default_rng(0)
  for number in range(_NUM_TRAIN):
    path = folder / str(number % 10) / f"{number}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = rng.integers(256, size=_SHAPE, dtype=np.uint8)
    Image.fromarray(pixels).save(path)
  return [f"--dataset=folder:{folder}"]


@long_tests.only
class MemoryTest(parameterized.TestCase):
  @parameterized.parameters(
    (prepare_dataset, "disk"),
    (prepare_dataset, "none"),
    (prepare_pictures, "none"),
  )
  def test_grows_by_less_than_2_percent_in_20_epochs(self, prepare, cache):
    folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    flags = prepare(folder / "data")
    process = interrupted_runs.start(
      folder / "run",
      *flags,
      f"--cache_dir={folder / 'cache'}",
      f"--cache={cache}",
      "--network=mlp",
      "--width=8",
      "--num_epochs=51",
    )
    self.addCleanup(process.kill)
    memory = {}  # At the end of each epoch, in bytes.

    def look():
      num_rows = len(interrupted_runs.read_history(folder / "run"))
      memory.setdefault(num_rows, psutil.Process(process.pid).memory_info().rss)
      return False

    interrupted_runs.wait_for(process, look)
    code, text = interrupted_runs.finish(process)
    self.assertEqual(code, 0, text)
    # In the first epochs, graphs are made. Later, the C library's allocator
    # takes some 20 MB at once now and then, for good, for what threads do:
    # such a step is in one of the two spans, what each epoch adds in both.
    growth = [memory[last] / memory[last - 20] - 1 for last in (30, 50)]
    print(f"--cache={cache}: {memory[10] / 1e6:.0f} MB, growth {growth}")
    self.assertLess(min(growth), 0.02)


if __name__ == "__main__":
  absltest.main()
