"""What fails during a run ends it in one line, and loses nothing."""

import pathlib
import tempfile
from unittest import mock

from absl.testing import absltest, parameterized
import numpy as np
import tensorflow as tf

from nct_tf import errors, methods
from nct_tf.datasets.tfds import tfrecord_images
from nct_tf.methods import standard
from nct_tf.system import device_errors
from nct_tf.training import fitting, loop as loop_lib, run
from nct_tf.workdir import layout
from tests.support import long_tests, pictures, tiny_run

# So many that no machine has an address for each.
_SIDE = 2**23
_NUM_EPOCHS = 2


def _take_all_memory(step):
  """Asks TensorFlow for it, which waits ten seconds for others to free some."""
  # Zeros, or what does not depend on the step, would become a constant.
  taken = tf.random.stateless_uniform([_SIDE, _SIDE], tf.stack([0, step]))
  # What nobody needs would be left out.
  tf.debugging.assert_less(taken, 1.0)
  return 0.0


def _fail_as_if(step):
  """Fails at once, as the other one does in the end."""

  def fail(_):
    raise tf.errors.ResourceExhaustedError(
      None,
      None,
      f"OOM when allocating tensor with shape[{_SIDE},{_SIDE}] and type float "
      "on /job:localhost/replica:0/task:0/device:CPU:0 by allocator mklcpu",
    )

  return tf.py_function(fail, [step], tf.float32)


class GreedyModel(standard.StandardModel):
  """Standard training until it wants more memory than there is."""

  greedy_part = ""
  want = None

  def train_step(self, data):
    return self._want_memory("train", super().train_step(data))

  def test_step(self, data):
    return self._want_memory("test", super().test_step(data))

  def _want_memory(self, part, logs):
    if part != self.greedy_part:
      return logs
    step = tf.cast(self.optimizer.iterations, tf.int32)
    # 100 examples are two steps an epoch.
    wanted = tf.cond(step > 2, lambda: type(self).want(step), lambda: 0.0)
    return {**logs, "wanted": wanted}


def setUpModule():
  if "greedy" not in methods.names():
    methods.register("greedy", GreedyModel)


class RunTest(parameterized.TestCase):
  """It is out of memory in the second of two epochs."""

  @parameterized.parameters(("train",), *long_tests.also(("test",)))
  def test_out_of_memory(self, part):
    self.check_out_of_memory(part, _fail_as_if)

  @long_tests.only
  @parameterized.parameters("train", "test")
  def test_out_of_real_memory(self, part):
    self.check_out_of_memory(part, _take_all_memory)

  def check_out_of_memory(self, part, want):
    GreedyModel.greedy_part, GreedyModel.want = part, staticmethod(want)
    self.addCleanup(setattr, GreedyModel, "greedy_part", "")
    folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    config = tiny_run.tiny_config(
      method="greedy", num_epochs=_NUM_EPOCHS, workdir=str(folder)
    )
    with self.assertRaises(errors.DeviceError) as raised:
      run.train_and_evaluate(config)
    self.assertRegex(
      str(raised.exception),
      r"^CPU:0 is out of memory \(no room for a tensor of shape "
      r"\[8388608,8388608\] and type float\)\. Lower --batch_size, --width, "
      rf".*The last whole checkpoint: {folder}/checkpoints/ckpt-1$",
    )
    # The same run goes on where it can.
    GreedyModel.greedy_part = ""
    result = run.train_and_evaluate(config)
    self.assertEqual(result["num_epochs"], _NUM_EPOCHS)
    history = layout.Workdir(folder).read_history()
    self.assertLen(history["loss"], _NUM_EPOCHS)


class VanishedPictureTest(parameterized.TestCase):
  """A picture is there when a run begins, and gone before its first step."""

  @parameterized.parameters("false", "true")
  def test_it_is_named(self, jit_compile):
    folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    for number in range(20):
      path = folder / "images" / "ab"[number % 2] / f"{number}.png"
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_bytes(pictures.png(8, 8, 3, seed=number))
    config = tiny_run.tiny_config(
      dataset=f"folder:{folder}/images",
      cache="none",
      cache_dir=str(folder / "cache"),
      jit_compile=jit_compile,
      num_train_examples=None,
      test_fraction=0.2,
      image_size=8,
      batch_size=16,
      method="standard",
      workdir=str(folder / "run"),
    )
    contents = {}

    def fit(model, config, data, *arguments):
      paths = data.dataset.train_images._paths
      contents.update({path: path.read_bytes() for path in paths})
      for path in paths:
        path.unlink()
      return original(model, config, data, *arguments)

    original = fitting.fit
    with (
      mock.patch.object(fitting, "fit", fit),
      # It is not taken for something that XLA cannot do.
      self.assertNoLogs(loop_lib.__name__, "WARNING"),
      self.assertRaises(errors.InvalidInputError) as raised,
    ):
      run.train_and_evaluate(config)
    self.assertRegex(
      str(raised.exception),
      rf"^{folder}/images/[ab]/\d+\.png could be read before, and cannot any "
      "more: No such file or directory$",
    )
    # When it is back, the same run goes on.
    for path, content in contents.items():
      path.write_bytes(content)
    self.assertEqual(run.train_and_evaluate(config)["num_epochs"], 1)


