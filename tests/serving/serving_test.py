"""Exports as clients meet them: through servers, and through the C API.

The suite of `ServerTestCase` runs against the stand-in of `model_server`; and
against a real server, where TENSORFLOW_MODEL_SERVER names its binary.
"""

import base64
import concurrent.futures
import contextlib
import csv
import io
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from absl.testing import absltest, parameterized
import numpy as np
import requests

from nct_tf import errors
from nct_tf.serving import exporting
from nct_tf.serving.clients import (
  grpc_client,
  image_files,
  local_client,
  refusals,
  rest_client,
)
from tests.support import long_tests, pictures, processes, tiny_run

_ROOT = pathlib.Path(__file__).absolute().parents[2]
_BINARY = os.environ.get("TENSORFLOW_MODEL_SERVER")
_START_SECONDS = 60
_POLL_SECONDS = 0.1


def free_ports(number):
  """Returns ports that nobody listens at."""
  with contextlib.ExitStack() as stack:
    sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
    for one in sockets:
      one.bind(("localhost", 0))
    return [one.getsockname()[1] for one in sockets]


class ModelServer:
  """A server process on free ports."""

  def __init__(self, command, export_dir):
    self.grpc_port, self.rest_port = free_ports(2)
    self.grpc_address = f"localhost:{self.grpc_port}"
    self.rest_url = f"http://localhost:{self.rest_port}"
    self.name = export_dir.name
    self.process = subprocess.Popen(
      [
        *command,
        f"--port={self.grpc_port}",
        f"--rest_api_port={self.rest_port}",
        f"--model_config_file={export_dir / 'models.config'}",
        "--model_config_file_poll_wait_seconds=1",
        "--allow_version_labels_for_unavailable_models=true",
        "--enable_batching=true",
        f"--batching_parameters_file={export_dir / 'batching_parameters.txt'}",
        f"--monitoring_config_file={export_dir / 'monitoring.config'}",
      ],
      cwd=_ROOT,
      stderr=subprocess.DEVNULL,
    )
    self._wait()

  def _wait(self):
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
      with contextlib.suppress(requests.ConnectionError):
        if "AVAILABLE" in self.version_states().values():
          return
      # It needs the processor itself until it is asked again.
      with contextlib.suppress(subprocess.TimeoutExpired):
        self.process.wait(_POLL_SECONDS)
        raise RuntimeError("The server has ended")
    raise RuntimeError("The server has not started in time")

  def version_states(self):
    """Returns dict from version to state."""
    answer = requests.get(f"{self.rest_url}/v1/models/{self.name}", timeout=30)
    states = answer.json().get("model_version_status", [])
    return {int(state["version"]): state["state"] for state in states}

  def stop(self):
    self.process.kill()
    self.process.wait()


