"""What `import nct_tf` offers, and what it does not load."""

import pathlib
import subprocess
import sys

from absl.testing import absltest, parameterized

import nct_tf

_API = pathlib.Path(__file__).absolute().parents[1] / "docs" / "api.md"
NAMES = (
  "ConcurrentModel",
  "LabelScores",
  "StandardModel",
  "TrainConfig",
  "audit_labels",
  "concurrent_schedules",
  "corrupt_labels",
  "load_run",
  "train_and_evaluate",
)
MODULES = (
  "label_noise",
  "losses",
  "methods",
  "networks",
  "schedules",
  "target_variability",
)


class PublicFaceTest(parameterized.TestCase):
  @parameterized.parameters(*NAMES)
  def test_has_and_documents(self, name):
    self.assertTrue(callable(getattr(nct_tf, name)))
    self.assertIn(name, dir(nct_tf))
    self.assertNotEmpty(getattr(nct_tf, name).__doc__)
    self.assertIn(f"| `{name}(", _API.read_text(encoding="utf-8"))

  @parameterized.parameters(*MODULES)
  def test_modules_keep_their_paths(self, name):
    self.assertEqual(getattr(nct_tf, name).__name__, f"nct_tf.{name}")

  def test_what_is_not_there_is_named(self):
    with self.assertRaisesRegex(AttributeError, "'nct_tf' has no .*'Nothing'"):
      nct_tf.Nothing  # noqa: B018 It raises.

  def test_loads_little_until_something_is_used(self):
    code = (
      "import sys, nct_tf; config = nct_tf.TrainConfig(method='standard');"
      "print(nct_tf.__version__, *{'tensorflow', 'keras', 'matplotlib',"
      " 'sklearn'} & set(sys.modules))"
    )
    printed = subprocess.check_output([sys.executable, "-c", code], text=True)
    self.assertEqual(printed.split(), [nct_tf.__version__])


if __name__ == "__main__":
  absltest.main()
