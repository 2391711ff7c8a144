import pathlib
import shlex
import tempfile

from absl.testing import absltest, parameterized

from nct_tf import config as config_lib, errors
from nct_tf.workdir import layout


class OtherRunTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    folder = self.enter_context(tempfile.TemporaryDirectory())
    self.workdir = pathlib.Path(folder, "my run")
    self.workdir.mkdir()
    self.config = config_lib.TrainConfig.from_flags(
      dataset="folder:my pictures",
      num_epochs=30,
      clip_norm=1.0,
      strategy="mirrored",
      workdir=str(self.workdir),
    )
    self.flags_file = self.workdir / "flags.txt"
    self.flags_file.write_text(self.config.to_flagfile())

  def refusal(self, config):
    with self.assertRaises(errors.InvalidInputError) as refused:
      layout.Workdir(self.workdir).find_run(config)
    return str(refused.exception)

  def read(self, message):
    """Returns the `TrainConfig` of the command at a message's end."""
    command = message[message.index(" -m scripts.train ") :]
    flags = shlex.split(command)[2:]
    lines = []
    for flag in flags:
      name, _, value = flag.partition("=")
      lines += (
        pathlib.Path(value).read_text().splitlines()
        if name == "--flagfile"
        else [flag]
      )
    return config_lib.TrainConfig.from_flagfile("\n".join(lines))

  @parameterized.parameters(
    ({"num_epochs": 40}, "40_epochs"),
    ({"width": 9}, "width_9"),
    ({"width": 9, "seed": 1, "cache": "disk"}, "changed"),
    ({"clip_norm": None}, "without_clip_norm"),
    ({"label_decisions": "a b/decisions.csv"}, "relabelled"),
    ({"temperature": 2.0, "strategy": "default"}, "temperature_2.0"),
    ({"method": "bootstrap", "download": True}, "method_bootstrap"),
    ({"lr_decay_epochs": (3, 7)}, "lr_decay_epochs_3_7"),
  )
  def test_the_command_trains_it_beside_the_other_one(self, changes, suffix):
    wanted = self.config.replace(**changes)
    message = self.refusal(wanted)
    self.assertLen(message.splitlines(), 1)
    self.assertEqual(
      self.read(message), wanted.replace(workdir=f"{self.workdir}_{suffix}")
    )

  def test_more_epochs_are_another_run_and_it_says_why(self):
    message = self.refusal(self.config.replace(num_epochs=40))
    self.assertIn(
      "(num_epochs is 30 there and 40 here; its schedules were made for 30 "
      "epochs)",
      message,
    )
    self.assertIn(
      f"'--flagfile={self.flags_file}' --num_epochs=40 '--workdir=", message
    )


if __name__ == "__main__":
  absltest.main()
