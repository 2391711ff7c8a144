"""Tiny-ImageNet: 200 classes of ImageNet in 64x64 pixels."""

import tensorflow_datasets as tfds

from nct_tf import errors
from nct_tf.datasets.tfds.builders import manual_files

_DESCRIPTION = """
200 classes of ImageNet, 500 training and 50 test images of each, in 64x64
pixels. The test split is what the authors call val, as their test labels are
not public. The label noise of other configs than `clean` is that of the lists
that were released with Co-teaching+.
"""

_CITATION = """
@techreport{le2015tiny,
  title={Tiny ImageNet Visual Recognition Challenge},
  author={Ya Le and Xuan Yang},
  institution={Stanford University, CS 231N},
  year={2015}
}
"""

_FOLDER = "tiny-imagenet-200"
_VAL_LIST = "val_kv_list.txt"
_SHAPE = (64, 64, 3)


class TinyImagenet(manual_files.ManualBuilder):
  """Tiny-ImageNet, clean or with the noise of the released lists."""

  MANUAL_DOWNLOAD_INSTRUCTIONS = """
  Put tiny-imagenet-200.zip (http://cs231n.stanford.edu/tiny-imagenet-200.zip),
  or the folder tiny-imagenet-200 that is in it, there. For a config other than
  clean, put the lists val_kv_list.txt and train_noisy_CONFIG_kv_list.txt of
  https://github.com/xingruiyu/coteaching_plus beside it.
  """

  VERSION = tfds.core.Version("1.0.0")
  BUILDER_CONFIGS = [
    tfds.core.BuilderConfig(name="clean", description="No label noise."),
    tfds.core.BuilderConfig(
      name="symmetric_0.2", description="20 % are any other class."
    ),
    tfds.core.BuilderConfig(
      name="symmetric_0.5", description="50 % are any other class."
    ),
    tfds.core.BuilderConfig(
      name="pairflip_0.45", description="45 % are the next class."
    ),
  ]

  NUM_CLASSES = 200
  NUM_EXAMPLES = {"train": 100_000, "test": 10_000}

  def _info(self):
    return tfds.core.DatasetInfo(
      builder=self,
      description=_DESCRIPTION,
      features=tfds.features.FeaturesDict(
        {
          "id": tfds.features.Text(),
          "image": tfds.features.Image(shape=_SHAPE, encoding_format="jpeg"),
          "label": tfds.features.ClassLabel(num_classes=self.NUM_CLASSES),
          "clean_label": tfds.features.ClassLabel(num_classes=self.NUM_CLASSES),
        }
      ),
      supervised_keys=("image", "label"),
      homepage="http://cs231n.stanford.edu/",
      citation=_CITATION,
    )

  def _split_generators(self, dl_manager):
    manual_dir = dl_manager.manual_dir
    folder = self._unpack(dl_manager)
    manual_files.check_present(
      folder,
      ["wnids.txt", "words.txt", "train", "val/images"]
      + ["val/val_annotations.txt"],
    )
    synsets = (folder / "wnids.txt").read_text().split()
    manual_files.check_count(
      f"The classes in {folder / 'wnids.txt'}", self.NUM_CLASSES, len(synsets)
    )
    for label in ("label", "clean_label"):
      self.info.features[label].names = manual_files.class_names(
        folder / "words.txt", synsets
      )
    clean = {
      "train": self._find_train(folder, synsets),
      "test": self._find_test(folder, synsets),
    }
    given = dict(clean)
    if self.builder_config.name != "clean":
      given["train"] = self._read_lists(manual_dir, clean)
    return {
      split: self._generate_examples(
        split,
        [
          (name, folder / name, {"label": label, "clean_label": labels[name]})
          for name, label in given[split].items()
        ],
      )
      for split, labels in clean.items()
    }

  def _unpack(self, dl_manager):
    """Returns the path of the unpacked folder."""
    folder = dl_manager.manual_dir / _FOLDER
    if folder.exists():
      return folder
    archive = dl_manager.manual_dir / f"{_FOLDER}.zip"
    if archive.exists():
      return dl_manager.extract(archive) / _FOLDER
    raise errors.InvalidInputError(
      f"Folder {dl_manager.manual_dir} must hold {archive.name} or the folder "
      f"{_FOLDER} that is in it. Missing: both"
    )

  def _find_train(self, folder, synsets):
    """Returns dict from an image's path within the folder to its label."""
    manual_files.check_present(
      folder / "train", [f"{synset}/images" for synset in synsets]
    )
    labels = {
      f"train/{synset}/images/{path.name}": label
      for label, synset in enumerate(synsets)
      for path in sorted((folder / "train" / synset / "images").iterdir())
    }
    manual_files.check_count(
      f"The images in {folder / 'train'}",
      self.NUM_EXAMPLES["train"],
      len(labels),
    )
    return labels

  def _find_test(self, folder, synsets):
    """As `_find_train`."""
    path = folder / "val" / "val_annotations.txt"
    numbers = {synset: label for label, synset in enumerate(synsets)}
    lines = [line.split() for line in path.read_text().splitlines()]
    for number, fields in enumerate(lines, start=1):
      if len(fields) < 2 or fields[1] not in numbers:
        raise errors.InvalidInputError(
          f"{path}, line {number}, must be a file, a class of wnids.txt and a "
          f"box. Received: {' '.join(fields)!r}"
        )
    labels = {
      f"val/images/{name}": numbers[synset] for name, synset, *_ in lines
    }
    manual_files.check_count(
      f"The images in {path}", self.NUM_EXAMPLES["test"], len(labels)
    )
    return labels

  def _read_lists(self, manual_dir, clean):
    """Returns the given labels: dict like `_find_train`'s, in its order.

    The lists have a numbering of the classes of their own. The list of the test
    images, whose classes are known, tells which number is which class.
    """
    train_list = f"train_noisy_{self.builder_config.name}_kv_list.txt"
    manual_files.check_present(manual_dir, [_VAL_LIST, train_list])
    classes = {}
    listed = manual_files.read_labels(manual_dir / _VAL_LIST, self.NUM_CLASSES)
    for name, number in listed.items():
      label = clean["test"].get(name)
      if classes.setdefault(number, label) != label:
        raise errors.InvalidInputError(
          f"{manual_dir / _VAL_LIST} must give the images of a class of "
          f"val_annotations.txt one number. Received: {name} {number}"
        )
    manual_files.check_count(
      f"The classes that {_VAL_LIST} numbers",
      self.NUM_CLASSES,
      len(set(classes.values()) - {None}),
    )
    listed = manual_files.read_labels(manual_dir / train_list, self.NUM_CLASSES)
    manual_files.check_count(
      f"The training images that {train_list} labels",
      self.NUM_EXAMPLES["train"],
      len(listed.keys() & clean["train"].keys()),
    )
    return {name: classes[listed[name]] for name in clean["train"]}
