import dataclasses
import functools
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
from unittest import mock

from absl.testing import absltest, parameterized
import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from nct_tf import config, errors, preprocessing
from nct_tf.methods import building
from nct_tf.pictures import decoding, pixels
from nct_tf.serving import exporting, session, signatures
from nct_tf.workdir import restoring
from tests.support import long_tests, pictures, processes, tiny_run

_CLASSES = [f"class {number}" for number in range(7)]


def softmax(logits):
  exponentials = np.exp(logits - logits.max(-1, keepdims=True))
  return exponentials / exponentials.sum(-1, keepdims=True)


@dataclasses.dataclass(frozen=True)
class Export:
  """A model and its SavedModel, which tests share and only read."""

  model: keras.Model
  result: dict
  path: pathlib.Path


@functools.cache
def export(
  folder,
  shape=(8, 8, 3),
  network="mlp",
  method="nct",
  width=8,
  crop_size=None,
  resizing="stretch",
  top_k=3,
  members=False,
):
  """Exports random networks to a new folder within a folder."""
  path = pathlib.Path(tempfile.mkdtemp(dir=folder), "1")
  keras.utils.set_random_seed(1)
  model = building.create(
    config.TrainConfig(
      network=network, width=width, method=method, crop_size=crop_size
    ),
    shape,
    len(_CLASSES),
  )
  channels = shape[-1]
  result = {
    "image_shape": list(shape),
    "class_names": _CLASSES,
    "mean": [0.2, 0.3, 0.4, 0.5][:channels],
    "std": [0.4, 0.3, 0.2, 0.1][:channels],
    "crop_size": crop_size,
    "resizing": resizing,
  }
  exporting.write_saved_model(model, result, path, top_k, members)
  return Export(model, result, path)


class DecodingTest(parameterized.TestCase):
  """What the graph makes of JPEGs and PNGs, against what training does."""

  def setUp(self):
    super().setUp()
    self.kinds = {**pictures.plain_kinds(), **pictures.decodable_kinds()}

  @parameterized.parameters(1, 3)
  def test_the_same_pixels_to_the_last_bit(self, num_channels):
    expected = {
      name: pixels.to_channels(decoding.decode_bytes(contents), num_channels)
      for name, contents in self.kinds.items()
    }
    for name, contents in self.kinds.items():
      height, width, _ = expected[name].shape
      image = signatures.decode(contents, (height, width, num_channels))
      np.testing.assert_array_equal(image, expected[name], name)

  def test_each_color_at_each_alpha(self):
    alpha, color = np.mgrid[:256, :256].astype(np.uint8)
    image = np.stack([color, color, 255 - color, alpha], axis=-1)
    np.testing.assert_array_equal(
      signatures.decode(pictures.encode(image), (256, 256, 3)),
      pixels.lay_on_white(image[..., :3], image[..., 3:]),
    )

  def test_the_gray_of_many_colors(self):
    image = pictures.noise(512, 512)
    image[:256, 0] = np.arange(256)[:, None]
    np.testing.assert_array_equal(
      signatures.decode(pictures.encode(image), (512, 512, 1)),
      pixels.to_channels(image, 1),
    )


