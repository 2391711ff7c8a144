"""Clients and servers that misbehave, over real sockets."""

import concurrent.futures
import contextlib
from http import server as http_server
import json
import os
import pathlib
import socket
import sys
import tempfile
import threading
import time
from unittest import mock

from absl.testing import absltest, parameterized
import grpc
import tensorflow as tf
from tensorflow_serving.apis import (
  get_model_metadata_pb2,
  predict_pb2,
  prediction_service_pb2_grpc,
)

from nct_tf import errors
from nct_tf.serving.clients import grpc_client, refusals, rest_client
from tests.support import pictures, processes

_OUTPUTS = {"class_name": ["cat"], "class_id": [0], "score": [0.5]}


def metadata(*signatures):
  """Returns what a server says of a model that has these signatures."""
  definitions = {"signature_def": {name: {} for name in signatures}}
  return {"metadata": {"signature_def": definitions}}


_METADATA = metadata("serving_bytes")


@contextlib.contextmanager
def http(answers):
  """Serves a list of answers, one a request, then hangs up.

  Args:
    answers: list of pairs: status, 0 for none at all; dict for JSON, or str.

  Yields:
    a pair: the URL; a list to which the requests are added.
  """
  requests = []

  class Handler(http_server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
      size = int(self.headers.get("Content-Length", 0))
      requests.append((self.path, self.rfile.read(size)))
      if len(requests) > len(answers) or not answers[len(requests) - 1][0]:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)
        return
      status, content = answers[len(requests) - 1]
      text = content if isinstance(content, str) else json.dumps(content)
      self.send_response(status)
      self.send_header("Content-Length", str(len(text)))
      self.end_headers()
      self.wfile.write(text.encode())

    do_GET = do_POST = answer  # noqa: N815

    def log_message(self, *_):
      pass

  server = http_server.ThreadingHTTPServer(("localhost", 0), Handler)
  # It looks that often whether it is to end.
  thread = threading.Thread(target=server.serve_forever, args=(0.01,))
  thread.start()
  try:
    yield f"http://localhost:{server.server_port}", requests
  finally:
    server.shutdown()
    thread.join()
    server.server_close()


@contextlib.contextmanager
def silent_port():
  """A port that takes connections and never answers."""
  with socket.socket() as listener:
    listener.bind(("localhost", 0))
    listener.listen()
    yield listener.getsockname()[1]


def closed_port():
  with socket.socket() as one:
    one.bind(("localhost", 0))
    return one.getsockname()[1]


def rest(url, timeout_seconds=5.0, num_retries=2):
  return rest_client.RestClient(url, "cats", None, timeout_seconds, num_retries)


def over_grpc(address, timeout_seconds=5.0, num_retries=2):
  return grpc_client.GrpcClient(
    address, "cats", None, timeout_seconds, num_retries
  )


