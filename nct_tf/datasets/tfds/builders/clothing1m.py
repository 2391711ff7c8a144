"""Clothing1M: a million pictures of shops, labelled by the text around them."""

import tensorflow_datasets as tfds

from nct_tf import errors
from nct_tf.datasets.tfds.builders import manual_files

_DESCRIPTION = """
A million training images of clothes from online shops, in 14 classes that were
taken from the text around them: about 38 % are wrong. The labels of the
validation and test splits were looked at by people. The 50,000 training images
with such labels are left out.
"""

_CITATION = """
@inproceedings{xiao2015learning,
  title={Learning from Massive Noisy Labeled Data for Image Classification},
  author={Tong Xiao and Tian Xia and Yi Yang and Chang Huang and Xiaogang Wang},
  booktitle={CVPR},
  year={2015}
}
"""

_CLASSES = (
  "T-Shirt",
  "Shirt",
  "Knitwear",
  "Chiffon",
  "Sweater",
  "Hoodie",
  "Windbreaker",
  "Jacket",
  "Down Coat",
  "Suit",
  "Shawl",
  "Dress",
  "Vest",
  "Underwear",
)

# Split -> the file that lists its images, and the file of their labels.
_LISTS = {
  "train": ("noisy_train_key_list.txt", "noisy_label_kv.txt"),
  "validation": ("clean_val_key_list.txt", "clean_label_kv.txt"),
  "test": ("clean_test_key_list.txt", "clean_label_kv.txt"),
}


class Clothing1M(manual_files.ManualBuilder):
  """Clothing1M: noisy training, clean validation and test images."""

  name = "clothing1m"

  MANUAL_DOWNLOAD_INSTRUCTIONS = """
  Ask for the dataset (https://github.com/Cysu/noisy_label) and put it there as
  the folder clothing1m, with noisy_train_key_list.txt, noisy_label_kv.txt,
  clean_val_key_list.txt, clean_test_key_list.txt, clean_label_kv.txt and, by
  the paths in those, images/.
  """

  VERSION = tfds.core.Version("1.0.0")

  NUM_EXAMPLES = {"train": 1_000_000, "validation": 14_313, "test": 10_526}

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
          "label": tfds.features.ClassLabel(names=_CLASSES),
        }
      ),
      supervised_keys=("image", "label"),
      homepage="https://github.com/Cysu/noisy_label",
      citation=_CITATION,
    )

  def _split_generators(self, dl_manager):
    folder = dl_manager.manual_dir / "clothing1m"
    names = {name for lists in _LISTS.values() for name in lists}
    manual_files.check_present(folder, [*sorted(names), "images"])
    return {
      split: self._generate_examples(split, self._find(folder, split))
      for split in _LISTS
    }

  def _find(self, folder, split):
    """Returns the `files` of `_generate_examples`."""
    key_list, label_list = _LISTS[split]
    labels = manual_files.read_labels(folder / label_list, len(_CLASSES))
    keys = (folder / key_list).read_text().splitlines()
    manual_files.check_count(
      f"The images in {folder / key_list}",
      self.NUM_EXAMPLES[split],
      len(set(keys)),
    )
    unlabelled = [key for key in keys if key not in labels]
    if unlabelled:
      raise errors.InvalidInputError(
        f"{folder / label_list} must have a label for each image of "
        f"{key_list}. Missing: {len(unlabelled)}, of which the first is "
        f"{unlabelled[0]}"
      )
    return [(key, folder / key, {"label": labels[key]}) for key in keys]
