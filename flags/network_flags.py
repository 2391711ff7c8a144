"""The two networks, which are alike."""

from absl import flags

NETWORK = flags.DEFINE_enum(
  "network",
  "preact_resnet18",
  [
    "preact_resnet18",
    "preact_resnet10",
    "resnet50",
    "inception_resnet_v2",
    "simple_cnn",
    "mlp",
  ],
  "The backbone; for photographs resnet50, torchvision's (v1.5), or "
  "inception_resnet_v2, that of keras.applications, which needs 75x75 pixels.",
)
WIDTH = flags.DEFINE_integer(
  "width",
  64,
  "Channels of the backbone's first layer (units of an mlp's layers); 64 is "
  "the paper's, and the only one of inception_resnet_v2.",
  lower_bound=1,
)
KERNEL_INITIALIZER = flags.DEFINE_enum(
  "kernel_initializer",
  "fan_in_uniform",
  ["fan_in_uniform", "he_normal"],
  "How the convolutions of a preact_resnet or of resnet50 start; "
  "fan_in_uniform is PyTorch's, which the authors use.",
)
FINAL_BN = flags.DEFINE_boolean(
  "final_bn",
  False,
  "Whether a preact_resnet has batch norm and ReLU after its last block, which "
  "the authors' network has not.",
)
POOL = flags.DEFINE_enum(
  "pool",
  "global",
  ["global", "official4"],
  "What a preact_resnet averages at its end: the whole map, or its top left "
  "4x4, as the authors' code does with images of up to 56x56 pixels.",
)
SYNC_BATCH_NORM = flags.DEFINE_boolean(
  "sync_batch_norm",
  False,
  "Whether batch norm normalises by the statistics of all replicas' parts of a "
  "batch, not by those of each part alone; of preact_resnets, resnet50 and "
  "simple_cnn.",
)
PRETRAINED_WEIGHTS = flags.DEFINE_string(
  "pretrained_weights",
  None,
  "What both networks start from, but for the last layer where the number of "
  "classes differs: a .h5 file of Keras, for resnet50 a .npz file of "
  "torchvision's weights, or, for inception_resnet_v2, `imagenet`, which is "
  "downloaded.",
)
