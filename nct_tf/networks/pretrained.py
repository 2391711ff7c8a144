"""Starts a training from weights in a file, of others or of earlier runs."""

import collections
import hashlib
import itertools
import logging
import pathlib
import re
import typing
import zipfile

import h5py
import keras
import numpy as np

from nct_tf import distribution, errors
from nct_tf.networks import options

_logger = logging.getLogger(__name__)

# The file that keras.applications.InceptionResNetV2(include_top=False) loads.
_IMAGENET_FILE = (
  "inception_resnet_v2_weights_tf_dim_ordering_tf_kernels_notop.h5"
)
_IMAGENET_URL = (
  "https://storage.googleapis.com/tensorflow/keras-applications/"
  f"inception_resnet_v2/{_IMAGENET_FILE}"
)
_IMAGENET_MD5 = "d19885ff4a710c122648d3b5c3b684e4"


class _Layer(typing.NamedTuple):
  """A layer's weights, in Keras' order and layout."""

  name: str
  arrays: list

  @property
  def shapes(self):
    return [tuple(array.shape) for array in self.arrays]

  def __str__(self):
    shapes = ["x".join(map(str, shape)) for shape in self.shapes]
    return f"{self.name} ({', '.join(shapes)})" if shapes else "nothing"


def find(source):
  """Returns the `pathlib.Path` of a file of weights; downloads `imagenet`.

  Raises:
    InvalidInputError: if the file is not there, or cannot be downloaded.
  """
  path = _download() if source == options.IMAGENET else pathlib.Path(source)
  if not path.is_file():
    raise errors.InvalidInputError(
      f"Argument `pretrained_weights` must be a file or imagenet. Received: "
      f"{source}"
    )
  return path


def load(model, source, moments):
  """Gives each network of a model the weights of a file.

  Where the file has no last layer, or one for another number of classes, the
  model keeps its own.

  Args:
    model: a `Classifier`, its networks of `networks.create`.
    source: str, see `options.check_pretrained`.
    moments: pair of float [channels]: the mean and the standard deviation by
      which the networks' inputs are normalised, see `ImageDataset.moments`.

  Returns:
    str, the SHA-256 of the file.

  Raises:
    InvalidInputError: if the file cannot be found, downloaded or read, or does
      not fit.
  """
  network = model.networks[0]
  options.check_pretrained(source, network.name)
  path = find(source)
  content = _read(path, network)
  is_whole = _fits(path, network, content)
  num_layers = len(_layers(network)) - (not is_whole)
  chosen = content[:num_layers]
  if network.name == options.IMAGENET_NETWORK and _is_of_applications(content):
    chosen = _fold_scaling(chosen, *moments)
  for each in model.networks:
    for layer, (_, arrays) in zip(_layers(each), chosen, strict=False):
      _assign(model.distribute_strategy, layer, arrays)
  _tell(path, model, is_whole)
  return hashlib.sha256(path.read_bytes()).hexdigest()


def _layers(network):
  """Returns a network's layers that have weights; the last gives the logits."""
  return [layer for layer in network.layers if layer.weights]


def _assign(strategy, layer, arrays):
  for variable, array in zip(layer.weights, arrays, strict=True):
    for copy in distribution.local_components(strategy, variable):
      copy.assign(array)


def _tell(path, model, is_whole):
  if not is_whole:
    _logger.info(
      "Starts from %s, but for the last layer, which starts anew: the file has "
      "none of %d classes",
      path,
      model.networks[0].output.shape[-1],
    )
    return
  _logger.info("Starts from %s, the last layer included", path)
  if len(model.networks) > 1:
    _logger.warning(
      "The networks start alike, and stay alike unless the method trains each "
      "of them differently"
    )


def _download():
  """Returns the path of the ImageNet weights; downloads them if need be."""
  try:
    path = keras.utils.get_file(
      _IMAGENET_FILE,
      _IMAGENET_URL,
      cache_subdir="models",
      file_hash=_IMAGENET_MD5,
    )
  except Exception as error:  # Keras raises no narrower one.
    raise errors.InvalidInputError(
      f"Weights {_IMAGENET_URL} cannot be downloaded: {_first_line(error)}"
    ) from error
  return pathlib.Path(path)


def _read(path, network):
  """Returns list of `_Layer`, in the order of the network's layers."""
  try:
    if path.suffix == ".npz":
      return _read_torchvision(path, network)
    return _read_keras(path, network)
  except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
    raise errors.InvalidInputError(
      f"Weights {path} cannot be read: {_first_line(error)}"
    ) from error


def _first_line(error):
  return (str(error).strip().splitlines() or [repr(error)])[0]


