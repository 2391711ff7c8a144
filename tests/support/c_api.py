"""SavedModels through TensorFlow's C API, the loader below TF Serving.

Run as a program, it needs of the installed package the shared libraries and
the generated messages alone; no Python of TensorFlow's is imported:

  python c_api.py PATH_OF_PACKAGE PATH_OF_SAVEDMODEL < requests.json
"""

import base64
import ctypes
import json
import pathlib
import sys
import types

import numpy as np

_DTYPES = {1: np.float32, 3: np.int32, 4: np.uint8, 9: np.int64}
_CODES = {np.dtype(dtype): code for code, dtype in _DTYPES.items()}
_STRING = 7
_STRING_SIZE = 24  # Of a TF_TString.
_POINTER = ctypes.c_void_p


class _Buffer(ctypes.Structure):
  _fields_ = (
    ("data", _POINTER),
    ("length", ctypes.c_size_t),
    ("deallocator", _POINTER),
  )


class _Output(ctypes.Structure):
  _fields_ = (("operation", _POINTER), ("index", ctypes.c_int))


class CError(Exception):
  """A status that is not OK: `code`, as of gRPC, and the message."""

  def __init__(self, code, message):
    super().__init__(message)
    self.code = code


class Library:
  """The functions of the shared libraries of an installed TensorFlow."""

  def __init__(self, package):
    self._libraries = [
      ctypes.CDLL(str(pathlib.Path(package, name)), ctypes.RTLD_GLOBAL)
      for name in ("libtensorflow_framework.so.2", "libtensorflow_cc.so.2")
    ]

  def call(self, name, *arguments, returns=_POINTER):
    """Calls a C function; arguments that are Python ints are 64 bits wide."""
    function = next(
      getattr(library, name)
      for library in self._libraries
      if hasattr(library, name)
    )
    function.restype = returns
    return function(
      *(
        ctypes.c_int64(value) if isinstance(value, int) else value
        for value in arguments
      )
    )

  def check(self, status):
    """Raises `CError` if a status is not OK; frees it."""
    code = self.call("TF_GetCode", status, returns=ctypes.c_int)
    message = self.call("TF_Message", status, returns=ctypes.c_char_p)
    self.call("TF_DeleteStatus", status, returns=None)
    if code:
      raise CError(code, message.decode(errors="replace"))

  def new(self, name, *arguments):
    """As `call`, of a function that returns a pointer."""
    return _POINTER(self.call(name, *arguments))


class SavedModel:
  """A SavedModel in a session of the C API."""

  def __init__(self, library, path):
    self._library = library
    self._graph = library.new("TF_NewGraph")
    tags = (ctypes.c_char_p * 1)(b"serve")
    definition = _Buffer()
    status = library.new("TF_NewStatus")
    self._session = library.new(
      "TF_LoadSessionFromSavedModel",
      library.new("TF_NewSessionOptions"),
      None,
      str(path).encode(),
      tags,
      1,
      self._graph,
      ctypes.byref(definition),
      status,
    )
    library.check(status)
    from tensorflow.core.protobuf import meta_graph_pb2

    self.meta_graph = meta_graph_pb2.MetaGraphDef.FromString(
      ctypes.string_at(definition.data, definition.length)
    )
    self.signatures = {
      name: signature
      for name, signature in self.meta_graph.signature_def.items()
      if signature.inputs
    }

  def run(self, signature, inputs):
    """Feeds the tensors that a signature names; returns dict of arrays."""
    library, definition = self._library, self.signatures[signature]
    tensors = [_to_tensor(library, value) for value in inputs.values()]
    names = list(definition.outputs)
    results = (_POINTER * len(names))()
    status = library.new("TF_NewStatus")
    library.call(
      "TF_SessionRun",
      self._session,
      None,
      self._outputs(definition.inputs[name].name for name in inputs),
      (_POINTER * len(tensors))(*(tensor.value for tensor in tensors)),
      len(tensors),
      self._outputs(definition.outputs[name].name for name in names),
      results,
      len(names),
      None,
      0,
      None,
      status,
      returns=None,
    )
    for tensor in tensors:
      library.call("TF_DeleteTensor", tensor, returns=None)
    library.check(status)
    return {
      name: _to_array(library, _POINTER(result))
      for name, result in zip(names, results, strict=True)
    }

  def _outputs(self, tensor_names):
    outputs = []
    for tensor_name in tensor_names:
      operation, _, index = tensor_name.partition(":")
      pointer = self._library.call(
        "TF_GraphOperationByName", self._graph, operation.encode()
      )
      outputs.append(_Output(pointer, int(index)))
    return (_Output * len(outputs))(*outputs)


