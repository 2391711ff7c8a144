"""The published training step in PyTorch: what a user would run instead.

`python -m nct_tf.benchmarks.torch_steps` is the process of a `workers.Worker`.
It needs PyTorch, and nothing else: it may run in another environment.
"""

import contextlib
import time

from nct_tf import errors
from nct_tf.benchmarks import workers

# As in `bare_step`, which cannot be imported where there is no TensorFlow.
_GPU_GROUP_SIZE = 20
# While an epoch lasts, both are constant; how large they are costs nothing.
_ALPHA = 0.7
_RANDOM_RATE = 0.3


class TorchStep:
  """Makes steps of Noisy Concurrent Training (Algorithm 1), and measures them.

  Two PreActResNets, the same batch again and again, labels that are flipped
  anew for each network and step, cross entropy and mimicry, SGD with momentum
  and coupled weight decay.

  Args:
    torch: the package.
    variant: dict: `layout`, `contiguous` or `channels_last`; `dtype`, `float32`
      or `bfloat16` by autocast; `compiled`, bool, whether by `torch.compile`,
      with CUDA graphs.
    blocks_per_group: int, of the networks.
    width: int, channels of their first layer.
    batch_size: int.
    image_shape: three ints, (height, width, channels).
    num_classes: int.
    temperature: float, of the mimicry loss.
    learning_rate: float.
    momentum: float.
    weight_decay: float.
  """

  def __init__(
    self,
    torch,
    variant,
    blocks_per_group,
    width,
    batch_size,
    image_shape,
    num_classes,
    temperature,
    learning_rate,
    momentum,
    weight_decay,
  ):
    self._torch = torch
    self._on_gpu = torch.cuda.is_available()
    self._device = torch.device("cuda" if self._on_gpu else "cpu")
    self._variant = variant
    self._num_classes = num_classes
    self._temperature = temperature
    torch.manual_seed(0)
    # What Keras does by default, and the fastest algorithms for this shape.
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    height, columns, channels = image_shape
    memory_format = {
      "contiguous": torch.contiguous_format,
      "channels_last": torch.channels_last,
    }[variant["layout"]]
    networks = [
      _preact_resnet(torch, channels, width, blocks_per_group, num_classes).to(
        self._device, memory_format=memory_format
      )
      for _ in range(2)
    ]
    self._optimizers = [
      torch.optim.SGD(
        network.parameters(),
        lr=learning_rate,
        momentum=momentum,
        weight_decay=weight_decay,
      )
      for network in networks
    ]
    self._networks = [
      torch.compile(network, mode="reduce-overhead")
      if variant["compiled"]
      else network
      for network in networks
    ]
    images = torch.randn(
      batch_size, channels, height, columns, device=self._device
    )
    self._images = images.contiguous(memory_format=memory_format)
    self._labels = torch.randint(
      num_classes, (batch_size,), device=self._device
    )
    self._first_seconds = self.seconds(1)

  def seconds(self, num_steps):
    """Makes steps, and waits for the last one; returns the seconds of each."""
    begin = time.perf_counter()
    for _ in range(num_steps):
      loss = self._step()
    loss.item()
    if self._on_gpu:
      self._torch.cuda.synchronize()  # The last update comes after the loss.
    return (time.perf_counter() - begin) / num_steps

  def describe(self):
    """Returns as `bare_step.BareStep.describe` does; not all of it."""
    return {
      "kind": "GPU" if self._on_gpu else "CPU",
      "framework": f"PyTorch {self._torch.__version__}",
      "num_networks": 2,
      "first_step_seconds": self._first_seconds,
      "memory_bytes": (
        self._torch.cuda.max_memory_allocated()
        if self._on_gpu
        else workers.peak_memory()
      ),
      "group_size": _GPU_GROUP_SIZE if self._on_gpu else 1,
    }

  def _step(self):
    """Makes one step; returns the loss of both networks."""
    if self._variant["compiled"]:
      # Both networks' logits are needed before graphs may be run again.
      self._torch.compiler.cudagraph_mark_step_begin()
    for optimizer in self._optimizers:
      optimizer.zero_grad(set_to_none=True)
    with self._autocast():
      logits = [network(self._images) for network in self._networks]
    # As in the published code, losses are computed in float32.
    logits1, logits2 = (each.float() for each in logits)
    loss = self._loss(logits1, logits2) + self._loss(logits2, logits1)
    loss.backward()  # No gradient flows to a peer: this is both networks'.
    for optimizer in self._optimizers:
      optimizer.step()
    return loss

  def _autocast(self):
    if self._variant["dtype"] == "float32":
      return contextlib.nullcontext()
    return self._torch.autocast(self._device.type, self._torch.bfloat16)

  def _loss(self, logits, peer_logits):
    """Returns Equation 1: cross entropy with flipped labels, and mimicry."""
    functional = self._torch.nn.functional
    cross_entropy = functional.cross_entropy(logits, self._flipped_labels())
    mimicry = self._temperature**2 * functional.kl_div(
      functional.log_softmax(logits / self._temperature, dim=1),
      functional.log_softmax(peer_logits.detach() / self._temperature, dim=1),
      reduction="batchmean",
      log_target=True,
    )
    return (1 - _ALPHA) * cross_entropy + _ALPHA * mimicry

  def _flipped_labels(self):
    """Returns Algorithm 2: some labels moved to any other class."""
    shape, place = self._labels.shape, self._device
    chosen = self._torch.rand(shape, device=place) < _RANDOM_RATE
    shift = self._torch.randint(1, self._num_classes, shape, device=place)
    return (self._labels + chosen * shift) % self._num_classes


def _preact_resnet(torch, channels, width, blocks_per_group, num_classes):
  """Returns the network of `networks.preact_resnet` as a `torch.nn.Module`."""
  nn = torch.nn

  def conv(inputs, outputs, size, stride):
    return nn.Conv2d(
      inputs, outputs, size, stride, padding=size // 2, bias=False
    )

  class Block(nn.Module):
    """Two convolutions, and a way around them."""

    def __init__(self, inputs, outputs, stride):
      super().__init__()
      self.norm1 = nn.BatchNorm2d(inputs)
      self.conv1 = conv(inputs, outputs, 3, stride)
      self.norm2 = nn.BatchNorm2d(outputs)
      self.conv2 = conv(outputs, outputs, 3, 1)
      changes = stride != 1 or inputs != outputs
      self.shortcut = conv(inputs, outputs, 1, stride) if changes else None

    def forward(self, x):
      preactivated = torch.relu(self.norm1(x))
      if self.shortcut is not None:
        x = self.shortcut(preactivated)
      y = self.conv1(preactivated)
      return self.conv2(torch.relu(self.norm2(y))) + x

  layers, inputs = [conv(channels, width, 3, 1)], width
  for group in range(4):
    for block in range(blocks_per_group):
      outputs = width * 2**group
      stride = 2 if group > 0 and block == 0 else 1
      layers.append(Block(inputs, outputs, stride))
      inputs = outputs
  return nn.Sequential(
    *layers,
    nn.AdaptiveAvgPool2d(1),
    nn.Flatten(),
    nn.Linear(inputs, num_classes),
  )


def _create(**arguments):
  """Makes a `TorchStep`; without arguments, looks whether PyTorch is there."""
  try:
    import torch
  except ImportError as error:
    raise errors.InvalidInputError(
      "--compare=torch needs PyTorch: install it, as with `pip install torch`, "
      "or give --torch_python, the Python of an environment that has it. "
      f"Received: {error}"
    ) from error
  return TorchStep(torch, **arguments) if arguments else None


if __name__ == "__main__":
  workers.serve(_create)