def _read_torchvision(path, network):
  """Reads a .npz with an array for each name of torchvision's.

  Arrays that belong to no layer of the network come last.
  """
  if not zipfile.is_zipfile(path):
    raise ValueError("it is no .npz file")
  with np.load(path) as archive:
    arrays = {
      name: _to_keras_layout(archive[name])
      for name in archive.files
      if not name.endswith(".num_batches_tracked")
    }
  content = []
  for layer in _layers(network):
    name = "fc" if layer.name == "logits" else layer.name.replace("_", ".")
    parts = ("weight", "bias", "running_mean", "running_var")
    names = [f"{name}.{part}" for part in parts[: len(layer.weights)]]
    found = [arrays.pop(name) for name in names if name in arrays]
    content.append(_Layer(name, found))
  return content + [_Layer(name, [array]) for name, array in arrays.items()]


def _to_keras_layout(array):
  """Returns an array of PyTorch's in Keras' order of axes.

  PyTorch's kernels are [outputs, inputs, height, width] or [outputs, inputs].
  """
  if array.ndim == 4:
    array = array.transpose(2, 3, 1, 0)
  elif array.ndim == 2:
    array = array.T
  return array.astype(np.float32)


def _read_keras(path, network):
  """Reads a .h5 of Keras, in which each layer's weights are a group.

  How the groups are found depends on the version of Keras that wrote the file.
  """
  with h5py.File(path, "r") as file:
    if "layers" in file:
      groups = _find_by_class(file["layers"], network)
    else:
      groups = _find_in_order(file.get("model_weights", file))
    return [
      _Layer(name, [np.asarray(group[key], np.float32) for key in keys])
      for name, group, keys in groups
    ]


def _find_by_class(groups, network):
  """Yields name, group and keys of each layer in a .weights.h5 file.

  There, a layer's name is its class and its number among those of that class.
  """
  found = {
    name: group["vars"]
    for name, group in groups.items()
    if len(group.get("vars", ()))
  }
  counts = collections.Counter()
  names = []
  for layer in network.layers:
    kind = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "_", type(layer).__name__)
    name = kind.lower() + (f"_{counts[kind]}" if counts[kind] else "")
    counts[kind] += 1
    if layer.weights:
      names.append(name)
  for name in [*names, *sorted(set(found) - set(names))]:
    if name in found:
      group = found[name]
      # Keras 3 keeps the name that the layer has in its model.
      own_name = group.attrs.get("name", name)
      yield own_name, group, [str(number) for number in range(len(group))]
    else:
      yield name, {}, []


def _find_in_order(groups):
  """Yields name, group and keys of each layer in an older .h5 file.

  There, layers have any names, and stand in the order of their network.
  """
  if "layer_names" not in groups.attrs:
    raise ValueError("there are no layers of Keras in it")
  for name in groups.attrs["layer_names"]:
    keys = groups[name].attrs["weight_names"]
    if len(keys):
      text = name.decode() if isinstance(name, bytes) else name
      yield text, groups[name], keys


def _fits(path, network, content):
  """Returns whether the last layer fits, too.

  Raises:
    InvalidInputError: if another layer does not fit.
  """
  layers = [_Layer(layer.name, layer.weights) for layer in _layers(network)]
  is_whole = True
  pairs = itertools.zip_longest(layers, content, fillvalue=_Layer("", []))
  for ours, theirs in pairs:
    if ours.shapes == theirs.shapes:
      continue
    is_whole = False
    if ours is not layers[-1] or not _differs_in_classes(ours, theirs):
      raise errors.InvalidInputError(
        f"Weights {path} do not fit {network.name}: where it has {ours}, the "
        f"file has {theirs}"
      )
  return is_whole


def _differs_in_classes(ours, theirs):
  inputs = [[shape[:-1] for shape in layer.shapes] for layer in (ours, theirs)]
  return not theirs.arrays or inputs[0] == inputs[1]


def _is_of_applications(content):
  """Returns whether a file of Inception-ResNet-v2 is of keras.applications.

  Such a file has their head, or none.
  """
  return content[-1].name in ("conv_7b_bn", "predictions") or (
    not content[-1].arrays
  )


def _fold_scaling(content, mean, std):
  """Turns weights for pixels in [-1, 1] into weights for normalised pixels.

  keras.applications scales a pixel p to 2 p - 1. Here the networks get
  z = (p - mean) / std, so 2 p - 1 = 2 std z + (2 mean - 1). The factor 2 std
  goes into the first kernel. The constant adds the same to each output channel,
  and is subtracted from the moving mean of the batch norm that follows. This is
  exact, as that convolution pads nothing.
  """
  (name, [kernel]), (bn_name, [beta, moving_mean, variance]) = content[:2]
  mean, std = (np.asarray(value, np.float32) for value in (mean, std))
  shift = np.einsum("hwio,i->o", kernel, 2 * mean - 1)
  kernel = kernel * (2 * std)[:, np.newaxis]
  return [
    _Layer(name, [kernel]),
    _Layer(bn_name, [beta, moving_mean - shift, variance]),
    *content[2:],
  ]