class ServerTestCase(parameterized.TestCase):
  """What holds of every server. Subclasses name the command."""

  __test__ = False
  COMMAND = None

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    if cls.COMMAND is None:
      raise unittest.SkipTest(cls.__doc__)
    folder = pathlib.Path(tempfile.mkdtemp())
    cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
    cls.export_dir = folder / "exports" / "digits"
    cls.run_dir = tiny_run.shared()
    exporting.export_run(cls.run_dir, cls.export_dir, members=True)
    cls.local = local_client.LocalClient(cls.export_dir)
    cls.server = ModelServer(cls.COMMAND, cls.export_dir)
    cls.addClassCleanup(cls.server.stop)
    cls.images = folder / "images"
    cls.images.mkdir()
    for index in range(40):
      contents = pictures.png(5 + index, 60 - index, 3, seed=index)
      (cls.images / f"{index:02}.png").write_bytes(contents)

  def client(self, kind, **changes):
    options = {
      "model_name": "digits",
      "version": None,
      "timeout_seconds": 30.0,
      "num_retries": 1,
      **changes,
    }
    if kind == "rest":
      return rest_client.RestClient(self.server.rest_url, **options)
    return grpc_client.GrpcClient(self.server.grpc_address, **options)

  def assert_same_answer(self, answer, expected):
    self.assertEqual(set(answer), set(expected))
    for name, values in expected.items():
      if name == "class_name":
        values = [text.decode() for text in values]
        self.assertEqual(
          [
            text.decode() if isinstance(text, bytes) else text
            for text in answer[name]
          ],
          values,
        )
      else:
        np.testing.assert_allclose(answer[name], values, atol=1e-5)

  @parameterized.parameters("rest", "grpc")
  def test_answers_as_the_model_does_here(self, kind):
    encoded = [pictures.png(8, 8, 3), pictures.png(200, 30, 3, seed=1)]
    for batch in (encoded[:1], encoded):
      self.assert_same_answer(
        self.client(kind).predict(batch), self.local.predict(batch)
      )

  @parameterized.product(kind=("rest", "grpc"), version=(1, "stable", "canary"))
  def test_a_version_by_number_and_by_label(self, kind, version):
    answer = self.client(kind, version=version).predict([pictures.png(8, 8, 3)])
    self.assert_same_answer(answer, self.local.predict([pictures.png(8, 8, 3)]))

  @parameterized.product(
    kind=("rest", "grpc"),
    changes=(
      ({"model_name": "cats"}, "cats"),
      ({"version": 77}, "77"),
      ({"version": "beta"}, "beta"),
    ),
  )
  def test_a_model_that_is_not_there(self, kind, changes):
    options, named = changes
    with self.assertRaisesRegex(
      (errors.ServerError, refusals.RefusedError),
      f"(is not served|is not served there|label): .*{named}",
    ):
      self.client(kind, **options)

  @parameterized.product(
    kind=("rest", "grpc"),
    bad=(
      (b"hello", "neither a JPEG nor a PNG"),
      (b"", "neither a JPEG nor a PNG"),
      (pictures.png(30, 30, 3)[:300], "Invalid PNG"),
    ),
  )
  def test_a_bad_image_is_refused_and_the_next_is_not(self, kind, bad):
    contents, message = bad
    client = self.client(kind)
    with self.assertRaisesRegex(refusals.RefusedError, message):
      client.predict([pictures.png(8, 8, 3), contents])
    self.assertLen(client.predict([pictures.png(8, 8, 3)])["score"], 1)

  @parameterized.parameters("rest", "grpc")
  def test_an_empty_batch_is_refused(self, kind):
    with self.assertRaisesRegex(refusals.RefusedError, "at least one|mpty"):
      self.client(kind).predict([])

  def post(self, what, body):
    return requests.post(
      f"{self.server.rest_url}/v1/models/digits:{what}", json=body, timeout=30
    )

  def test_rows_and_columns_of_pixels(self):
    images = np.random.default_rng(0).integers(256, size=(3, 8, 8, 1)).tolist()
    columns = self.post("predict", {"inputs": images}).json()["outputs"]
    rows = self.post("predict", {"instances": images}).json()["predictions"]
    self.assertLen(rows, 3)
    for index, row in enumerate(rows):
      for name in columns:
        np.testing.assert_equal(row[name], columns[name][index])

  @parameterized.named_parameters(
    ("shape", [[[[1]]]], "shape"),
    ("floats", np.full((1, 8, 8, 1), 0.5).tolist(), ""),
    ("empty", [], ""),
  )
  def test_bad_pixels(self, images, message):
    answer = self.post("predict", {"inputs": images})
    self.assertEqual(answer.status_code, 400)
    self.assertIn(message, answer.json()["error"])

  def test_classify(self):
    encoded = (self.images / "07.png").read_bytes()
    expected = self.local.predict([encoded])
    example = {"image/encoded": {"b64": encode_base64(encoded)}}
    body = {"signature_name": "classify", "examples": [example, example]}
    results = self.post("classify", body).json()["results"]
    self.assertLen(results, 2)
    self.assertLen(results[0], 5)
    label, score = results[1][0]
    self.assertEqual(label, expected["class_name"][0].decode())
    self.assertAlmostEqual(score, expected["score"][0], places=5)
    self.assertEqual(
      [entry[1] for entry in results[0]],
      sorted((entry[1] for entry in results[0]), reverse=True),
    )

  def test_classify_without_the_feature(self):
    body = {
      "signature_name": "classify",
      "examples": [{"image": {"b64": "aGVsbG8="}}],
    }
    answer = self.post("classify", body)
    self.assertEqual(answer.status_code, 400)
    self.assertIn("image/encoded", answer.json()["error"])

  def predict_by_script(self, *arguments):
    return processes.run_python("-m", "scripts.predict", *arguments)

  def sources(self):
    return (
      (f"--export_dir={self.export_dir}",),
      (f"--rest_url={self.server.rest_url}", "--model_name=digits"),
      (f"--grpc_address={self.server.grpc_address}", "--model_name=digits"),
    )

  def test_the_script_answers_alike_from_everywhere(self):
    sources = self.sources() if long_tests.IS_ON else self.sources()[1:]
    with concurrent.futures.ThreadPoolExecutor(len(sources)) as pool:
      processes = list(
        pool.map(
          lambda source: self.predict_by_script(
            f"--images={self.images}", "--format=csv", *source
          ),
          sources,
        )
      )
    # What it would print that asks the model here, in this process.
    paths = sorted(map(str, self.images.iterdir()))
    tables = [list(image_files.classify(self.local, paths))]
    for process in processes:
      self.assertEqual(process.returncode, 0, process.stderr)
      self.assertEqual(process.stderr, "")
      tables.append(list(csv.DictReader(io.StringIO(process.stdout))))
    self.assertLen(tables[0], 40)
    self.assertEqual(tables[0][3]["path"], str(self.images / "03.png"))
    for table in tables[1:]:
      for row, expected in zip(table, tables[0], strict=True):
        self.assertEqual(row["class_name"], expected["class_name"])
        self.assertAlmostEqual(
          float(row["score"]), float(expected["score"]), places=5
        )

  @parameterized.parameters("rest", "grpc")
  def test_files_of_all_kinds(self, kind):
    folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    kinds = {
      **pictures.plain_kinds(),
      **pictures.decodable_kinds(),
      **pictures.other_kinds(),
      "cut.jpg": pictures.jpeg(9, 9)[:-20],
    }
    for name, contents in kinds.items():
      (folder / name).write_bytes(contents)
    paths = sorted(map(str, folder.iterdir()))
    rows = list(image_files.classify(self.client(kind), paths))
    for row, expected in zip(
      rows, image_files.classify(self.local, paths), strict=True
    ):
      self.assertEqual(row.get("error"), expected.get("error"))
      self.assertEqual(row.get("class_name"), expected.get("class_name"))
      if "error" not in row:
        self.assertAlmostEqual(row["score"], expected["score"], places=6)
    (bad,) = [row for row in rows if "error" in row]
    self.assertEqual(bad["path"], str(folder / "cut.jpg"))
    self.assertRegex(bad["error"], "truncated")

  def test_a_new_version_is_served_while_it_runs(self):
    before = self.server.version_states()
    exporting.export_run(self.run_dir, self.export_dir)
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
      states = self.server.version_states()
      if states.get(max(before) + 1) == "AVAILABLE":
        break
    self.assertEqual(states, {**before, max(before) + 1: "AVAILABLE"})
    canary = f"{self.server.rest_url}/v1/models/digits/labels/canary/metadata"
    version = None
    while version != str(max(before) + 1) and time.monotonic() < deadline:
      answer = requests.get(canary, timeout=30).json()
      version = answer.get("model_spec", {}).get("version")
    self.assertEqual(version, str(max(before) + 1))

  def test_the_documented_commands(self):
    text = (_ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```shell\n(.*?)```", text, re.DOTALL)
    commands = [block for block in blocks if "curl" in block]
    self.assertNotEmpty(commands)
    if not shutil.which("curl"):
      self.skipTest("curl is missing")
    for block in commands:
      process = subprocess.run(
        ["bash", "-ec", self.at_this_server(block)],
        capture_output=True,
        text=True,
        check=False,
      )
      self.assertEqual(process.returncode, 0, process.stderr)
      self.assertNotIn('"error":', process.stdout)
      self.assertRegex(process.stdout, r'"(predictions|outputs|results)"')
      self.assertIn('"AVAILABLE"', process.stdout)

  def test_the_documented_grpc_client(self):
    text = (_ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python no-run\n(.*?)```", text, re.DOTALL)
    (code,) = [block for block in blocks if "import grpc" in block]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
      exec(compile(self.at_this_server(code), "serving.md", "exec"), {})
    self.assertRegex(printed.getvalue(), r"^\d 0\.\d+")

  def at_this_server(self, text):
    for port, name in ((8500, "grpc_port"), (8501, "rest_port")):
      text = text.replace(str(port), str(getattr(self.server, name)))
    return text.replace("picture.png", str(self.images / "07.png"))


def encode_base64(contents):
  return base64.b64encode(contents).decode()


class StandInTest(ServerTestCase):
  __test__ = True
  COMMAND = (sys.executable, "-m", "tests.support.model_server")


class TensorFlowModelServerTest(ServerTestCase):
  """TENSORFLOW_MODEL_SERVER names no tensorflow_model_server."""

  __test__ = True
  COMMAND = (_BINARY,) if _BINARY else None


if __name__ == "__main__":
  absltest.main()