class RestTest(parameterized.TestCase):
  def test_nobody_listens(self):
    with self.assertRaisesRegex(
      errors.ServerError, "^No server answers at .*Connection refused$"
    ):
      rest(f"http://localhost:{closed_port()}")

  def test_silence(self):
    with silent_port() as port:
      begin = time.monotonic()
      with self.assertRaisesRegex(errors.ServerError, "within 0.3 seconds"):
        rest(f"http://localhost:{port}", timeout_seconds=0.3)
      self.assertLess(time.monotonic() - begin, 3)

  def test_too_much_to_do_for_a_while(self):
    busy = (503, {"error": "queue is full"})
    answers = [busy, (200, _METADATA), busy, busy, (200, {"outputs": _OUTPUTS})]
    with http(answers) as (url, requests):
      self.assertEqual(rest(url).predict([b"x"]), _OUTPUTS)
    self.assertLen(requests, 5)
    self.assertEqual(requests[2], requests[4])

  def test_hangs_up_once(self):
    answers = [(0, ""), (200, _METADATA), (0, ""), (200, {"outputs": _OUTPUTS})]
    with http(answers) as (url, requests):
      self.assertEqual(rest(url).predict([b"x"]), _OUTPUTS)
    self.assertLen(requests, 4)

  def test_names_are_quoted(self):
    with http([(200, _METADATA)]) as (url, requests):
      rest_client.RestClient(url, "a/b #1?", "c d", 5.0, 0)
    self.assertEqual(
      requests[0][0], "/v1/models/a%2Fb%20%231%3F/labels/c%20d/metadata"
    )

  def test_too_much_to_do_for_good(self):
    with http([(503, {"error": "queue is full"})] * 9) as (url, requests):
      with self.assertRaisesRegex(errors.ServerError, "queue is full"):
        rest(url)
      self.assertLen(requests, 3)

  @parameterized.parameters(
    (404, {"error": "Servable not found"}, "is not served: Servable not found"),
    (404, "<html>", "is not served: 404 Not Found"),
    (200, "<html>", "does not answer as TF Serving does"),
    (200, {"metadata": 7}, "does not answer as TF Serving does"),
  )
  def test_something_else_answers(self, status, content, message):
    url, _ = self.enter_context(http([(status, content)]))
    with self.assertRaisesRegex(errors.ServerError, message):
      rest(url)

  def test_another_signature(self):
    signatures = {"serving_default": {}, "classify": {}}
    content = {"metadata": {"signature_def": {"signature_def": signatures}}}
    with (
      http([(200, content)]) as (url, _),
      self.assertRaisesRegex(
        errors.ServerError, "no signature serving_bytes, but classify, serving"
      ),
    ):
      rest(url)

  @parameterized.parameters(
    (400, {"error": "bad"}, refusals.RefusedError, "^bad$"),
    (500, {"error": "out of memory"}, errors.ServerError, "500: out of memory"),
    (200, "<html>", errors.ServerError, "does not answer as TF Serving does"),
    (200, {"outputs": 1}, errors.ServerError, "does not answer as TF Serving"),
  )
  def test_no_answer(self, status, content, error, message):
    with http([(200, _METADATA), (status, content)]) as (url, _):
      client = rest(url)
      with self.assertRaisesRegex(error, message):
        client.predict([b"x"])

  @parameterized.parameters("localhost:8501", "ftp://localhost")
  def test_no_url(self, url):
    with self.assertRaisesRegex(errors.InvalidInputError, "http://"):
      rest(url)

  def test_a_url_without_a_host(self):
    with self.assertRaisesRegex(errors.ServerError, "cannot be asked"):
      rest("http://")


class GrpcTest(parameterized.TestCase):
  @contextlib.contextmanager
  def serve(self, codes):
    """Serves a model; each request to Predict first fails with a code."""
    codes = list(codes)

    class Servicer(prediction_service_pb2_grpc.PredictionServiceServicer):
      def GetModelMetadata(self, request, context):  # noqa: N802
        signatures = get_model_metadata_pb2.SignatureDefMap()
        signatures.signature_def["serving_bytes"].SetInParent()
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.metadata["signature_def"].Pack(signatures)
        return response

      def Predict(self, request, context):  # noqa: N802
        if codes:
          context.abort(codes.pop(0), "that is why")
        response = predict_pb2.PredictResponse()
        for name, value in _OUTPUTS.items():
          response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        return response

    pool = concurrent.futures.ThreadPoolExecutor(2)
    server = grpc.server(pool)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
      Servicer(), server
    )
    port = server.add_insecure_port("localhost:0")
    server.start()
    yield f"localhost:{port}"
    server.stop(None).wait()
    pool.shutdown()

  def test_nobody_listens(self):
    with self.assertRaisesRegex(errors.ServerError, "no server answers"):
      over_grpc(f"localhost:{closed_port()}")

  def test_silence(self):
    with silent_port() as port:
      begin = time.monotonic()
      with self.assertRaisesRegex(
        errors.ServerError, "within 0.3 seconds|no server answers"
      ):
        over_grpc(f"localhost:{port}", timeout_seconds=0.3)
      self.assertLess(time.monotonic() - begin, 3)

  def test_too_much_to_do_for_a_while(self):
    codes = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED]
    with self.serve(codes) as address:
      answer = over_grpc(address).predict([bytes(2**20)])
    self.assertEqual(answer["class_name"], [b"cat"])

  @parameterized.parameters(
    ("INVALID_ARGUMENT", refusals.RefusedError, "^that is why$"),
    ("NOT_FOUND", errors.ServerError, "cats is not served there: that is why"),
    ("UNAVAILABLE", errors.ServerError, "no server answers: that is why"),
    ("INTERNAL", errors.ServerError, "that is why"),
  )
  def test_no_answer(self, code, error, message):
    with self.serve([grpc.StatusCode[code]] * 3) as address:
      client = over_grpc(address)
      with self.assertRaisesRegex(error, message):
        client.predict([b"x"])

  def test_without_tensorflow_serving_api(self):
    with (
      mock.patch.dict(sys.modules, {"tensorflow_serving": None}),
      self.assertRaisesRegex(errors.InvalidInputError, "pip install"),
    ):
      over_grpc("localhost:1")


class ScriptTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(
      self.enter_context(tempfile.TemporaryDirectory())
    )

  def predict(self, url, *images):
    """Returns the process, and the rows that it printed."""
    process = processes.run_python(
      "-m",
      "scripts.predict",
      *(f"--images={image}" for image in images),
      f"--rest_url={url}",
      "--model_name=cats",
      "--num_retries=0",
      "--format=jsonl",
      env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    rows = [json.loads(line) for line in process.stdout.splitlines()]
    return process, rows

  def test_a_server_that_dies_leaves_what_it_answered(self):
    for number in range(70):
      (self.folder / f"{number:02}.png").write_bytes(pictures.png(2, 2))
    many = {name: value * 64 for name, value in _OUTPUTS.items()}
    answers = [(200, _METADATA), (200, {"outputs": many})]
    with http(answers) as (url, _):
      process, rows = self.predict(url, self.folder)
    self.assertEqual(process.returncode, 2)
    self.assertEqual(
      [row["path"] for row in rows],
      [str(self.folder / f"{number:02}.png") for number in range(64)],
    )
    self.assertIsNone(rows[0]["disagreement"])
    self.assertLen(process.stderr.splitlines(), 1)
    self.assertRegex(process.stderr, "^predict: No server answers at http")

  def test_a_full_disk_ends_it_in_one_line(self):
    image = self.folder / "x.png"
    image.write_bytes(pictures.png(2, 2))
    answers = [(200, _METADATA), (200, {"outputs": _OUTPUTS})]
    with http(answers) as (url, _), open("/dev/full", "w") as full:
      process = processes.run_python(
        "-m",
        "scripts.predict",
        f"--images={image}",
        f"--rest_url={url}",
        "--model_name=cats",
        "--format=csv",
        stdout=full,
      )
    self.assertEqual(process.returncode, 2)
    self.assertRegex(
      process.stderr, "^predict: cannot write any further: No space left.*\n$"
    )

  def test_each_file_is_answered_or_named_and_nothing_else_is_said(self):
    # Pillow warns of the first two.
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x09"
    contents = {
      "in/1.jpg": pictures.encode(pictures.smooth(9, 9), "JPEG", exif=exif),
      "in/2.png": pictures.decodable_kinds()["palette_4_alpha.png"],
      "in/3.png": b"text",
      "in/notes.txt": b"text",
      "in/.hidden.png": pictures.png(2, 2),
      "elsewhere/a,b": pictures.png(2, 2),
    }
    for name, content in contents.items():
      path = self.folder / name
      path.parent.mkdir(exist_ok=True)
      path.write_bytes(content)
    many = {name: value * 3 for name, value in _OUTPUTS.items()}
    answers = [(200, _METADATA), (200, {"outputs": many})]
    with http(answers) as (url, _):
      process, rows = self.predict(
        url, self.folder / "in", self.folder / "elsewhere/a,b"
      )
    self.assertEqual(
      [(row["path"], row.get("error")) for row in rows],
      [
        (f"{self.folder}/in/1.jpg", None),
        (f"{self.folder}/in/2.png", None),
        (f"{self.folder}/in/3.png", "cannot identify image file"),
        (f"{self.folder}/elsewhere/a,b", None),
      ],
    )
    self.assertEqual(process.returncode, 2)
    self.assertEqual(
      process.stderr.splitlines(),
      [
        "No pictures (.bmp, .gif, .jpeg, .jpg, .png, .webp), passed over (2): "
        f"{self.folder}/in/.hidden.png, {self.folder}/in/notes.txt",
        "predict: 1 of 4 images could not be classified; the reason stands "
        "with each of them",
      ],
    )

  def test_a_client_over_http_needs_no_tensorflow(self):
    process = processes.run_python(
      "-c",
      "import sys\n"
      "from nct_tf.serving.clients import image_files, image_search\n"
      "from nct_tf.serving.clients import prediction_formats, rest_client\n"
      'print("tensorflow" in sys.modules)',
    )
    self.assertEqual(process.stdout, "False\n", process.stderr)


if __name__ == "__main__":
  absltest.main()
