"""torchvision's ResNet-50 in NumPy, from a state dict: slow, and by itself.

Written from torchvision's `resnet.py`, in its names and its layout.
"""

import numpy as np

NUM_BLOCKS = (3, 4, 6, 3)


def random_state(rng, num_classes, width=64, num_channels=3):
  """Returns a state dict with values that tell all its entries apart.

  Args:
    rng: `numpy.random.Generator`.
    num_classes: int.
    width: int, channels of the stem; torchvision's is 64.
    num_channels: int, of the images.

  Returns:
    dict from torchvision's name to array.
  """
  state = {}

  def add_conv(name, outputs, inputs, size):
    scale = (2 / (inputs * size * size)) ** 0.5
    state[f"{name}.weight"] = scale * rng.standard_normal(
      (outputs, inputs, size, size), np.float32
    )

  def add_bn(name, channels):
    state[f"{name}.weight"] = rng.uniform(0.5, 1.5, channels)
    state[f"{name}.bias"] = 0.5 * rng.standard_normal(channels)
    state[f"{name}.running_mean"] = 0.5 * rng.standard_normal(channels)
    state[f"{name}.running_var"] = rng.uniform(0.5, 1.5, channels)
    state[f"{name}.num_batches_tracked"] = np.int64(7)

  add_conv("conv1", width, num_channels, 7)
  add_bn("bn1", width)
  inputs = width
  for group, num_blocks in enumerate(NUM_BLOCKS):
    planes = width * 2**group
    for block in range(num_blocks):
      name = f"layer{group + 1}.{block}"
      add_conv(f"{name}.conv1", planes, inputs, 1)
      add_bn(f"{name}.bn1", planes)
      add_conv(f"{name}.conv2", planes, planes, 3)
      add_bn(f"{name}.bn2", planes)
      add_conv(f"{name}.conv3", 4 * planes, planes, 1)
      add_bn(f"{name}.bn3", 4 * planes)
      if block == 0:
        add_conv(f"{name}.downsample.0", 4 * planes, inputs, 1)
        add_bn(f"{name}.downsample.1", 4 * planes)
      inputs = 4 * planes
  state["fc.weight"] = 0.1 * rng.standard_normal((num_classes, inputs))
  state["fc.bias"] = rng.standard_normal(num_classes)
  return state


def logits(state, images):
  """Returns the logits float64 [batch, num_classes], as in `eval()`.

  Args:
    state: dict of `random_state`.
    images: float array [batch, channels, height, width].
  """

  def conv(x, name, stride):
    kernel = state[f"{name}.weight"]
    size = kernel.shape[-1]
    return np.stack(
      [
        [
          np.tensordot(x[:, :, i : i + size, j : j + size], kernel, _CONTRACT)
          for j in range(0, x.shape[3] - size + 1, stride)
        ]
        for i in range(0, x.shape[2] - size + 1, stride)
      ]
    ).transpose(2, 3, 0, 1)

  def bn(x, name):
    weight, bias, mean, variance = (
      state[f"{name}.{part}"][:, None, None]
      for part in ("weight", "bias", "running_mean", "running_var")
    )
    return (x - mean) / np.sqrt(variance + 1e-5) * weight + bias

  def bottleneck(x, name, stride):
    y = np.maximum(bn(conv(x, f"{name}.conv1", 1), f"{name}.bn1"), 0)
    y = conv(_pad(y, 1), f"{name}.conv2", stride)  # v1.5: here, not in conv1.
    y = np.maximum(bn(y, f"{name}.bn2"), 0)
    y = bn(conv(y, f"{name}.conv3", 1), f"{name}.bn3")
    if f"{name}.downsample.0.weight" in state:
      x = conv(x, f"{name}.downsample.0", stride)
      x = bn(x, f"{name}.downsample.1")
    return np.maximum(x + y, 0)

  x = conv(_pad(images, 3), "conv1", 2)
  x = _max_pool(np.maximum(bn(x, "bn1"), 0))
  for group, num_blocks in enumerate(NUM_BLOCKS):
    for block in range(num_blocks):
      stride = 2 if group > 0 and block == 0 else 1
      x = bottleneck(x, f"layer{group + 1}.{block}", stride)
  return x.mean((2, 3)) @ state["fc.weight"].T + state["fc.bias"]


_CONTRACT = ((1, 2, 3), (1, 2, 3))


def _pad(x, size, value=0.0):
  around = (size, size)
  return np.pad(x, ((0, 0), (0, 0), around, around), constant_values=value)


def _max_pool(x):
  x = _pad(x, 1, -np.inf)
  return np.stack(
    [
      [
        x[:, :, i : i + 3, j : j + 3].max((2, 3))
        for j in range(0, x.shape[3] - 2, 2)
      ]
      for i in range(0, x.shape[2] - 2, 2)
    ]
  ).transpose(2, 3, 0, 1)