class SignaturesTest(parameterized.TestCase):
  """What the graph answers, against the networks in Keras and NumPy."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = tempfile.TemporaryDirectory()
    cls.addClassCleanup(folder.cleanup)
    cls.folder = folder.name

  def export(self, shape=(8, 8, 3), **options):
    exported = export(self.folder, shape, **options)
    self.model, self.result = exported.model, exported.result
    self.path = exported.path
    self.session = self.enter_context(session.SavedModelSession(self.path))
    self.images = np.random.default_rng(0).integers(
      256, size=(5, *shape), dtype=np.uint8
    )

  def logits(self, images):
    normalized = (images / 255 - self.result["mean"]) / self.result["std"]
    return [
      network.predict(normalized.astype(np.float32), verbose=0)
      for network in self.model.networks
    ]

  def assert_answer(self, answer, logits):
    probabilities = softmax(np.mean(logits, axis=0))
    classes = probabilities.argmax(-1)
    expected = {
      "probabilities": probabilities,
      "class_id": classes,
      "score": probabilities.max(-1),
    }
    if len(logits) == 2:
      one, two = (softmax(values).astype(np.float64) for values in logits)
      expected["disagreement"] = np.sum(one * np.log(one / two), axis=-1)
    self.assertEqual(set(answer), {*expected, "class_name"})
    for name, values in expected.items():
      np.testing.assert_allclose(answer[name], values, atol=1e-5)
    self.assertEqual(
      [name.decode() for name in answer["class_name"]],
      [_CLASSES[index] for index in classes],
    )
    self.assertEqual(answer["probabilities"].dtype, np.float32)
    self.assertEqual(answer["class_id"].dtype, np.int64)

  @parameterized.parameters({}, *long_tests.also({"method": "standard"}))
  def test_pixels(self, **options):
    self.export(**options)
    for size in (1, 5):
      images = self.images[:size]
      self.assert_answer(
        self.session.run("serving_default", images), self.logits(images)
      )

  @parameterized.parameters((9, 6, 1), *long_tests.also((8, 8, 3)))
  def test_bytes_of_that_size_are_the_pixels(self, *shape):
    self.export(shape)
    encoded = [tf.io.encode_png(image).numpy() for image in self.images]
    self.assert_answer(
      self.session.run("serving_bytes", encoded), self.logits(self.images)
    )

  def test_bytes_of_any_size_are_decoded_as_in_training(self):
    self.export()
    kinds = {**pictures.plain_kinds(), **pictures.decodable_kinds()}
    images = [
      preprocessing.resize(
        pixels.to_channels(decoding.decode_bytes(contents), 3), (8, 8)
      )
      for contents in kinds.values()
    ]
    self.assert_answer(
      self.session.run("serving_bytes", list(kinds.values())),
      self.logits(np.stack(images)),
    )

  def test_crop_and_resizing_are_those_of_the_evaluation(self):
    self.export(crop_size=6, resizing="cover")
    middle = self.logits(self.images[:, 1:7, 1:7])
    self.assert_answer(self.session.run("serving_default", self.images), middle)
    # Twice as wide: the image itself is the middle of it.
    wide = np.concatenate(
      [self.images[:, :, :4], self.images, self.images[:, :, 4:]], axis=2
    )
    encoded = [tf.io.encode_png(image).numpy() for image in wide]
    self.assert_answer(self.session.run("serving_bytes", encoded), middle)

  @parameterized.parameters(
    (3, {}), *long_tests.also((7, {"top_k": 100, "members": True}))
  )
  def test_classify(self, num_named, options):
    self.export(**options)
    examples = [
      pictures.example(tf.io.encode_png(image).numpy()) for image in self.images
    ]
    answer = self.session.run("classify", examples)
    self.assertEqual(set(answer), {"classes", "scores"})
    probabilities = softmax(np.mean(self.logits(self.images), axis=0))
    order = np.argsort(-probabilities, axis=-1)[:, :num_named]
    np.testing.assert_allclose(
      answer["scores"],
      np.take_along_axis(probabilities, order, axis=-1),
      atol=1e-5,
    )
    self.assertEqual(
      answer["classes"].tolist(),
      [[_CLASSES[index].encode() for index in row] for row in order],
    )

  def test_members(self):
    self.export(top_k=100, members=True)
    for number, logits in enumerate(self.logits(self.images), start=1):
      self.assert_answer(
        self.session.run(f"serving_network{number}", self.images), [logits]
      )

  def test_equal_networks_do_not_disagree(self):
    self.export()
    weights = self.model.network2.get_weights()
    self.addCleanup(self.model.network2.set_weights, weights)
    self.model.network2.set_weights(self.model.network1.get_weights())
    path = self.path.with_name("2")
    exporting.write_saved_model(self.model, self.result, path)
    with session.SavedModelSession(path) as twins:
      answer = twins.run("serving_default", self.images)
    np.testing.assert_allclose(answer["disagreement"], 0, atol=1e-6)

  def test_specifications(self):
    self.export(top_k=100, members=True)
    definitions = self.session.signatures
    self.assertEqual(
      {
        name: [
          (argument, tf.as_dtype(tensor.dtype).name, tensor_shape(tensor))
          for argument, tensor in definition.inputs.items()
        ]
        for name, definition in definitions.items()
      },
      {
        "serving_default": [("images", "uint8", [-1, 8, 8, 3])],
        "serving_bytes": [("image_bytes", "string", [-1])],
        "classify": [("inputs", "string", [-1])],
        "serving_network1": [("images", "uint8", [-1, 8, 8, 3])],
        "serving_network2": [("images", "uint8", [-1, 8, 8, 3])],
      },
    )
    for definition in definitions.values():
      for tensor in definition.outputs.values():
        self.assertEqual(tensor_shape(tensor)[0], -1)

  def test_two_channels_cannot_be_decoded(self):
    self.export((8, 8, 2))
    self.assertEqual(list(self.session.signatures), ["serving_default"])

  def test_inference_alone_is_in_it(self):
    self.export(network="preact_resnet10", width=32)
    num_bytes = sum(
      np.asarray(weight).nbytes
      for network in self.model.networks
      for weight in network.get_weights()
    )
    size = sum(
      file.stat().st_size for file in self.path.rglob("*") if file.is_file()
    )
    self.assertLess(size, 1.05 * num_bytes + 2**20)
    variables = tf.train.list_variables(str(self.path / "variables/variables"))
    stored = sum(
      np.prod(shape, dtype=int)
      for name, shape in variables
      if not name.startswith(("_CHECKPOINTABLE", "save_counter"))
    )
    self.assertEqual(4 * stored, num_bytes)
    nodes = self.nodes()
    self.assertIn("Conv2D", {node.op for node in nodes})
    for node in nodes:
      if node.op == "While":  # Over the images of a batch.
        self.assertGreater(node.attr["parallel_iterations"].i, 8)
      self.assertNotRegex(
        node.op, "Grad$|GradV|Backprop|Dropout|Random|AssignSub|Apply"
      )
      if "FusedBatchNorm" in node.op:
        self.assertFalse(node.attr["is_training"].b, node.name)

  def nodes(self):
    saved_model = saved_model_pb2.SavedModel.FromString(
      (self.path / "saved_model.pb").read_bytes()
    )
    (meta_graph,) = saved_model.meta_graphs
    nodes = list(meta_graph.graph_def.node)
    for function in meta_graph.graph_def.library.function:
      nodes += function.node_def
    return nodes


def tensor_shape(tensor):
  return [dimension.size for dimension in tensor.tensor_shape.dim]


# The flags of `saved_model_cli` and its command, as often as wished.
_SAVED_MODEL_CLI = """
import json, sys
from absl import flags
from tensorflow.python.tools import saved_model_cli
for command, *arguments in json.loads(sys.argv[1]):
  flags.FLAGS([command, *arguments])
  getattr(saved_model_cli, command)()