class ExplainTest(parameterized.TestCase):
  """Real errors where a CPU has them, else texts of TensorFlow on GPUs."""

  def explain(self, function, *args):
    with self.assertRaises(tf.errors.OpError) as raised:
      function(*args)
    return device_errors.explain(raised.exception)

  @long_tests.only
  def test_out_of_memory_outside_of_a_step(self):
    failure = self.explain(tf.random.normal, [_SIDE, _SIDE])
    self.assertEqual(failure.kind, device_errors.MEMORY)
    self.assertStartsWith(failure.text, "CPU:0 is out of memory (no room")

  def test_what_xla_cannot_compile(self):
    @tf.function(jit_compile=True)
    def count_digits(numbers):
      return tf.strings.length(tf.strings.as_string(numbers))

    failure = self.explain(count_digits, tf.constant([1.0]))
    self.assertEqual(failure.kind, device_errors.XLA)
    self.assertStartsWith(failure.text, "XLA cannot compile this here (")
    self.assertLen(failure.text.splitlines(), 1)

  @parameterized.parameters(
    (
      device_errors.MEMORY,
      tf.errors.InternalError,
      "cudaSetDevice() on GPU:0 failed. Status: out of memory",
    ),
    (
      device_errors.MEMORY,
      tf.errors.InternalError,
      "Failed copying input tensor from /job:localhost/replica:0/task:0/"
      "device:CPU:0 to /job:localhost/replica:0/task:0/device:GPU:0 in order "
      "to run Identity: Dst tensor is not initialized.",
    ),
    (
      device_errors.MEMORY,
      tf.errors.InvalidArgumentError,
      "failed call to cuDevicePrimaryCtxRetain: CUDA_ERROR_OUT_OF_MEMORY: out "
      "of memory",
    ),
    (
      device_errors.LOST,
      tf.errors.InternalError,
      "cudaSetDevice() on GPU:0 failed. Status: CUDA-capable device(s) is/are "
      "busy or unavailable",
    ),
    (
      device_errors.LOST,
      tf.errors.InternalError,
      "Failed call to cudaGetDeviceCount: no CUDA-capable device is detected",
    ),
    (
      device_errors.XLA,
      tf.errors.UnavailableError,
      "No PTX compilation provider is available. Neither ptxas/nvlink nor "
      "nvjtlink is available.",
    ),
    (
      device_errors.XLA,
      tf.errors.InternalError,
      "libdevice not found at ./libdevice.10.bc",
    ),
  )
  def test_what_only_gpus_tell(self, kind, error, message):
    failure = device_errors.explain(
      error(None, None, f"Graph execution error:\n\n{message}\n\t [[node]]")
    )
    self.assertEqual(failure.kind, kind)
    self.assertIn(message.rstrip(".")[-20:], failure.text)
    self.assertLen(failure.text.splitlines(), 1)

  def test_a_file_of_records_that_is_gone(self):
    images = tfrecord_images.TfrecordImages(
      ["/gone/out of memory"],
      np.array([0]),
      np.array([0]),
      np.array([9]),
      lambda data: tf.reshape(tf.io.decode_raw(data, tf.uint8), [3, 3, 1]),
      (3, 3, 1),
    )
    rows = tf.data.Dataset.from_tensors([0]).map(images.gather)
    failure = self.explain(lambda: next(iter(rows)))
    self.assertEqual(failure.kind, device_errors.INPUT)
    self.assertEqual(
      failure.text,
      "/gone/out of memory cannot be read any more: No such file or directory",
    )

  @parameterized.parameters(
    tf.errors.ResourceExhaustedError(
      None, None, "/data/x; No space left on device"
    ),
    tf.errors.UnavailableError(None, None, "Socket closed"),
    tf.errors.InternalError(None, None, "Connection reset by peer"),
    ValueError("out of memory"),
  )
  def test_what_is_none_of_a_device(self, error):
    self.assertIsNone(device_errors.explain(error))


if __name__ == "__main__":
  absltest.main()
