"""Options of the networks and of their initial weights."""

import dataclasses
import pathlib

from nct_tf import errors, networks
from nct_tf.networks import choices
from nct_tf.options import fields

# The value of `--pretrained_weights` that is not a file, and its network.
IMAGENET = "imagenet"
IMAGENET_NETWORK = "inception_resnet_v2"
TORCHVISION_NETWORK = "resnet50"

_FROM_TORCH = (
  "numpy.savez('resnet50.npz', **{name: value.numpy() for name, value in "
  "torch.load(FILE).items()})"
)


def _absolute_weights(source):
  return source if source == IMAGENET else fields.absolute_path(source)


@dataclasses.dataclass(frozen=True)
class Network(fields.Options):
  """The networks of a method, which all have the same architecture."""

  TITLE = "network"

  network: str | None = fields.option(
    None,
    "The backbone. For photographs there are resnet50, torchvision's (v1.5), "
    "and inception_resnet_v2, that of keras.applications, which needs 75x75 "
    "pixels. resnet_cifar, cnn9, lenet5 and npc_cnn are those of published "
    "comparisons; cnn9 needs 28x28 pixels.",
    choices=networks.NAMES,
    auto=True,
    paper="preact_resnet18",
  )
  width: int | None = fields.option(
    None,
    "Channels of the backbone's first layer; for an mlp, units of its layers. "
    "64 is the paper's, and the only one of inception_resnet_v2, lenet5 and "
    "npc_cnn. As published, cnn9 has 128 and resnet_cifar 16.",
    low=1,
    auto=True,
    paper=64,
  )
  kernel_initializer: str = fields.option(
    "fan_in_uniform",
    "How the convolutions of a preact_resnet or of resnet50 start. "
    "fan_in_uniform is PyTorch's, which the paper's authors use.",
    choices=choices.KERNEL_INITIALIZERS,
  )
  final_bn: bool = fields.option(
    False,
    "Whether a preact_resnet has batch norm and ReLU after its last block. The "
    "paper's authors' network has none.",
  )
  pool: str = fields.option(
    "global",
    "What a preact_resnet averages at its end. global is the whole map; "
    "official4 is its top left 4x4, as in the code of the paper's authors with "
    "images of up to 56x56 pixels.",
    choices=choices.POOLS,
  )
  sync_batch_norm: bool = fields.option(
    False,
    "Whether batch norm uses the statistics of the whole batch. Otherwise each "
    "device uses those of its own part. All networks with batch norm can do "
    "it but inception_resnet_v2.",
  )
  hidden_widths: tuple[int, ...] | None = fields.option(
    None,
    "Units of each hidden layer of an mlp, such as 500,300. If not given, "
    "there are two layers of --width. If empty, there are none.",
    low=1,
  )
  dropout: float | None = fields.option(
    None,
    "Rate of the dropout of an mlp, of cnn9 or of npc_cnn. If not given, it is "
    "0 for an mlp, 0.25 for cnn9 and 0.3 for npc_cnn.",
    low=0,
    high=1,
    high_open=True,
  )
  lenet_pool: str = fields.option(
    "average",
    "How lenet5 pools. average is the network for MNIST, max that of "
    "Co-teaching+ for CIFAR-10, which starts from PyTorch's initial weights.",
    choices=choices.LENET_POOLS,
  )
  resnet_depth: int = fields.option(
    32,
    "Layers of resnet_cifar, 6n + 2, such as 14, 20, 32, 44, 56 and 110.",
    low=8,
  )
  resnet_preactivation: bool = fields.option(
    False,
    "Whether batch norm and ReLU stand before the convolutions of "
    "resnet_cifar, as in the networks of loss correction, not after them, as "
    "in INCV's.",
  )
  pretrained_weights: str | None = fields.option(
    None,
    "What the networks start from: a .h5 file of Keras; for resnet50 also a "
    ".npz file of torchvision's weights; for inception_resnet_v2 also "
    "`imagenet`, which is downloaded. The last layer starts anew where the "
    "number of classes differs.",
    absolute=_absolute_weights,
  )

  def __post_init__(self):
    super().__post_init__()
    choices.check_resnet_depth(self.resnet_depth)
    if self.pretrained_weights is not None:
      check_pretrained(self.pretrained_weights, self.network)

  @property
  def network_options(self):
    """Arguments of `networks.create` that differ from their defaults."""
    return {
      name: getattr(self, name)
      for name, default in fields.defaults_of(Network).items()
      if name in networks.OPTIONS and getattr(self, name) != default
    }


def check_pretrained(source, network):
  """Raises `InvalidInputError` unless a network can start from a source.

  Args:
    source: str, a file, which need not exist, or `imagenet`.
    network: str, one of `networks.NAMES`.
  """
  suffix = pathlib.Path(source).suffix
  if source == IMAGENET:
    if network != IMAGENET_NETWORK:
      raise errors.InvalidInputError(
        f"Argument `pretrained_weights`=imagenet is of {IMAGENET_NETWORK} "
        f"alone: for {TORCHVISION_NETWORK} give torchvision's weights (Keras' "
        f"are of another network) as a file: {_FROM_TORCH}. Received: "
        f"network={network}"
      )
  elif suffix not in (".h5", ".npz"):
    raise errors.InvalidInputError(
      "Argument `pretrained_weights` must be imagenet, a .h5 of Keras or a "
      f".npz of torchvision's names ({_FROM_TORCH}). Received: {source}"
    )
  elif suffix == ".npz" and network != TORCHVISION_NETWORK:
    raise errors.InvalidInputError(
      "Argument `pretrained_weights` of torchvision's names (.npz) is of "
      f"{TORCHVISION_NETWORK} alone. Received: network={network}, {source}"
    )
