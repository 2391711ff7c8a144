"""What a run trains on, and how its labels are corrupted."""

from absl import flags

DATASET = flags.DEFINE_string(
  "dataset",
  "cifar10",
  "One's own images: folder:PATH (a folder for each class; train/ and test/ "
  "above those may be), csv:FILE (columns path,label; split and clean_label "
  "may be) or npz:FILE (arrays images and labels; clean_labels and split may "
  "be). Or the name of an image classification dataset of tensorflow-datasets; "
  "digits (embedded); fake (random images).",
)
IMAGE_SIZE = flags.DEFINE_integer(
  "image_size",
  None,
  "Side in pixels to which images are resized. If not given, it is their own, "
  "or chosen by them, where one's own pictures differ. Of a dataset of "
  "tensorflow-datasets whose images differ in size, it is that of the shorter "
  "side, and the square in the middle is kept.",
  lower_bound=1,
)
CROP_SIZE = flags.DEFINE_integer(
  "crop_size",
  None,
  "Side in pixels of the square that the networks see of each image, at most "
  "the image's: at random in training (unless --augmentation=none), the middle "
  "elsewhere; all of the image if not given.",
  lower_bound=1,
)
TEST_FRACTION = flags.DEFINE_float(
  "test_fraction",
  0.2,
  "Share of one's own images, in (0, 1), that is the test split, stratified, "
  "where they have none.",
  lower_bound=0.001,
  upper_bound=0.999,
)
NUM_TRAIN_EXAMPLES = flags.DEFINE_integer(
  "num_train_examples",
  None,
  "How many training examples to use, a fixed stratified subset; all if not "
  "given.",
  lower_bound=1,
)
NUM_TEST_EXAMPLES = flags.DEFINE_integer(
  "num_test_examples",
  None,
  "How many test examples to use, a fixed stratified subset, where evaluating "
  "on all of them takes too long; all if not given.",
  lower_bound=1,
)
VALIDATION_FRACTION = flags.DEFINE_float(
  "validation_fraction",
  0.0,
  "Share of the training examples, in [0, 1), that is held out, with its "
  "noisy labels, for validation; 0 validates on the dataset's own validation "
  "split, or on the test split where it has none.",
  lower_bound=0.0,
  upper_bound=0.99,
)
AUGMENTATION = flags.DEFINE_enum(
  "augmentation",
  "crop_flip",
  ["none", "crop_flip", "crop_flip_cutout", "resized_crop_flip"],
  "crop_flip crops at random, after padding 4 pixels where --crop_size does "
  "not make the crop smaller, and mirrors every second image; crop_flip_cutout "
  "also blanks a random square (needs tensorflow-addons); resized_crop_flip "
  "takes a box of 8 to 100 % of the image's area, 3/4 to 4/3 times as wide as "
  "high, resizes it to the crop, and mirrors every second one.",
)
NOISE_TYPE = flags.DEFINE_enum(
  "noise_type",
  "none",
  [
    "none",
    "symmetric_inclusive",
    "symmetric_exclusive",
    "pair_flip",
    "human_aggre",
    "human_random1",
    "human_random2",
    "human_random3",
    "human_worse",
    "human_noisy",
  ],
  "How labels are corrupted before training: symmetric_inclusive draws the new "
  "label from all classes, symmetric_exclusive from the other ones, pair_flip "
  "takes the next class. human_... takes labels that people gave, of the "
  "dataset cifar10_n (human_noisy: cifar100_n).",
)
NOISE_RATE = flags.DEFINE_float(
  "noise_rate",
  0.0,
  "Share of the training labels that is corrupted, in [0, 1]; below 0.5 for "
  "pair_flip; 0 for human_..., whose rate is what it is.",
  lower_bound=0.0,
  upper_bound=1.0,
)
NOISE_COUNT = flags.DEFINE_enum(
  "noise_count",
  None,
  ["exact", "bernoulli"],
  "How many labels --noise_rate corrupts: exact, that share of them; "
  "bernoulli, each with that probability. If not given, exact for "
  "symmetric_inclusive, bernoulli for the others.",
)
NOISE_SEED = flags.DEFINE_integer(
  "noise_seed",
  0,
  "Seed of the corruption, apart from --seed, at least 0.",
  lower_bound=0,
  upper_bound=2**32 - 1,
)
LABEL_DECISIONS = flags.DEFINE_string(
  "label_decisions",
  None,
  "CSV file of scripts.audit's page (columns id,decision,label): labels that "
  "are replaced, examples that are dropped.",
)
DROP_FLAGGED = flags.DEFINE_string(
  "drop_flagged",
  None,
  "An audit's labels.csv, all whose flagged examples are dropped. Refused "
  "without --force_drop_flagged: hard examples look like wrong labels.",
)
FORCE_DROP_FLAGGED = flags.DEFINE_boolean(
  "force_drop_flagged", False, "Drop flagged examples all the same."
)
NUM_FOLDS = flags.DEFINE_integer(
  "num_folds",
  None,
  "Divide the training examples into so many parts and hold out --fold, with "
  "its noisy labels, for validation, in place of --validation_fraction.",
  lower_bound=2,
)
FOLD = flags.DEFINE_integer(
  "fold", None, "Which of --num_folds is held out, from 0.", lower_bound=0
)
SAMPLING = flags.DEFINE_enum(
  "sampling",
  "natural",
  ["natural", "balanced", "balanced_subset"],
  "natural takes each training example once an epoch; balanced takes each "
  "class equally often, by its given label; balanced_subset takes "
  "--num_examples_per_epoch, other ones each epoch, none twice, and of each "
  "class at most its part of them.",
)
NUM_EXAMPLES_PER_EPOCH = flags.DEFINE_integer(
  "num_examples_per_epoch",
  None,
  "How many training examples an epoch of --sampling=balanced_subset has, at "
  "least 1; fewer where classes have not enough. The paper's for Clothing1M: "
  "32000.",
  lower_bound=1,
)
FAKE_NUM_TRAIN_EXAMPLES = flags.DEFINE_integer(
  "fake_num_train_examples",
  1024,
  "Training examples of the dataset fake, at least its classes.",
  lower_bound=1,
)
FAKE_NUM_TEST_EXAMPLES = flags.DEFINE_integer(
  "fake_num_test_examples",
  256,
  "Test examples of the dataset fake, at least its classes.",
  lower_bound=1,
)
FAKE_IMAGE_SIZE = flags.DEFINE_integer(
  "fake_image_size",
  32,
  "Side in pixels of the images of the dataset fake.",
  lower_bound=1,
)
FAKE_NUM_CHANNELS = flags.DEFINE_integer(
  "fake_num_channels",
  3,
  "Channels of the images of the dataset fake.",
  lower_bound=1,
)
FAKE_NUM_CLASSES = flags.DEFINE_integer(
  "fake_num_classes",
  10,
  "Classes of the dataset fake, at least 2.",
  lower_bound=2,
)