def _to_tensor(library, value):
  is_string = value.dtype == object
  num_bytes = value.size * _STRING_SIZE if is_string else value.nbytes
  tensor = library.new(
    "TF_AllocateTensor",
    _STRING if is_string else _CODES[value.dtype],
    (ctypes.c_int64 * value.ndim)(*value.shape),
    value.ndim,
    num_bytes,
  )
  data = library.call("TF_TensorData", tensor)
  if is_string:
    for index, text in enumerate(value.ravel()):
      string = _POINTER(data + index * _STRING_SIZE)
      library.call("TF_StringInit", string, returns=None)
      library.call("TF_StringCopy", string, text, len(text), returns=None)
  elif num_bytes:
    ctypes.memmove(data, np.ascontiguousarray(value).ctypes.data, num_bytes)
  return tensor


def _to_array(library, tensor):
  code = library.call("TF_TensorType", tensor, returns=ctypes.c_int)
  rank = library.call("TF_NumDims", tensor, returns=ctypes.c_int)
  shape = [
    library.call("TF_Dim", tensor, axis, returns=ctypes.c_int64)
    for axis in range(rank)
  ]
  data = library.call("TF_TensorData", tensor)
  if code == _STRING:
    strings = [
      _POINTER(data + index * _STRING_SIZE)
      for index in range(int(np.prod(shape)))
    ]
    array = np.array([_text(library, string) for string in strings], object)
  else:
    size = library.call("TF_TensorByteSize", tensor, returns=ctypes.c_size_t)
    array = np.frombuffer(ctypes.string_at(data, size), _DTYPES[code])
  library.call("TF_DeleteTensor", tensor, returns=None)
  return array.reshape(shape)


def _text(library, string):
  return ctypes.string_at(
    library.call("TF_StringGetDataPointer", string),
    library.call("TF_StringGetSize", string, returns=ctypes.c_size_t),
  )


def encode(array):
  """Returns an array as what JSON can hold."""
  if array.dtype == object:
    data = [base64.b64encode(text).decode() for text in array.ravel()]
  else:
    data = base64.b64encode(array.tobytes()).decode()
  return {"dtype": str(array.dtype), "shape": array.shape, "data": data}


def decode(value):
  """The reverse of `encode`."""
  if value["dtype"] == "object":
    array = np.array([base64.b64decode(text) for text in value["data"]], object)
  else:
    array = np.frombuffer(base64.b64decode(value["data"]), value["dtype"])
  return array.reshape(value["shape"])


def _main(package, path):
  # The messages stand in the package, whose own __init__ is not run.
  sys.modules["tensorflow"] = types.ModuleType("tensorflow")
  sys.modules["tensorflow"].__path__ = [package]
  model = SavedModel(Library(package), path)
  answers = []
  for signature, inputs in json.load(sys.stdin):
    arrays = {name: decode(value) for name, value in inputs.items()}
    try:
      outputs = model.run(signature, arrays)
      answers.append(
        {"outputs": {name: encode(array) for name, array in outputs.items()}}
      )
    except CError as error:
      answers.append({"code": error.code, "message": str(error)})
  answer = {"signatures": sorted(model.signatures), "answers": answers}
  json.dump({**answer, "modules": sorted(sys.modules)}, sys.stdout)


if __name__ == "__main__":
  _main(*sys.argv[1:])
