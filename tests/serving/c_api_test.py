"""Exports in a process that has TensorFlow's C API and nothing else of it.

`make test-long` has it export each network.
"""

import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from absl.testing import absltest, parameterized
import keras
import numpy as np
import tensorflow as tf

from nct_tf import config, networks
from nct_tf.methods import building
from nct_tf.serving import exporting, session
from tests.support import c_api, long_tests, pictures

_ROOT = pathlib.Path(__file__).absolute().parents[2]
_SCRIPT = pathlib.Path(c_api.__file__).absolute()
_PACKAGE = pathlib.Path(importlib.util.find_spec("tensorflow").origin).parent
_INVALID_ARGUMENT = 3


def export(path, network="mlp", method="nct", shape=(32, 32, 3)):
  """Exports random networks."""
  keras.utils.set_random_seed(0)
  width = 64 if network in networks.OF_FIXED_WIDTH else 4
  run = config.TrainConfig(network=network, width=width, method=method)
  model = building.create(run, shape, 3)
  channels = shape[-1]
  result = {
    "image_shape": shape,
    "class_names": ["cat", "dog", "Übermut"],
    "mean": [0.5, 0.4, 0.3][:channels],
    "std": [0.2, 0.3, 0.4][:channels],
  }
  exporting.write_saved_model(model, result, path, members=True)


def ask(path, requests, python=sys.executable, package=_PACKAGE):
  """Has a SavedModel answer in a process of its own.

  Args:
    path: `pathlib.Path` of the SavedModel.
    requests: list of pairs: signature; dict from input to array.
    python: the interpreter.
    package: the folder of the TensorFlow package.

  Returns:
    the answer of `c_api`'s program: a dict.
  """
  encoded = [
    (name, {key: c_api.encode(value) for key, value in inputs.items()})
    for name, inputs in requests
  ]
  process = subprocess.run(
    [python, "-I", str(_SCRIPT), str(package), str(path)],
    input=json.dumps(encoded),
    capture_output=True,
    text=True,
    errors="replace",  # TensorFlow logs what it was sent.
    check=False,
  )
  if process.returncode:
    raise AssertionError(f"{process.returncode}: {process.stderr}")
  return json.loads(process.stdout)


def strings(*values):
  return np.array(values, object)


def good_requests(shape=(32, 32, 3)):
  """Returns a request for each signature."""
  images = np.stack([pictures.noise(*shape, seed=seed) for seed in range(3)])
  encoded = [pictures.png(40, 50), pictures.jpeg(32, 32, 1)]
  return [
    ("serving_default", {"images": images}),
    ("serving_bytes", {"image_bytes": strings(*encoded)}),
    ("classify", {"inputs": strings(*map(pictures.example, encoded))}),
    ("serving_network1", {"images": images[:1]}),
  ]


