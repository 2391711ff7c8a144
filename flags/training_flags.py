"""Optimisation, seeds, and how often a run measures and saves."""

from absl import flags


class _EpochsParser(flags.ArgumentParser):
  """Whole numbers with commas between them, as a tuple."""

  syntactic_help = "whole numbers, separated by commas"

  def parse(self, argument):
    if isinstance(argument, tuple):
      return argument
    return tuple(int(part) for part in argument.split(",") if part.strip())

  def flag_type(self):
    return "comma separated list of integers"


class _EpochsSerializer(flags.ArgumentSerializer):
  """Writes what `_EpochsParser` reads."""

  def serialize(self, value):
    return ",".join(map(str, value))


NUM_EPOCHS = flags.DEFINE_integer(
  "num_epochs", 200, "Epochs to train.", lower_bound=1
)
BATCH_SIZE = flags.DEFINE_integer(
  "batch_size",
  128,
  "Examples of a step, over all replicas; at most the training examples.",
  lower_bound=1,
)
OPTIMIZER = flags.DEFINE_enum(
  "optimizer",
  "sgd",
  ["sgd", "adamw", "lamb", "sgdw"],
  "sgd is the paper's; lamb suits large batches; sgdw needs tensorflow-addons.",
)
LEARNING_RATE = flags.DEFINE_float(
  "learning_rate",
  0.02,
  "Learning rate of the first epoch, above 0.",
  lower_bound=1e-12,
)
MOMENTUM = flags.DEFINE_float(
  "momentum",
  0.9,
  "Momentum of sgd and sgdw, in [0, 1).",
  lower_bound=0.0,
  upper_bound=0.999999,
)
WEIGHT_DECAY = flags.DEFINE_float(
  "weight_decay",
  1e-5,
  "Weight decay, at least 0. With sgd it is an L2 term of the gradient; the "
  "other optimizers decouple it, each in its own way.",
  lower_bound=0.0,
)
DECOUPLED_WEIGHT_DECAY = flags.DEFINE_boolean(
  "decoupled_weight_decay",
  False,
  "Whether sgd too keeps the weight decay out of the gradient, and takes "
  "learning rate x decay x weight from a weight instead.",
)
LR_DECAY_EPOCHS = flags.DEFINE(
  _EpochsParser(),
  "lr_decay_epochs",
  None,
  "Epochs after which the learning rate is multiplied by --lr_decay_factor, "
  "below --num_epochs, such as 60,120; once, at 90 % of --num_epochs, if not "
  "given; empty for never.",
  serializer=_EpochsSerializer(),
)
LR_DECAY_FACTOR = flags.DEFINE_float(
  "lr_decay_factor",
  0.1,
  "What the learning rate is multiplied by, in (0, 1].",
  lower_bound=1e-12,
  upper_bound=1.0,
)
CLIP_NORM = flags.DEFINE_float(
  "clip_norm",
  None,
  "Largest norm of each network's gradient over all of its weights, above 0; a "
  "longer one is scaled down. No clipping if not given.",
  lower_bound=1e-12,
)
EMA_DECAY = flags.DEFINE_float(
  "ema_decay",
  0.0,
  "Decay per step, in [0, 1), of an exponential moving average of the weights, "
  "such as 0.999, which is measured and exported in their place; 0 for none.",
  lower_bound=0.0,
  upper_bound=0.9999999,
)
SEED = flags.DEFINE_integer(
  "seed",
  0,
  "Seed of the weights, the order, the augmentation and the random targets, at "
  "least 0.",
  lower_bound=0,
  upper_bound=2**32 - 1,
)
MONITOR_EVERY_EPOCHS = flags.DEFINE_integer(
  "monitor_every_epochs",
  1,
  "How often, in epochs, loss and accuracy are measured on the cleanly and on "
  "the wrongly labelled training examples; 0 for never.",
  lower_bound=0,
)
LABEL_SCORES = flags.DEFINE_boolean(
  "label_scores",
  True,
  "Keep how suspicious each training label was, averaged over the epochs: what "
  "scripts.audit ranks by. 8 bytes an example.",
)
CHECKPOINT_EVERY_EPOCHS = flags.DEFINE_integer(
  "checkpoint_every_epochs",
  1,
  "How often, in epochs, a checkpoint is saved; the last epoch's always is.",
  lower_bound=1,
)
CHECKPOINT_EVERY_MINUTES = flags.DEFINE_float(
  "checkpoint_every_minutes",
  None,
  "How often, in minutes, a checkpoint is saved within an epoch as well, where "
  "epochs take long; never if not given.",
  lower_bound=1e-6,
)
KEEP_CHECKPOINTS = flags.DEFINE_integer(
  "keep_checkpoints",
  2,
  "How many of the newest checkpoints stay, at least 1; that of the best epoch "
  "by validation stays as well.",
  lower_bound=1,
)
OVERWRITE = flags.DEFINE_boolean(
  "overwrite",
  False,
  "Delete the run that --workdir holds already, instead of going on with it.",
)
