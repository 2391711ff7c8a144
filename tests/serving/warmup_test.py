import pathlib
import tempfile

from absl.testing import absltest, parameterized
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from nct_tf.input_pipeline import run_data
from nct_tf.serving import exporting, server_config, session
from tests.support import tiny_run


class WarmupTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = tempfile.TemporaryDirectory()
    cls.addClassCleanup(folder.cleanup)
    cls.directory = tiny_run.shared()
    cls.path = exporting.export_run(
      cls.directory, pathlib.Path(folder.name, "digits"), members=True
    )

  def logs(self):
    file = self.path / "assets.extra" / "tf_serving_warmup_requests"
    return [
      prediction_log_pb2.PredictionLog.FromString(record)
      for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
    ]

  def test_each_signature_at_each_size_with_training_images(self):
    run = self.directory.read_config()
    train = run_data.load_noisy_dataset(run, run_data.load_dataset(run)).train
    known = {image.tobytes() for image in train.images[train.index]}
    seen = set()
    for log in self.logs():
      request, images = self.decode(log)
      self.assertEqual(request.model_spec.name, "digits")
      seen.add((request.model_spec.signature_name, len(images)))
      self.assertContainsSubset({image.tobytes() for image in images}, known)
      if len(images) >= 16:
        self.assertGreater(len(set(map(bytes, images))), 15)
    self.assertEqual(
      seen,
      {
        (name, size)
        for name in (
          "serving_default",
          "serving_bytes",
          "classify",
          "serving_network1",
          "serving_network2",
        )
        for size in server_config.BATCH_SIZES
      },
    )

  def decode(self, log):
    """Returns the request of a log, and its images as uint8 arrays."""
    if log.HasField("classify_log"):
      request = log.classify_log.request
      self.assertEqual(request.model_spec.signature_name, "classify")
      encoded = [
        example.features.feature["image/encoded"].bytes_list.value[0]
        for example in request.input.example_list.examples
      ]
    else:
      request = log.predict_log.request
      ((argument, tensor),) = request.inputs.items()
      values = tf.make_ndarray(tensor)
      if argument == "images":
        return request, values
      encoded = values
    images = [tf.io.decode_png(contents).numpy() for contents in encoded]
    return request, np.stack(images)

  def test_the_version_answers_all_of_them(self):
    with session.SavedModelSession(self.path) as model:
      for log in self.logs():
        if log.HasField("predict_log"):
          request = log.predict_log.request
          ((_, tensor),) = request.inputs.items()
          value = tf.make_ndarray(tensor)
        else:
          request = log.classify_log.request
          examples = request.input.example_list.examples
          value = [example.SerializeToString() for example in examples]
        model.run(request.model_spec.signature_name, value)


if __name__ == "__main__":
  absltest.main()
