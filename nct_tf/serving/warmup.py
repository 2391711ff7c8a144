"""Requests that TF Serving plays to a version before clients reach it."""

import pathlib

import numpy as np
import tensorflow as tf

from nct_tf.serving import signatures

# Relative to the folder of the version; a fixed name of TF Serving's.
FILE = pathlib.Path("assets.extra", "tf_serving_warmup_requests")


def create_requests(definitions, images, batch_sizes):
  """Makes a request for each signature and each size of a batch.

  Args:
    definitions: dict from the signature's name to its `SignatureDef`.
    images: uint8 array [num_images, height, width, channels], real ones;
      where a batch is larger, they come again.
    batch_sizes: sequence of int.

  Returns:
    list of triples: the signature's name, that of its only input, and the
    array to feed.
  """
  requests = []
  for name, definition in sorted(definitions.items()):
    (argument,) = definition.inputs
    values = _values(argument, images)
    for size in batch_sizes:
      batch = values[np.arange(size) % len(values)]
      requests.append((name, argument, batch))
  return requests


def _values(argument, images):
  if argument == "images":
    return images
  encoded = [tf.io.encode_png(image).numpy() for image in images]
  if argument == "inputs":
    encoded = [_example(contents) for contents in encoded]
  return np.array(encoded, object)


def _example(contents):
  """Returns a serialized `tf.Example` of an encoded image."""
  feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[contents]))
  return tf.train.Example(
    features=tf.train.Features(feature={signatures.EXAMPLE_FEATURE: feature})
  ).SerializeToString()


def write(path, requests, model_name):
  """Writes the requests as TF Serving reads them. Needs `serving_api`.

  Args:
    path: `pathlib.Path` of the version's folder.
    requests: what `create_requests` returned.
    model_name: str, the name under which the model is served.
  """
  file = path / FILE
  file.parent.mkdir()
  with tf.io.TFRecordWriter(str(file)) as writer:
    for request in requests:
      writer.write(_log(*request, model_name).SerializeToString())


def _log(signature, argument, value, model_name):
  from tensorflow_serving.apis import prediction_log_pb2

  log = prediction_log_pb2.PredictionLog()
  if argument == "inputs":
    request = log.classify_log.request
    request.input.example_list.examples.extend(
      tf.train.Example.FromString(example) for example in value
    )
  else:
    request = log.predict_log.request
    request.inputs[argument].CopyFrom(tf.make_tensor_proto(value))
  request.model_spec.name = model_name
  request.model_spec.signature_name = signature
  return log