class CApiTestCase(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    folder = self.enter_context(tempfile.TemporaryDirectory())
    self.path = pathlib.Path(folder, "1")

  def assert_nothing_else_was_there(self, answer):
    """Neither the package's Python nor ours."""
    for module in answer["modules"]:
      self.assertNotRegex(module, r"^(keras|nct_tf|tensorflow\.python)\b")

  def assert_answers(self, answers, requests, places=5):
    """Compares with what the SavedModel answers in this process."""
    with session.SavedModelSession(self.path) as here:
      for (name, inputs), answer in zip(requests, answers, strict=True):
        (value,) = inputs.values()
        expected = here.run(name, value)
        self.assertEqual(set(answer["outputs"]), set(expected))
        for output, encoded in answer["outputs"].items():
          actual = c_api.decode(encoded)
          if actual.dtype == object:
            self.assertEqual(actual.tolist(), expected[output].tolist())
          else:
            np.testing.assert_allclose(
              actual, expected[output], atol=10**-places
            )


class CApiTest(CApiTestCase):
  @long_tests.only
  @parameterized.parameters(
    # Inception-ResNet-v2 takes minutes, of layers that ResNets have too. The
    # multilayer perceptron is below.
    *(
      (network, "nct")
      for network in networks.NAMES
      if network not in ("inception_resnet_v2", "mlp")
    ),
    ("resnet50", "standard"),
  )
  def test_runs_every_signature(self, network, method):
    # Gray images that are not square, and coloured ones that are.
    shape = (24, 40, 1) if network == "simple_cnn" else (32, 32, 3)
    export(self.path, network, method, shape)
    requests = good_requests(shape)
    answer = ask(self.path, requests)
    self.assert_answers(answer["answers"], requests)
    names = answer["answers"][0]["outputs"]["class_name"]
    self.assertContainsSubset(
      {text.decode() for text in c_api.decode(names)},
      {"cat", "dog", "Übermut"},
    )
    self.assert_nothing_else_was_there(answer)

  def test_refuses_bad_requests_and_goes_on(self):
    export(self.path)
    whole = pictures.jpeg(64, 64)
    image = pictures.noise(32, 32)[None]
    bad = {
      "wrong height": ("images", np.zeros((2, 33, 32, 3), np.uint8)),
      "wrong channels": ("images", np.zeros((2, 32, 32, 1), np.uint8)),
      "wrong rank": ("images", np.zeros((32, 32, 3), np.uint8)),
      "wrong dtype": ("images", image.astype(np.float32)),
      "strings for pixels": ("images", strings(b"cat")),
      "empty batch": ("images", np.zeros((0, 32, 32, 3), np.uint8)),
      "empty batch of bytes": ("image_bytes", strings()),
      "pixels for strings": ("image_bytes", image),
      "half a JPEG": ("image_bytes", strings(whole[: len(whole) // 2])),
      "no end": ("image_bytes", strings(whole[:-2])),
      "header alone": ("image_bytes", strings(whole[:4])),
      "half a PNG": ("image_bytes", strings(pictures.png(64, 64)[:5000])),
      "text": ("image_bytes", strings(b"This is no picture.\n")),
      "nothing": ("image_bytes", strings(b"")),
      "one of two": ("image_bytes", strings(whole, b"text")),
      "a GIF": ("image_bytes", strings(b"GIF89a\xff\xff\xff\xff" + bytes(99))),
      "20,000 x 20,000": ("image_bytes", strings(pictures.huge_png())),
      "another chunk first": (
        "image_bytes",
        strings(pictures.huge_png(first_chunk=True)),
      ),
      "no feature": ("inputs", strings(pictures.example(whole, "image"))),
      "no example": ("inputs", strings(b"\xff\xff")),
      "an empty example": ("inputs", strings(b"")),
      "no examples": ("inputs", strings()),
      "text in an example": ("inputs", strings(pictures.example(b"text"))),
    }
    signatures = {
      "images": "serving_default",
      "image_bytes": "serving_bytes",
      "inputs": "classify",
    }
    requests = [
      (signatures[name], {name: value}) for name, value in bad.values()
    ]
    answer = ask(self.path, requests + good_requests())
    self.assert_nothing_else_was_there(answer)
    answers = answer["answers"]
    self.assert_answers(answers[len(bad) :], good_requests())
    messages = {}
    for name, answer in zip(bad, answers, strict=False):
      self.assertEqual(answer.get("code"), _INVALID_ARGUMENT, (name, answer))
      messages[name] = answer["message"]
    for name, pattern in {
      "wrong height": r"\[2,33,32,3\].*expected shape \[\?,32,32,3\]",
      "wrong dtype": "uint8 but float",
      "empty batch": "`images` must hold at least one",
      "empty batch of bytes": "`image_bytes` must hold at least one",
      "half a JPEG": "Invalid JPEG",
      "text": "neither a JPEG nor a PNG",
      "20,000 x 20,000": r"more than 67108864 pixels:\] \[400000000\]",
      "no feature": "image/encoded.*required",
    }.items():
      self.assertRegex(messages[name], pattern)


def other_stacks():
  """Yields interpreters of the other TensorFlow that the checkout has."""
  own = sys.version_info >= (3, 12)
  named = os.environ.get("NCT_TF_OTHER_PYTHON")
  for python in [named] if named else sorted(_ROOT.glob(".venv*/bin/python")):
    libraries = pathlib.Path(python).parents[1].glob("lib/python3.*")
    for library in libraries:
      minor = int(re.fullmatch(r"python3\.(\d+)", library.name)[1])
      package = library / "site-packages" / "tensorflow"
      if (minor >= 12) != own and package.exists():
        yield str(python), package


class OtherStackTest(CApiTestCase):
  """What one TensorFlow exports, another one loads."""

  def setUp(self):
    super().setUp()
    stack = next(other_stacks(), None)
    if stack is None:
      raise unittest.SkipTest(
        "there is no environment of the other TensorFlow: neither "
        "NCT_TF_OTHER_PYTHON nor any .venv* has one"
      )
    self.python, self.package = stack

  def test_the_other_loads_what_this_one_exports(self):
    export(self.path, "simple_cnn")
    answer = ask(self.path, good_requests(), self.python, self.package)
    self.assert_answers(answer["answers"], good_requests(), places=4)

  @long_tests.only
  def test_this_one_loads_what_the_other_exports(self):
    code = (
      "from tests.serving import c_api_test; import pathlib; "
      f"c_api_test.export(pathlib.Path({str(self.path)!r}), 'simple_cnn')"
    )
    subprocess.run([self.python, "-c", code], cwd=_ROOT, check=True)
    answer = ask(self.path, good_requests())
    other = ask(self.path, good_requests(), self.python, self.package)
    self.assert_answers(answer["answers"], good_requests())
    self.assert_answers(other["answers"], good_requests(), places=4)
    serve = tf.saved_model.load(str(self.path)).signatures["serving_default"]
    name, inputs = good_requests()[0]
    self.assertEqual(name, "serving_default")
    np.testing.assert_allclose(
      serve(tf.constant(inputs["images"]))["probabilities"],
      c_api.decode(other["answers"][0]["outputs"]["probabilities"]),
      atol=1e-4,
    )


if __name__ == "__main__":
  absltest.main()
