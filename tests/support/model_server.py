"""A stand-in for tensorflow_model_server, for machines that have none.

It takes the same flags and answers from the SavedModels that a models.config
names, through the C API, over gRPC and over HTTP. Each JSON request becomes the
message that TF Serving would make of it, and each answer was such a message.
It holds all versions (as under the policy `all`), looks for new ones at each
request, plays the warm-up requests first, and batches nothing.
"""

import argparse
import base64
from concurrent import futures
from http import server as http_server
import importlib.util
import json
import pathlib
import re
import threading

from google.protobuf import json_format, text_format
import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
  classification_pb2,
  get_model_metadata_pb2,
  get_model_status_pb2,
  model_pb2,
  model_service_pb2_grpc,
  predict_pb2,
  prediction_log_pb2,
  prediction_service_pb2_grpc,
)
from tensorflow_serving.config import model_server_config_pb2

from tests.support import c_api

_HTTP_CODES = {
  grpc.StatusCode.INVALID_ARGUMENT: 400,
  grpc.StatusCode.NOT_FOUND: 404,
}
_STATUS_CODES = {code.value[0]: code for code in grpc.StatusCode}


class RefusalError(Exception):
  """An error answer: a `grpc.StatusCode` and a message."""

  def __init__(self, code, message):
    super().__init__(message)
    self.code = code


class Models:
  """The versions of all models that a configuration names."""

  def __init__(self, config_file):
    package = pathlib.Path(importlib.util.find_spec("tensorflow").origin).parent
    self._library = c_api.Library(package)
    self._config_file = config_file
    self._loaded = {}
    self._lock = threading.Lock()

  def _config(self, name):
    """Returns the entry of a model, as it stands in the file now."""
    config = text_format.Parse(
      self._config_file.read_text(encoding="utf-8"),
      model_server_config_pb2.ModelServerConfig(),
    )
    for entry in config.model_config_list.config:
      if entry.name == name:
        return entry
    raise RefusalError(
      grpc.StatusCode.NOT_FOUND,
      f"Servable not found for request: Latest({name})",
    )

  def find(self, spec):
    """Returns version and model of a ModelSpec."""
    versions = self.versions(spec.name)
    if spec.HasField("version"):
      version = spec.version.value
    elif spec.version_label:
      labels = self._config(spec.name).version_labels
      if spec.version_label not in labels:
        raise RefusalError(
          grpc.StatusCode.INVALID_ARGUMENT,
          f"Unrecognized servable version label: {spec.version_label}",
        )
      version = labels[spec.version_label]
    else:
      version = max(versions, default=0)
    if version not in versions:
      raise RefusalError(
        grpc.StatusCode.NOT_FOUND,
        f"Servable not found for request: Specific({spec.name}, {version})",
      )
    return version, versions[version]

  def versions(self, name):
    """Returns dict from version to model, loading what is new."""
    base = pathlib.Path(self._config(name).base_path)
    versions = {}
    with self._lock:
      for path in base.iterdir():
        if re.fullmatch("[0-9]+", path.name):
          if path not in self._loaded:
            self._loaded[path] = self._load(path)
          versions[int(path.name)] = self._loaded[path]
    return versions

  def _load(self, path):
    model = c_api.SavedModel(self._library, path)
    warmup = path / "assets.extra" / "tf_serving_warmup_requests"
    for record in tf.data.TFRecordDataset(str(warmup)).as_numpy_iterator():
      log = prediction_log_pb2.PredictionLog.FromString(record)
      if log.HasField("classify_log"):
        classify(model, log.classify_log.request)
      else:
        predict(model, log.predict_log.request)
    return model


def find_signature(model, name):
  """Returns a SignatureDef."""
  if name not in model.signatures:
    raise RefusalError(
      grpc.StatusCode.INVALID_ARGUMENT,
      f'Serving signature name: "{name}" not found in signature def',
    )
  return model.signatures[name]


def run(model, signature, inputs):
  """Runs a signature; turns what the C API says into a `RefusalError`."""
  wanted = set(find_signature(model, signature).inputs)
  if set(inputs) != wanted:
    raise RefusalError(
      grpc.StatusCode.INVALID_ARGUMENT,
      f"input must be {sorted(wanted)} and is {sorted(inputs)}",
    )
  try:
    return model.run(signature, inputs)
  except c_api.CError as error:
    raise RefusalError(_STATUS_CODES[error.code], str(error)) from error


