"""What a run trains on, and how its images are prepared."""

import dataclasses

from nct_tf.options import fields
from nct_tf.system import packages

AUGMENTATIONS = ("none", "crop_flip", "crop_flip_cutout", "resized_crop_flip")

OWN_IMAGES = ("folder", "csv", "npz")

# Findings that refuse one's own images unless a person insists.
ACCEPTABLE_FINDINGS = (
  "alike_names",
  "number_names",
  "missing_labels",
  "split_names",
  "unreadable",
  "channels",
)

# What `--dataset` may be, and what that is. Those after the fifth are a choice
# of the datasets that tensorflow-datasets has, with the ones that this project
# adds to them.
DATASETS = (
  ("digits", "1,797 handwritten digits of 8x8 pixels, embedded"),
  ("fake", "random images, sized by --fake_..."),
  ("folder:PATH", "your own images, a folder for each class"),
  ("csv:FILE", "your own images, listed with their labels"),
  ("npz:FILE", "your own images and labels as NumPy arrays"),
  ("mnist", "28x28, 10 classes of handwritten digits"),
  ("fashion_mnist", "28x28, 10 classes of clothes"),
  ("cifar10", "32x32, 10 classes of things and animals"),
  ("cifar100", "32x32, 100 classes of things and animals"),
  ("cifar10_n", "cifar10 with labels that people gave, for --noise_type"),
  ("cifar100_n", "cifar100 with labels that people gave, for --noise_type"),
  ("svhn_cropped", "32x32, 10 classes of house numbers"),
  ("tiny_imagenet", "64x64, 200 classes; files fetched by hand"),
  ("tiny_imagenet/symmetric_0.2", "the same with released noisy labels"),
  ("tiny_imagenet/symmetric_0.5", "the same with released noisy labels"),
  ("tiny_imagenet/pairflip_0.45", "the same with released noisy labels"),
  ("clothing1m", "photographs, 14 classes, noisy; files fetched by hand"),
  ("webvision_mini", "photographs, 50 classes, noisy; files fetched by hand"),
)


def split_place(dataset):
  """Parts the name of a dataset of one's own.

  Args:
    dataset: str, a value of `--dataset`.

  Returns:
    a pair of str: one of `OWN_IMAGES`, and the path; of any other dataset,
    both are None.
  """
  kind, _, path = dataset.partition(":")
  return (kind, path) if kind in OWN_IMAGES else (None, None)


def absolute_dataset(dataset):
  """Returns `--dataset` as it reads the same data in any working directory.

  Args:
    dataset: str.
  """
  kind, path = split_place(dataset)
  return dataset if kind is None else f"{kind}:{fields.absolute_path(path)}"


def _absolute_data_dir(path):
  # tensorflow-datasets takes those as they are.
  is_independent = "://" in path or path.startswith("~")
  return path if is_independent else fields.absolute_path(path)


def list_datasets():
  """Returns what `--dataset` may be, as text of a line each."""
  width = max(len(name) for name, _ in DATASETS)
  lines = [f"{name:<{width}}  {text}" for name, text in DATASETS]
  return "\n".join(
    [
      *lines,
      "Any other image classification dataset of tensorflow-datasets will do. "
      "To see all of its names:",
      '  python -c "import tensorflow_datasets as tfds; '
      "print(*tfds.list_builders(), sep='\\n')\"",
    ]
  )


