"""Predictions of a TF Serving over gRPC."""

import json

import numpy as np
import tensorflow as tf

from nct_tf import errors
from nct_tf.serving import serving_api
from nct_tf.serving.clients import refusals

_MAX_REQUEST_BYTES = 2**30

_BACKOFF = {
  "initialBackoff": "0.2s",
  "maxBackoff": "5s",
  "backoffMultiplier": 2,
  "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
}


class GrpcClient:
  """Asks the signature `serving_bytes` of a served model.

  Args:
    address: str, `host:port` of the server.
    model_name: str.
    version: int, or str of a label; None for the server's default.
    timeout_seconds: float, how long one answer may take, repetitions included.
    num_retries: int, 0 to 4; how often a request is repeated when the server
      cannot be reached, hangs up or has too much to do.

  Raises:
    ServerError: if no server answers, or if it has no such model.
  """

  def __init__(
    self, address, model_name, version, timeout_seconds, num_retries
  ):
    serving_api.require("--grpc_address")
    import grpc
    from tensorflow_serving.apis import prediction_service_pb2_grpc

    self._address = address
    self._timeout_seconds = timeout_seconds
    self._model_name = model_name
    self._version = version
    options = [
      ("grpc.max_send_message_length", -1),
      ("grpc.max_receive_message_length", -1),
      # What is larger than this is never repeated.
      ("grpc.per_rpc_retry_buffer_size", _MAX_REQUEST_BYTES),
    ]
    if num_retries:
      policy = {**_BACKOFF, "maxAttempts": num_retries + 1}
      options.append(
        (
          "grpc.service_config",
          json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": policy}]}),
        )
      )
    self._channel = grpc.insecure_channel(address, options)
    self._stub = prediction_service_pb2_grpc.PredictionServiceStub(
      self._channel
    )
    self._check_model()

  def _check_model(self):
    from tensorflow_serving.apis import get_model_metadata_pb2

    request = get_model_metadata_pb2.GetModelMetadataRequest(
      metadata_field=["signature_def"]
    )
    self._name_model(request.model_spec)
    try:
      response = self._ask(self._stub.GetModelMetadata, request)
    except refusals.RefusedError as error:  # A label that it does not know.
      raise errors.ServerError(
        f"{self._address}: {self._model_name} is not served there: {error}"
      ) from error
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    if refusals.SIGNATURE not in signatures.signature_def:
      raise errors.ServerError(
        refusals.no_signature(self._address, signatures.signature_def)
      )

  def predict(self, image_bytes):
    """As `LocalClient.predict`; raises `ServerError`, too."""
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    self._name_model(request.model_spec)
    request.model_spec.signature_name = refusals.SIGNATURE
    # An array of objects: one of strings is as wide as the longest of them.
    contents = np.array(image_bytes, object)
    request.inputs["image_bytes"].CopyFrom(
      tf.make_tensor_proto(contents, dtype=tf.string)
    )
    response = self._ask(self._stub.Predict, request)
    return {
      name: tf.make_ndarray(tensor).tolist()
      for name, tensor in response.outputs.items()
    }

  def _name_model(self, spec):
    spec.name = self._model_name
    if isinstance(self._version, int):
      spec.version.value = self._version
    elif self._version:
      spec.version_label = self._version

  def _ask(self, method, request):
    import grpc

    try:
      return method(request, timeout=self._timeout_seconds)
    except grpc.RpcError as error:
      code, details = error.code(), refusals.reason(error.details())
      if code == grpc.StatusCode.INVALID_ARGUMENT:
        raise refusals.RefusedError(details) from error
      if code == grpc.StatusCode.NOT_FOUND:
        details = (
          f"{self._model_name} is not served there: {details} "
          f"{refusals.WHAT_TO_ASK}"
        )
      elif code == grpc.StatusCode.UNAVAILABLE:
        details = f"no server answers: {details}"
      elif code == grpc.StatusCode.DEADLINE_EXCEEDED:
        details = f"no answer within {self._timeout_seconds:g} seconds"
      raise errors.ServerError(f"{self._address}: {details}") from error
