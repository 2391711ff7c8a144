"""What has to hold on a GPU: `make test-gpu`.

NCT_TF_TEST_DEVICE=CPU has the same tests run on a CPU, which shows that the
tests are right.
"""

import os
import pathlib
import tempfile
import unittest

from absl.testing import absltest, parameterized
import numpy as np
import tensorflow as tf

from nct_tf.system import devices
from tests import losses_test, schedules_test, target_variability_test
from tests.methods import nct_test
from tests.support import interrupted_runs, tiny_run

_DEVICE = os.environ.get("NCT_TF_TEST_DEVICE", "GPU")

# Two processes that train at the same time would share the GPU.
_FLAGS = (
  *interrupted_runs.TINY,
  "--num_epochs=4",
  "--mixed_precision=auto",
  "--deterministic",
)
_OFTEN = "--checkpoint_every_minutes=0.00001"

on_device = unittest.skipUnless(
  tf.config.list_physical_devices(_DEVICE),
  f"there is no {_DEVICE} (NCT_TF_TEST_DEVICE=CPU runs it on a CPU)",
)


def setUpModule():
  devices.prepare()


class OnDevice(parameterized.TestCase):
  """Has operations run on the device, and products in whole float32."""

  def setUp(self):
    super().setUp()
    enable_tf32 = tf.config.experimental.enable_tensor_float_32_execution
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    enable_tf32(False)
    self.addCleanup(enable_tf32, before)
    self.enter_context(tf.device(f"/{_DEVICE}:0"))


@on_device
class DeviceTest(OnDevice):
  def test_computes_on_it(self):
    product = tf.linalg.matmul(tf.ones([64, 64]), tf.ones([64, 64]))
    self.assertEndsWith(product.device, f"device:{_DEVICE}:0")
    np.testing.assert_array_equal(product, np.full([64, 64], 64.0))

  def test_is_known(self):
    (found,) = devices.find()
    self.assertEqual(found.kind, _DEVICE)
    self.assertNotEmpty(found.name)
    self.assertEqual(devices.use_xla("auto"), _DEVICE == "GPU")
    self.assertEmpty(devices.find_warnings())
    if _DEVICE == "GPU":
      self.assertGreater(found.memory, 2**30)
      self.assertGreaterEqual(found.compute_capability, (5, 0))
      # Not all of the memory is taken at once.
      taken = tf.config.experimental.get_memory_info("GPU:0")["current"]
      self.assertLess(taken, found.memory / 2)


@on_device
class GoldenLossesTest(OnDevice, losses_test.GoldenValuesTest):
  """The paper's formulas."""


@on_device
class MimicryLossTest(OnDevice, losses_test.MimicryLossTest):
  """The paper's formulas, one example and one class at a time."""


@on_device
class SigmoidRampupTest(OnDevice, schedules_test.SigmoidRampupTest):
  """Equation 4."""


@on_device
class LogRampupTest(OnDevice, schedules_test.LogRampupTest):
  """Equation 5."""


@on_device
class TargetVariabilityTest(
  OnDevice, target_variability_test.RandomizeLabelsTest
):
  """Algorithm 2."""


@on_device
class OneStepTest(OnDevice, nct_test.OneStepTest):
  """Algorithm 1 against NumPy."""


@on_device
class RunsTest(absltest.TestCase):
  """Runs of `scripts.train`, each a process of its own, to the last bit."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = tempfile.TemporaryDirectory()
    cls.addClassCleanup(folder.cleanup)
    cls.folder = pathlib.Path(folder.name)
    cls.undisturbed = cls.folder / "undisturbed"
    cls.log = cls.train(cls.undisturbed)

  @classmethod
  def train(cls, workdir):
    code, text = interrupted_runs.finish(
      interrupted_runs.start(workdir, *_FLAGS)
    )
    if code:
      raise RuntimeError(f"The run ended with code {code}: {text[-2000:]}")
    return text

  def test_the_log_names_the_device(self):
    lines = self.log.splitlines()
    (device,) = (line for line in lines if line.startswith("Device: "))
    self.assertStartsWith(device, f"Device: {_DEVICE} ")
    self.assertLen([x for x in lines if x.startswith("Precision: ")], 1)
    (xla,) = (line for line in lines if line.startswith("XLA: "))
    self.assertStartsWith(xla, f"XLA: {'on' if _DEVICE == 'GPU' else 'off'}, ")
    flags = (self.undisturbed / "flags.txt").read_text()
    chosen = devices.choose_precision("auto")
    self.assertIn(f"--mixed_precision={chosen}\n", flags)

  def test_two_runs_are_alike(self):
    again = self.folder / "again"
    self.train(again)
    self.assertEmpty(interrupted_runs.differences(self.undisturbed, again))

  def test_a_killed_run_ends_as_if_nobody_had_disturbed_it(self):
    workdir = self.folder / "killed"
    process = interrupted_runs.start(workdir, *_FLAGS, _OFTEN)
    is_within = interrupted_runs.has_come_to(workdir, 1, 3)
    self.assertTrue(interrupted_runs.wait_for(process, is_within))
    process.kill()
    interrupted_runs.finish(process)
    self.assertFalse((workdir / "result.json").exists())
    self.assertIn("Goes on from", self.train(workdir))
    self.assertEmpty(interrupted_runs.differences(self.undisturbed, workdir))


@on_device
class XlaTest(absltest.TestCase):
  def test_steps_are_the_same_with_and_without_it(self):
    folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    without, compiled = (
      tiny_run.train(
        folder / jit_compile,
        network="simple_cnn",
        noise_type="symmetric_inclusive",
        monitor_every_epochs=1,
        jit_compile=jit_compile,
      ).read_history()
      for jit_compile in ("false", "true")
    )
    self.assertEqual(without.keys(), compiled.keys())
    for name in without.keys() - set(interrupted_runs.TIMES):
      # TF32 has ten bits of fraction.
      np.testing.assert_allclose(
        compiled[name], without[name], rtol=1e-2, atol=2e-3, err_msg=name
      )


if __name__ == "__main__":
  absltest.main()