@dataclasses.dataclass(frozen=True)
class Data(fields.Options):
  """Where the images come from, which of them, and how they are prepared."""

  TITLE = "data"

  dataset: str = fields.option(
    "cifar10",
    "What to train on. Your own images: folder:PATH (a folder for each class; "
    "train/, val/ and test/ may stand above those), csv:FILE (columns path and "
    "label; split and clean_label are optional) or npz:FILE (arrays images "
    "and labels; clean_labels and split are optional). Or digits (embedded), "
    "fake (random images), or the name of an image classification dataset of "
    "tensorflow-datasets.",
    listing=list_datasets,
    absolute=absolute_dataset,
  )
  data_dir: str | None = fields.option(
    None,
    "Folder where tensorflow-datasets keeps prepared datasets. If not given, "
    "it is the default of tensorflow-datasets.",
    scope=fields.CIRCUMSTANCE,
    absolute=_absolute_data_dir,
  )
  download: bool = fields.option(
    False,
    "Download and prepare a dataset of tensorflow-datasets that is not in "
    "--data_dir.",
    scope=fields.CIRCUMSTANCE,
  )
  image_size: int | None = fields.option(
    None,
    "Side of the square to which images are resized. Where the images of a "
    "dataset of tensorflow-datasets differ in size, the shorter side gets this "
    "length, and the square in the middle is kept. If not given, images of "
    "folder: and csv: keep their size if all have the same one of at most "
    "64x64; otherwise they become squares of at most 64. All other images keep "
    "their size.",
    unit="pixels",
    low=1,
    auto=True,
  )
  crop_size: int | None = fields.option(
    None,
    "Side of the square that the networks see of each image. In training it "
    "lies at random (unless --augmentation=none), elsewhere in the middle. "
    "It is at most the image's side. If not given, networks see all of an "
    "image.",
    unit="pixels",
    low=1,
  )
  test_fraction: float = fields.option(
    0.2,
    "Share of your own images that becomes the test split, stratified, where "
    "they have none.",
    low=0,
    high=1,
    low_open=True,
    high_open=True,
  )
  accept_findings: tuple[str, ...] = fields.option(
    (),
    "Findings about your own images that would refuse them, and do not. "
    "alike_names: class names that differ in case or spaces alone. "
    "number_names: such as 1 and 01. missing_labels: labels such as nan and "
    "-1. split_names: folders named train, val or test that are classes. "
    "unreadable: that more than a tenth of the images cannot be read. "
    "channels: that images have more than four.",
    choices=ACCEPTABLE_FINDINGS,
  )
  num_train_examples: int | None = fields.option(
    None,
    "How many training examples to use, a fixed stratified subset. If not "
    "given, all are used.",
    low=1,
  )
  num_test_examples: int | None = fields.option(
    None,
    "How many test examples to use, a fixed stratified subset, where "
    "evaluating on all of them takes too long. If not given, all are used.",
    low=1,
  )
  validation_fraction: float = fields.option(
    0.0,
    "Share of the training examples that is held out for validation, with its "
    "noisy labels. With 0 the dataset's own validation split is validated on, "
    "or the test split where it has none.",
    low=0,
    high=1,
    high_open=True,
  )
  augmentation: str | None = fields.option(
    None,
    "How training images are changed at random. crop_flip crops, after "
    "padding by 4 pixels where --crop_size does not make the crop smaller, and "
    "mirrors half of the images. crop_flip_cutout also blanks a square (it "
    "needs tensorflow-addons). resized_crop_flip takes a box of 8 to 100 % of "
    "the image's area, 3/4 to 4/3 times as wide as high, resizes it to the "
    "crop, and mirrors half of them. All of that is drawn for each image.",
    choices=AUGMENTATIONS,
    auto=True,
    paper="crop_flip",
  )

  @property
  def has_own_images(self):
    """Whether the images are the user's own: `folder:`, `csv:` or `npz:`."""
    return split_place(self.dataset)[0] is not None

  def __post_init__(self):
    super().__post_init__()
    if self.augmentation == "crop_flip_cutout":
      packages.require_addons("--augmentation=crop_flip_cutout")


@dataclasses.dataclass(frozen=True)
class Fake(fields.Options):
  """The random images of `--dataset=fake`."""

  TITLE = "data: fake"

  fake_num_train_examples: int = fields.option(
    1024,
    "Training examples of the dataset fake, at least as many as its classes.",
    low=1,
  )
  fake_num_test_examples: int = fields.option(
    256,
    "Test examples of the dataset fake, at least as many as its classes.",
    low=1,
  )
  fake_image_size: int = fields.option(
    32, "Side of the images of the dataset fake.", unit="pixels", low=1
  )
  fake_num_channels: int = fields.option(
    3, "Channels of the images of the dataset fake.", low=1
  )
  fake_num_classes: int = fields.option(
    10, "Classes of the dataset fake.", low=2
  )

  @property
  def fake_options(self):
    """Arguments of `datasets.fake.load`."""
    return {
      "num_train_examples": self.fake_num_train_examples,
      "num_test_examples": self.fake_num_test_examples,
      "height": self.fake_image_size,
      "num_channels": self.fake_num_channels,
      "num_classes": self.fake_num_classes,
    }