def predict(model, request):
  """Answers a PredictRequest by the `outputs` of a PredictResponse."""
  outputs = run(
    model,
    request.model_spec.signature_name or "serving_default",
    {name: tf.make_ndarray(value) for name, value in request.inputs.items()},
  )
  return {name: tf.make_tensor_proto(value) for name, value in outputs.items()}


def classify(model, request):
  """Answers a ClassificationRequest by a ClassificationResult."""
  examples = [
    example.SerializeToString()
    for example in request.input.example_list.examples
  ]
  if not examples:
    raise RefusalError(grpc.StatusCode.INVALID_ARGUMENT, "Input is empty.")
  outputs = run(
    model,
    request.model_spec.signature_name,
    {"inputs": np.array(examples, object)},
  )
  result = classification_pb2.ClassificationResult()
  for labels, scores in zip(outputs["classes"], outputs["scores"], strict=True):
    classes = result.classifications.add().classes
    for label, score in zip(labels, scores, strict=True):
      classes.add(label=label.decode(), score=score)
  return result


class Servicer(
  prediction_service_pb2_grpc.PredictionServiceServicer,
  model_service_pb2_grpc.ModelServiceServicer,
):
  """Both services of TF Serving's that a client needs."""

  def __init__(self, models):
    self._models = models

  def answer(self, method, request):
    """Answers a message by a message; raises `RefusalError`."""
    return getattr(self, f"_{method}")(request)

  def inputs(self, spec):
    """Returns dict from input to TensorInfo of the signature of a ModelSpec."""
    _, model = self._models.find(spec)
    return find_signature(model, spec.signature_name).inputs

  def _predict(self, request):
    version, model = self._models.find(request.model_spec)
    response = predict_pb2.PredictResponse()
    for name, value in predict(model, request).items():
      response.outputs[name].CopyFrom(value)
    response.model_spec.CopyFrom(request.model_spec)
    response.model_spec.version.value = version
    return response

  def _classify(self, request):
    _, model = self._models.find(request.model_spec)
    return classification_pb2.ClassificationResponse(
      result=classify(model, request)
    )

  def _metadata(self, request):
    version, model = self._models.find(request.model_spec)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for name, definition in model.signatures.items():
      # The C API's messages may be other classes of the same name.
      signatures.signature_def[name].ParseFromString(
        definition.SerializeToString()
      )
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name = request.model_spec.name
    response.model_spec.version.value = version
    response.metadata["signature_def"].Pack(signatures)
    return response

  def _status(self, request):
    response = get_model_status_pb2.GetModelStatusResponse()
    for version in sorted(self._models.versions(request.model_spec.name)):
      status = response.model_version_status.add(version=version)
      status.state = get_model_status_pb2.ModelVersionStatus.AVAILABLE
      status.status.SetInParent()
    return response

  def _over_grpc(self, method, request, context):
    try:
      return self.answer(method, request)
    except RefusalError as error:
      return context.abort(error.code, str(error))

  def Predict(self, request, context):  # noqa: N802
    return self._over_grpc("predict", request, context)

  def Classify(self, request, context):  # noqa: N802
    return self._over_grpc("classify", request, context)

  def GetModelMetadata(self, request, context):  # noqa: N802
    return self._over_grpc("metadata", request, context)

  def GetModelStatus(self, request, context):  # noqa: N802
    return self._over_grpc("status", request, context)


