import os
import re

from absl.testing import absltest, parameterized
import tensorflow as tf

from nct_tf import distribution
from nct_tf.system import devices
from tests.support import virtual_devices

H100 = devices.Device("GPU", "NVIDIA H100", 85_000_000_000, (9, 0))
V100 = devices.Device("GPU", "Tesla V100", 16_900_000_000, (7, 0))
P100 = devices.Device("GPU", "Tesla P100", 16_900_000_000, (6, 0))
TPU = devices.Device("TPU")


class DeviceTest(parameterized.TestCase):
  @parameterized.parameters(
    (H100, True, True),
    (V100, False, True),
    (P100, False, False),
    (TPU, True, False),
    # Cards of other makers do not tell.
    (devices.Device("GPU", "AMD Instinct"), True, True),
  )
  def test_units_of_a_type(self, device, bfloat16, float16):
    self.assertEqual(device.has_units("bfloat16"), bfloat16)
    self.assertEqual(device.has_units("float16"), float16)

  def test_units_of_a_cpu_are_those_of_linux(self):
    with open("/proc/cpuinfo", encoding="utf-8") as file:
      flags = file.read().split()
    has_units = "amx_bf16" in flags or "avx512_bf16" in flags
    cpu = devices.Device("CPU")
    self.assertEqual(cpu.has_units("bfloat16"), has_units)


@absltest.skipIf(tf.config.list_physical_devices("GPU"), "there is a GPU")
class OnCpuTest(parameterized.TestCase):
  """What is chosen and told where there is a CPU alone."""

  def test_is_described(self):
    device, precision, xla = devices.describe("none", "auto")
    self.assertRegex(
      device, rf"^Device: CPU .*\({len(os.sched_getaffinity(0))}"
    )
    self.assertRegex(device, "bfloat16")
    self.assertEqual(precision, "Precision: float32")
    self.assertStartsWith(xla, "XLA: off, as ")

  def test_replicas_are_counted(self):
    self.assertGreaterEqual(virtual_devices.NUM_DEVICES, 2)
    strategy = distribution.create("mirrored", num_virtual_cpus=2)
    self.assertLen(devices.find(strategy), 2)
    device, precision, xla = devices.describe("bfloat16", "true", strategy)
    self.assertEndsWith(device, ", as 2 devices")
    self.assertStartsWith(precision, "Precision: bfloat16; ")
    self.assertEqual(xla, "XLA: on, as --jit_compile=true says")

  @parameterized.parameters(("auto", False), ("true", True), ("false", False))
  def test_xla(self, jit_compile, expected):
    self.assertEqual(devices.use_xla(jit_compile), expected)

  @parameterized.parameters(
    ("auto", "none"), ("none", "none"), ("float16", "float16")
  )
  def test_precision(self, mixed_precision, expected):
    self.assertEqual(devices.choose_precision(mixed_precision), expected)

  def test_a_precision_without_units_is_named(self):
    self.assertEmpty(devices.find_warnings("none"))
    has_units = devices.Device("CPU").has_units("float16")
    warnings = devices.find_warnings("float16")
    self.assertLen(warnings, 0 if has_units else 1)
    for line in warnings:
      self.assertTrue(re.match("--mixed_precision=float16 is slower", line))


if __name__ == "__main__":
  absltest.main()
