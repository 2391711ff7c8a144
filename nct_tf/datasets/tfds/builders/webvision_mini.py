"""WebVision's first 50 classes, as Google's image search found them."""

import tensorflow_datasets as tfds

from nct_tf import errors
from nct_tf.datasets.tfds.builders import manual_files

_DESCRIPTION = """
The first 50 of WebVision 1.0's 1,000 classes, which are those of ILSVRC 2012:
training images that Google's image search found for their names, of which some
show something else; WebVision's validation images (`test`) and, where they are
there, those of ILSVRC 2012 (`ilsvrc12`).
"""

_CITATION = """
@article{li2017webvision,
  title={WebVision Database: Visual Learning and Understanding from Web Data},
  author={Wen Li and Limin Wang and Wei Li and Eirikur Agustsson and Luc Van
  Gool},
  journal={arXiv:1708.02862},
  year={2017}
}
"""

_NUM_ALL_CLASSES = 1000
_SYNSETS = "info/synsets.txt"
_ILSVRC12 = "ilsvrc12_val"

# Split -> its list, and the folder that the paths in the list are relative to.
_LISTS = {
  "train": ("info/train_filelist_google.txt", "google_resized_256"),
  "test": ("info/val_filelist.txt", "val_images_256"),
}


class WebvisionMini(manual_files.ManualBuilder):
  """The first 50 classes of WebVision's Google subset."""

  MANUAL_DOWNLOAD_INSTRUCTIONS = """
  Put WebVision 1.0 (https://data.vision.ee.ethz.ch/cvl/webvision/) there as the
  folder webvision, with info/, google_resized_256/ (so that the paths of
  info/train_filelist_google.txt begin in it) and val_images_256/. To test on
  ILSVRC 2012 as well, put its validation images there in a folder for each
  synset: webvision/ilsvrc12_val/n01440764/ILSVRC2012_val_00000293.JPEG.
  """

  VERSION = tfds.core.Version("1.0.0")

  EXTRA_TESTS = ("ilsvrc12",)  # For `tfds_images`.
  NUM_CLASSES = 50
  NUM_EXAMPLES = {"train": 65_944, "test": 2_500, "ilsvrc12": 2_500}

  def _info(self):
    return tfds.core.DatasetInfo(
      builder=self,
      description=_DESCRIPTION,
      features=tfds.features.FeaturesDict(
        {
          "id": tfds.features.Text(),
          "image": tfds.features.Image(
            shape=(None, None, 3), encoding_format="jpeg"
          ),
          "label": tfds.features.ClassLabel(num_classes=self.NUM_CLASSES),
        }
      ),
      supervised_keys=("image", "label"),
      homepage="https://data.vision.ee.ethz.ch/cvl/webvision/",
      citation=_CITATION,
    )

  def _split_generators(self, dl_manager):
    folder = dl_manager.manual_dir / "webvision"
    names = [name for pair in _LISTS.values() for name in pair]
    manual_files.check_present(folder, [_SYNSETS, *names])
    synsets = self._read_synsets(folder / _SYNSETS)
    self.info.features["label"].names = manual_files.class_names(
      folder / _SYNSETS, synsets
    )
    files = {split: self._find(folder, *_LISTS[split]) for split in _LISTS}
    if (folder / _ILSVRC12).exists():
      files["ilsvrc12"] = self._find_ilsvrc12(folder / _ILSVRC12, synsets)
    for split, found in files.items():
      manual_files.check_count(
        f"The images of the first {self.NUM_CLASSES} classes in {split}",
        self.NUM_EXAMPLES[split],
        len(found),
      )
    return {
      split: self._generate_examples(split, found)
      for split, found in files.items()
    }

  def _read_synsets(self, path):
    """Returns the classes' synsets, in the order of WebVision's labels.

    ILSVRC's own ids have another order.
    """
    lines = path.read_text().splitlines()[: self.NUM_CLASSES]
    synsets = [line.split()[0] for line in lines if line.strip()]
    if len(set(synsets)) != self.NUM_CLASSES:
      raise errors.InvalidInputError(
        f"{path} must begin with {self.NUM_CLASSES} synsets, one a line. "
        f"Received: {len(set(synsets))}"
      )
    return synsets

  def _find(self, folder, file_list, images):
    """Returns the `files` of `_generate_examples`."""
    labels = manual_files.read_labels(folder / file_list, _NUM_ALL_CLASSES)
    return [
      (name, folder / images / name, {"label": label})
      for name, label in labels.items()
      if label < self.NUM_CLASSES
    ]

  def _find_ilsvrc12(self, folder, synsets):
    """As `_find`."""
    manual_files.check_present(folder, synsets)
    return [
      (f"{synset}/{path.name}", path, {"label": label})
      for label, synset in enumerate(synsets)
      for path in sorted((folder / synset).iterdir())
    ]
