import pathlib
import tempfile

from absl.testing import absltest, parameterized
from google.protobuf import (
  descriptor_pb2,
  descriptor_pool,
  message_factory,
  text_format,
  wrappers_pb2,
)
from tensorflow_serving.config import model_server_config_pb2

from nct_tf.serving import server_config

# Fields of TF Serving's messages that tensorflow-serving-api does not bring.
_MESSAGES = """
name: "serving_config.proto"
package: "tensorflow.serving"
dependency: "google/protobuf/wrappers.proto"
message_type {
  name: "BatchingParameters"
  field { name: "max_batch_size" number: 1 label: LABEL_OPTIONAL
    type: TYPE_MESSAGE type_name: ".google.protobuf.Int64Value" }
  field { name: "batch_timeout_micros" number: 2 label: LABEL_OPTIONAL
    type: TYPE_MESSAGE type_name: ".google.protobuf.Int64Value" }
  field { name: "max_enqueued_batches" number: 3 label: LABEL_OPTIONAL
    type: TYPE_MESSAGE type_name: ".google.protobuf.Int64Value" }
  field { name: "num_batch_threads" number: 4 label: LABEL_OPTIONAL
    type: TYPE_MESSAGE type_name: ".google.protobuf.Int64Value" }
  field { name: "allowed_batch_sizes" number: 6 label: LABEL_REPEATED
    type: TYPE_INT64 }
}
message_type {
  name: "PrometheusConfig"
  field { name: "enable" number: 1 label: LABEL_OPTIONAL type: TYPE_BOOL }
  field { name: "path" number: 2 label: LABEL_OPTIONAL type: TYPE_STRING }
}
message_type {
  name: "MonitoringConfig"
  field { name: "prometheus_config" number: 1 label: LABEL_OPTIONAL
    type: TYPE_MESSAGE type_name: ".tensorflow.serving.PrometheusConfig" }
}
"""


def message(name):
  """Returns an empty message of TF Serving's."""
  pool = descriptor_pool.DescriptorPool()
  pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
  pool.AddSerializedFile(
    text_format.Parse(
      _MESSAGES, descriptor_pb2.FileDescriptorProto()
    ).SerializeToString()
  )
  descriptor = pool.FindMessageTypeByName(f"tensorflow.serving.{name}")
  return message_factory.GetMessageClass(descriptor)()


class ServerConfigTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    self.base = folder / 'my "cats"'
    self.base.mkdir()

  def read(self, name, empty):
    return text_format.Parse((self.base / name).read_text(), empty)

  def models(self):
    config = self.read(
      "models.config", model_server_config_pb2.ModelServerConfig()
    )
    (model,) = config.model_config_list.config
    return model

  def test_models(self):
    server_config.write(self.base, [4])
    model = self.models()
    self.assertEqual(model.name, 'my "cats"')
    self.assertEqual(model.base_path, str(self.base.resolve()))
    self.assertEqual(model.model_platform, "tensorflow")
    self.assertTrue(model.model_version_policy.HasField("all"))
    self.assertEqual(dict(model.version_labels), {"stable": 4, "canary": 4})

  @parameterized.parameters(
    ([4, 5], {"stable": 4, "canary": 5}),
    ([2, 4], {"stable": 4, "canary": 4}),
    ([5, 6], {"stable": 5, "canary": 6}),
  )
  def test_labels_follow_the_versions(self, versions, labels):
    server_config.write(self.base, [4])
    server_config.write(self.base, versions)
    self.assertEqual(dict(self.models().version_labels), labels)

  def test_what_a_person_wrote_stays(self):
    server_config.write(self.base, [1, 2])
    for name, old, new in (
      ("models.config", "all {}", "latest { num_versions: 2 }"),
      ("models.config", 'key: "stable" value: 2', 'key: "stable"\n value: 1'),
      ("batching_parameters.txt", "value: 1000", "value: 7"),
      ("monitoring.config", "true", "false"),
    ):
      text = (self.base / name).read_text()
      self.assertIn(old, text)
      (self.base / name).write_text(text.replace(old, new) + "# mine\n")
    texts = {path.name: path.read_text() for path in self.base.iterdir()}
    server_config.write(self.base, [1, 2, 3])
    texts["models.config"] = texts["models.config"].replace(
      'key: "canary" value: 2', 'key: "canary" value: 3'
    )
    self.assertEqual(
      {path.name: path.read_text() for path in self.base.iterdir()}, texts
    )
    self.assertEqual(self.models().version_labels["stable"], 1)

  @parameterized.parameters(
    ("version_labels { key: 'canary' value: 2 }", 3),
    ('version_labels: { key: "canary", value: 2 }', 3),
    ('version_labels {\n value:2\n key:"canary"\n}', 3),
    ('version_labels { key: "beta" value: 2 }', 2),
    ('# version_labels { key: "canary" value: 2 }', 2),
  )
  def test_any_way_to_write_a_label(self, written, expected):
    server_config.write(self.base, [1, 2])
    file = self.base / "models.config"
    label = 'version_labels { key: "canary" value: 2 }'
    file.write_text(file.read_text().replace(label, written))
    server_config.write(self.base, [1, 2, 3])
    self.assertIn(written.replace("2", str(expected)), file.read_text())

  def test_another_models_labels_are_left_alone(self):
    server_config.write(self.base, [1])
    file = self.base / "models.config"
    other = (
      'config { name: "dogs" base_path: "/dogs" # } \'\n'
      '  version_labels { key: "stable" value: 12 }\n'
      '  version_labels { key: "canary" value: 17 } }\n'
    )
    text = file.read_text()
    begin = text.index("config {", text.index("model_config_list") + 17)
    file.write_text(text[:begin] + other + text[begin:])
    server_config.write(self.base, [3, 4])
    dogs, cats = self.read(
      "models.config", model_server_config_pb2.ModelServerConfig()
    ).model_config_list.config
    self.assertEqual(dict(dogs.version_labels), {"stable": 12, "canary": 17})
    self.assertEqual(dict(cats.version_labels), {"stable": 3, "canary": 4})

  def test_a_folder_that_was_moved_is_said(self):
    server_config.write(self.base, [1])
    moved = self.base.rename(self.base.with_name("dogs"))
    with self.assertLogs("nct_tf", "WARNING") as logs:
      server_config.write(moved, [1, 2])
    self.assertIn("has no entry for", logs.output[0])

  def test_a_removed_stable_version_is_said(self):
    server_config.write(self.base, [1])
    with self.assertLogs("nct_tf", "WARNING") as logs:
      server_config.write(self.base, [2, 3])
    self.assertIn("stable moves from version 1", logs.output[0])

  @parameterized.parameters(
    ("allowed_batch_sizes: 2\nallowed_batch_sizes: 8", [2, 8]),
    ("allowed_batch_sizes: [ 2, 8 ]", [2, 8]),
    ("max_batch_size { value: 8 } # allowed_batch_sizes: 99", [8]),
    ("# nothing", [1, 4, 16, 64]),
  )
  def test_batch_sizes_are_those_of_the_file(self, text, sizes):
    self.assertEqual(server_config.batch_sizes(self.base), [1, 4, 16, 64])
    (self.base / "batching_parameters.txt").write_text(text)
    self.assertEqual(server_config.batch_sizes(self.base), sizes)

  def test_batching(self):
    server_config.write(self.base, [1])
    batching = self.read(
      "batching_parameters.txt", message("BatchingParameters")
    )
    sizes = list(batching.allowed_batch_sizes)
    self.assertEqual(sizes, sorted(sizes))
    # TF Serving wants the last to be the largest there is.
    self.assertEqual(sizes[-1], batching.max_batch_size.value)
    self.assertGreater(batching.num_batch_threads.value, 0)

  def test_monitoring(self):
    server_config.write(self.base, [1])
    monitoring = self.read("monitoring.config", message("MonitoringConfig"))
    self.assertTrue(monitoring.prometheus_config.enable)
    self.assertEqual(
      monitoring.prometheus_config.path, "/monitoring/prometheus/metrics"
    )


if __name__ == "__main__":
  absltest.main()