class RestHandler(http_server.BaseHTTPRequestHandler):
  """The REST API, as api_rest.md of TF Serving describes it."""

  protocol_version = "HTTP/1.1"
  servicer = None  # Of the server's `Servicer`.

  def do_GET(self):  # noqa: N802
    self._respond(self._get)

  def do_POST(self):  # noqa: N802
    size = int(self.headers["Content-Length"])
    body = self.rfile.read(size)
    self._respond(lambda: self._post(json.loads(body)))

  def log_message(self, *_):
    pass

  def _respond(self, function):
    try:
      code, answer = 200, function()
    except RefusalError as error:
      code, answer = _HTTP_CODES.get(error.code, 500), {"error": str(error)}
    except (ValueError, KeyError, TypeError) as error:
      code, answer = 400, {"error": f"JSON error: {error!r}"}
    body = json.dumps(answer).encode()
    self.send_response(code)
    self.send_header("Content-Type", "application/json")
    self.send_header("Content-Length", str(len(body)))
    self.end_headers()
    self.wfile.write(body)

  def _spec(self):
    """Returns the ModelSpec of the path, and what follows it."""
    match = re.fullmatch(
      r"/v1/models/([^/:]+)(/versions/(\d+)|/labels/([^/:]+))?[/:]?(\w*)",
      self.path,
    )
    if not match:
      raise RefusalError(
        grpc.StatusCode.NOT_FOUND, f"Malformed request: {self.path}"
      )
    spec = model_pb2.ModelSpec(name=match[1], version_label=match[4] or "")
    if match[3]:
      spec.ClearField("version_label")
      spec.version.value = int(match[3])
    return spec, match[5]

  def _get(self):
    spec, what = self._spec()
    if what != "metadata":
      request = get_model_status_pb2.GetModelStatusRequest(model_spec=spec)
      return _to_json(self.servicer.answer("status", request))
    request = get_model_metadata_pb2.GetModelMetadataRequest(
      model_spec=spec, metadata_field=["signature_def"]
    )
    return _to_json(self.servicer.answer("metadata", request))

  def _post(self, body):
    spec, what = self._spec()
    spec.signature_name = body.get("signature_name", "serving_default")
    if what == "classify":
      return self._classify(spec, body)
    request = predict_pb2.PredictRequest(model_spec=spec)
    is_row = "instances" in body
    values = _columns(body, self.servicer.inputs(spec))
    for name, value in values.items():
      request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    response = self.servicer.answer("predict", request)
    outputs = {
      name: _plain(tf.make_ndarray(tensor))
      for name, tensor in response.outputs.items()
    }
    if not is_row:
      return {
        "outputs": outputs if len(outputs) > 1 else next(iter(outputs.values()))
      }
    rows = zip(*outputs.values(), strict=True)
    return {
      "predictions": [dict(zip(outputs, row, strict=True)) for row in rows]
    }

  def _classify(self, spec, body):
    request = classification_pb2.ClassificationRequest(model_spec=spec)
    for values in body["examples"]:
      example = request.input.example_list.examples.add()
      for name, value in values.items():
        feature = example.features.feature[name]
        feature.bytes_list.value.append(_decode_leaf(value))
    response = self.servicer.answer("classify", request)
    return {
      "results": [
        [[entry.label, entry.score] for entry in classes.classes]
        for classes in response.result.classifications
      ]
    }


def _columns(body, inputs):
  """Returns the arrays of a JSON request, by the names of the inputs."""
  values = body.get("instances") or body.get("inputs")
  first = body.get("instances", [None])[0]
  if isinstance(first, dict) and "b64" not in first:
    values = {name: [row[name] for row in values] for name in first}
  if not isinstance(values, dict):
    (name,) = inputs
    values = {name: values}
  return {name: _array(value, inputs[name]) for name, value in values.items()}


def _array(value, tensor):
  if tensor.dtype == tf.string.as_datatype_enum:
    return np.array([_decode_leaf(leaf) for leaf in value], object)
  array = np.array(value)
  dtype = tf.as_dtype(tensor.dtype).as_numpy_dtype
  if array.dtype.kind != np.dtype(dtype).kind.replace("u", "i"):
    raise RefusalError(
      grpc.StatusCode.INVALID_ARGUMENT,
      f"JSON Value: {array.ravel()[:1]} is not of expected type: {dtype}",
    )
  return array.astype(dtype)


def _decode_leaf(value):
  if isinstance(value, dict):
    return base64.b64decode(value["b64"], validate=True)
  return value.encode()


def _plain(array):
  if array.dtype == object:
    return [text.decode() for text in array]
  return array.tolist()


def _to_json(message):
  return json_format.MessageToDict(message, preserving_proto_field_name=True)


def main():
  parser = argparse.ArgumentParser()
  parser.add_argument("--port", type=int)
  parser.add_argument("--rest_api_port", type=int)
  parser.add_argument("--model_config_file")
  arguments, _ = parser.parse_known_args()
  servicer = Servicer(Models(pathlib.Path(arguments.model_config_file)))
  server = grpc.server(futures.ThreadPoolExecutor(4))
  prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
    servicer, server
  )
  model_service_pb2_grpc.add_ModelServiceServicer_to_server(servicer, server)
  server.add_insecure_port(f"localhost:{arguments.port}")
  server.start()
  RestHandler.servicer = servicer
  http_server.ThreadingHTTPServer(
    ("localhost", arguments.rest_api_port), RestHandler
  ).serve_forever()


if __name__ == "__main__":
  main()