"""


@functools.cache
def export_shared_run(folder, method):
  return exporting.export_run(
    tiny_run.shared(method=method),
    pathlib.Path(tempfile.mkdtemp(dir=folder), "digits"),
  )


class ExportRunTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = tempfile.TemporaryDirectory()
    cls.addClassCleanup(folder.cleanup)
    cls.shared_folder = folder.name
    cls.directories = {
      "nct": tiny_run.shared(),
      "standard": tiny_run.shared(method="standard"),
    }

  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(
      self.enter_context(tempfile.TemporaryDirectory())
    )

  def export(self, method="nct", **options):
    return exporting.export_run(
      self.directories[method], self.folder / "digits", **options
    )

  def exported(self, method="nct"):
    """Returns the path of a first version that tests share and only read."""
    return export_shared_run(self.shared_folder, method)

  def versions(self):
    return sorted(
      path.name
      for path in (self.folder / "digits").iterdir()
      if path.name[0].isdigit()
    )

  def test_what_stands_there(self):
    path = self.exported()
    self.assertEqual(path.parts[-2:], ("digits", "1"))
    self.assertEqual(
      {str(file.relative_to(path)) for file in path.rglob("*.*")},
      {
        "MODEL_CARD.md",
        "assets.extra",
        "assets/labels.txt",
        "fingerprint.pb",
        "saved_model.pb",
        "variables/variables.data-00000-of-00001",
        "variables/variables.index",
      },
    )
    labels = (path / "assets/labels.txt").read_text().splitlines()
    self.assertEqual(labels, [str(number) for number in range(10)])
    self.assertEqual(
      sorted(file.name for file in path.parent.iterdir()),
      [
        ".export.lock",
        "1",
        "batching_parameters.txt",
        "models.config",
        "monitoring.config",
      ],
    )

  @parameterized.parameters("nct", "standard")
  def test_the_model_card(self, method):
    card = (self.exported(method) / "MODEL_CARD.md").read_text()
    result = self.directories[method].read_result()
    for text in (
      "# digits, version 1",
      "pair_flip, nominal rate 30.0 %",
      f"| last epoch | {100 * result['last_accuracy']:.1f} % |",
      "--network=mlp",
      f"TensorFlow {tf.__version__}, Keras {keras.__version__}",
      f"| git commit | {result['git_commit'] or 'unknown'} |",
    ):
      self.assertIn(text, card)
    self.assertEqual("disagreement" in card, method == "nct")
    self.assertEqual("| network 2 alone |" in card, method == "nct")
    self.assertNotIn("None", card)

  def test_keep(self):
    directory = self.directories["nct"]
    export = functools.partial(
      exporting.export,
      *restoring.restore(directory),
      directory.read_warmup_images(),
      self.folder / "digits",
    )
    export()
    # To make a SavedModel is slow: the other versions have the first one's.
    first = shutil.copytree(self.folder / "digits" / "1", self.folder / "first")
    shutil.rmtree(first / "assets.extra")

    def copy(model, result, path, *options):
      shutil.copytree(first, path)

    self.enter_context(mock.patch.object(exporting, "write_saved_model", copy))
    for version in (5, 6, None):
      export(version=version)
    self.assertEqual(self.versions(), ["1", "5", "6", "7"])
    export(keep=3)
    self.assertEqual(self.versions(), ["6", "7", "8"])
    export(version=2, keep=2)
    self.assertEqual(self.versions(), ["2", "8"])
    export(keep=1)
    self.assertEqual(self.versions(), ["9"])
    with self.assertRaisesRegex(errors.InvalidInputError, "9 exists"):
      export(version=9, keep=1)
    self.assertEqual(self.versions(), ["9"])

  def test_members_of_one_network_are_refused(self):
    with self.assertRaisesRegex(errors.InvalidInputError, "`members` needs"):
      self.export("standard", members=True)

  @parameterized.parameters(
    ("version", 0), ("version", -5), ("keep", 0), ("keep", -1), ("top_k", 0)
  )
  def test_numbers_below_one_are_refused(self, name, value):
    with self.assertRaisesRegex(errors.InvalidInputError, f"`{name}` must"):
      self.export(**{name: value})
    self.assertFalse((self.folder / "digits").exists())

  def test_what_answers_otherwise_than_the_model_is_not_published(self):
    write = exporting.write_saved_model

    def write_another(model, *arguments):
      weights = [-weight for weight in model.network1.get_weights()]
      model.network1.set_weights(weights)
      write(model, *arguments)
      model.network1.set_weights([-weight for weight in weights])

    with (
      mock.patch.object(exporting, "write_saved_model", write_another),
      self.assertRaisesRegex(RuntimeError, "answers otherwise"),
    ):
      self.export()
    self.assertEqual(self.versions(), [])

  def test_warm_up_has_the_sizes_of_the_batching_file(self):
    base = self.folder / "digits"
    base.mkdir()
    (base / "batching_parameters.txt").write_text("allowed_batch_sizes: 3")
    file = self.export() / "assets.extra" / "tf_serving_warmup_requests"
    records = tf.data.TFRecordDataset(str(file))
    self.assertLen(list(records), 3)  # One for each signature.

  def test_a_file_in_the_way(self):
    (self.folder / "digits").write_text("")
    with self.assertRaisesRegex(errors.InvalidInputError, "Nothing can be"):
      self.export()

  @parameterized.parameters((160,), *long_tests.also((64,)))
  def test_a_full_disk(self, num_kilobytes):
    disk = self.folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(
      ["mount", "-t", "tmpfs", "-o", f"size={num_kilobytes}k", "none", disk],
      capture_output=True,
      check=False,
    )
    if mounted.returncode:
      self.skipTest("this user cannot mount a small disk")
    self.addCleanup(subprocess.run, ["umount", str(disk)], check=True)
    with self.assertRaisesRegex(errors.InvalidInputError, "No space left"):
      exporting.export_run(self.directories["nct"], disk, members=True)
    self.assertEqual([path.name for path in disk.iterdir()], [".export.lock"])

  def test_without_tensorflow_serving_api(self):
    # None is how Python marks a module that is known not to be there.
    with (
      mock.patch.dict(sys.modules, {"tensorflow_serving": None}),
      self.assertLogs("nct_tf", "WARNING") as logs,
    ):
      path = self.export()
    self.assertFalse((path / "assets.extra").exists())
    self.assertIn("pip install", logs.output[0])
    with session.SavedModelSession(path) as model:
      self.assertIn("classify", model.signatures)

  def test_without_warmup_images(self):
    run_dir = tiny_run.copy(self.folder / "run", method="standard")
    images = run_dir.warmup_images_file.read_bytes()
    run_dir.warmup_images_file.write_bytes(images[:50])
    with self.assertRaisesRegex(errors.InvalidInputError, "warmup_images.npy"):
      exporting.export_run(run_dir, self.folder / "digits")
    self.assertFalse((self.folder / "digits").exists())

  @long_tests.only
  def test_saved_model_cli(self):
    path = self.exported()
    images = np.random.default_rng(0).integers(
      256, size=(3, 8, 8, 1), dtype=np.uint8
    )
    np.save(self.folder / "images.npy", images)
    commands = [
      ["show", "--all", f"--dir={path}"],
      [
        "run",
        f"--dir={path}",
        "--tag_set=serve",
        "--signature_def=serving_default",
        f"--inputs=images={self.folder / 'images.npy'}",
        f"--outdir={self.folder}",
      ],
    ]
    process = processes.run_python(
      "-c", _SAVED_MODEL_CLI, json.dumps(commands), check=True
    )
    for name in ("serving_default", "serving_bytes", "classify"):
      self.assertIn(f"signature_def['{name}']", process.stdout)
    model, _, result = restoring.restore(self.directories["nct"])
    np.testing.assert_allclose(
      np.load(self.folder / "probabilities.npy"),
      model(preprocessing.normalize(images, result["mean"], result["std"])),
      atol=1e-5,
    )


if __name__ == "__main__":
  absltest.main()
