import dataclasses

from absl import flags
from absl.testing import absltest, parameterized

from nct_tf import config, errors
from scripts import train

FLAGS = flags.FLAGS


def train_flags():
  return {
    flag.name: flag
    for module in train.FLAG_MODULES
    for flag in FLAGS.get_flags_for_module(module.__name__)
  }


class FlagsMatchConfigTest(parameterized.TestCase):
  def test_names_and_defaults_are_the_same(self):
    fields = {
      field.name: field.default
      for field in dataclasses.fields(config.TrainConfig)
    }
    defaults = {name: flag.default for name, flag in train_flags().items()}
    self.assertEqual(defaults, fields)

  def test_every_flag_has_help(self):
    for flag in train_flags().values():
      self.assertGreater(len(flag.help), 10, flag.name)

  def test_config_refuses_what_a_flag_refuses(self):
    num_bounds = 0
    for name, flag in train_flags().items():
      for bound, step in (("lower_bound", -1), ("upper_bound", 1)):
        limit = getattr(flag.parser, bound, None)
        if limit is None:
          continue
        num_bounds += 1
        outside = limit + step
        with self.assertRaises(ValueError, msg=f"--{name}={outside}"):
          flag.parser.parse(outside)
        with self.assertRaisesRegex(errors.InvalidInputError, f"`{name}`"):
          config.TrainConfig(**{name: outside})
    self.assertGreater(num_bounds, 30)

  def test_config_and_flag_know_the_same_choices(self):
    num_enums = 0
    for name, flag in train_flags().items():
      if not isinstance(flag, flags.EnumFlag):
        continue
      num_enums += 1
      with self.assertRaisesRegex(
        errors.InvalidInputError, ", ".join(flag.parser.enum_values)
      ):
        config.TrainConfig(**{name: "none such"})
    self.assertEqual(num_enums, 12)


class FlagfileTest(parameterized.TestCase):
  def changed(self):
    return config.TrainConfig(
      dataset="fake",
      noise_type="pair_flip",
      noise_rate=0.2,
      num_epochs=50,
      lr_decay_epochs=(20, 40),
      alpha_rampup_epochs=7,
      final_bn=True,
      target_variability_exclude_true=False,
    )

  @parameterized.named_parameters(
    ("default", config.TrainConfig()),
    ("never_decays", config.TrainConfig(lr_decay_epochs=())),
  )
  def test_round_trip(self, original):
    again = config.TrainConfig.from_flagfile(original.to_flagfile())
    self.assertEqual(again, original)

  def test_round_trip_of_a_changed_config(self):
    original = self.changed()
    again = config.TrainConfig.from_flagfile(original.to_flagfile())
    self.assertEqual(again, original)

  def test_flags_read_what_the_config_writes(self):
    parsed = {}
    for line in self.changed().to_flagfile().splitlines():
      name, text = line.removeprefix("--").split("=", 1)
      parsed[name] = train_flags()[name].parser.parse(text)
    self.assertEqual(config.TrainConfig(**parsed), self.changed())

  def test_folders_are_no_part_of_a_run(self):
    one = config.TrainConfig(
      workdir="a", export_dir="b", overwrite=True, cache="disk", cache_dir="c"
    )
    self.assertEqual(one.to_flagfile(), config.TrainConfig().to_flagfile())

  @parameterized.named_parameters(
    ("unknown", "--colour=red\n", "'--colour=red'"),
    ("no_value", "--width\n", "'--width'"),
    ("no_number", "--width=wide\n", "width cannot be read"),
    ("no_truth", "--final_bn=yes\n", "final_bn cannot be read: must be True"),
  )
  def test_refuses(self, text, message):
    with self.assertRaisesRegex(errors.InvalidInputError, message):
      config.TrainConfig.from_flagfile(text)


class CombinationsTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("rate_without_noise", {"noise_rate": 0.5}, "noise_rate"),
    (
      "pair_flip",
      {"noise_type": "pair_flip", "noise_rate": 0.5},
      "below 0.5 for pair_flip",
    ),
    (
      "max_below_min",
      {"target_variability_min": 0.6},
      "target_variability_max",
    ),
    (
      "decay_after_the_end",
      {"num_epochs": 10, "lr_decay_epochs": (5, 10)},
      r"lr_decay_epochs` must be in \[0, 10\).*=10",
    ),
    (
      "decoupled",
      {"optimizer": "adamw", "decoupled_weight_decay": True},
      "belongs to the optimizer sgd",
    ),
  )
  def test_refuses(self, arguments, message):
    with self.assertRaisesRegex(errors.InvalidInputError, message):
      config.TrainConfig(**arguments)

  @parameterized.parameters("learning_rate", "alpha_steepness", "weight_decay")
  def test_refuses_infinity(self, name):
    with self.assertRaisesRegex(errors.InvalidInputError, f"{name}=inf"):
      config.TrainConfig(**{name: float("inf")})

  def test_one_epoch_has_the_whole_learning_rate(self):
    one = config.TrainConfig(num_epochs=1)
    self.assertEqual(one.resolved_lr_decay_epochs, ())

  def test_derived_values(self):
    ninety = config.TrainConfig(num_epochs=50)
    self.assertEqual(ninety.resolved_alpha_rampup_epochs, 45)
    self.assertEqual(ninety.resolved_lr_decay_epochs, (45,))


if __name__ == "__main__":
  absltest.main()
