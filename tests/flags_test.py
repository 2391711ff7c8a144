"""Flags are made of options, and a config of flags."""

import importlib
import pkgutil

from absl import flags as absl_flags
from absl.testing import absltest, flagsaver, parameterized

import flags
from flags import option_flags, script_flags
from nct_tf import config, errors, methods
from nct_tf.options import fields
import scripts
from tests.support import processes

FLAGS = absl_flags.FLAGS


def all_groups():
  """Returns what scripts take: list of classes of options."""
  return [config.TrainConfig] + [
    value
    for value in vars(script_flags).values()
    if isinstance(value, type) and issubclass(value, fields.Options)
  ]


class DefinitionsTest(parameterized.TestCase):
  def test_no_name_is_defined_twice(self):
    before = set(FLAGS)
    for package in (flags, scripts):
      for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    self.assertEqual(set(FLAGS), before)
    for group in all_groups():
      with flagsaver.flagsaver():
        option_flags.define(group)  # Raises where a name is defined already.
        self.assertGreater(set(FLAGS), before, group)

  def test_methods_that_share_a_name_mean_the_same(self):
    for name in methods.option_names():
      kinds = {
        (
          fields.types_of(options)[name],
          option.unit,
          option.low,
          option.high,
          option.low_open,
          option.high_open,
          option.possible,
        )
        for options in methods.all_options().values()
        for other, option in fields.options_of(options).items()
        if other == name
      }
      self.assertLen(kinds, 1, name)

  def test_methods_take_no_name_of_a_runs_other_options(self):
    own = fields.options_of(config.TrainConfig).keys()
    self.assertEmpty(own & methods.option_names())

  def test_every_option_has_help(self):
    for group in all_groups():
      for section in group.sections():
        self.assertNotEmpty(section.title, group)
        for name, option in section.options.items():
          self.assertGreater(len(option.help), 10, name)
          self.assertRegex(option.help, r"^[\w`].*[.]$", name)

  def test_units_of_names_are_told(self):
    for group in all_groups():
      for section in group.sections():
        for name, option in section.options.items():
          for unit in ("epochs", "minutes", "seconds"):
            if name.endswith(f"_{unit}"):
              self.assertIn(option.unit, (unit, ""), name)

  def test_nothing_heavy_is_imported(self):
    code = (
      "import sys\n"
      "from flags import option_flags, script_flags\n"
      "from nct_tf import config, methods, networks\n"
      "print(*{name.split('.')[0] for name in sys.modules})"
    )
    process = processes.run_python("-c", code, check=True)
    heavy = "tensorflow keras h5py matplotlib sklearn numpy tensorflow_addons"
    self.assertNoCommonElements(process.stdout.split(), heavy.split())


class TrainFlagsTestCase(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.enter_context(flagsaver.flagsaver())
    option_flags.define(config.TrainConfig)
    self.names = [
      name
      for section in config.TrainConfig.sections()
      for name in section.options
    ]

  def parse(self, *arguments):
    FLAGS(["train", *arguments])
    return option_flags.read(config.TrainConfig)


class FlagsMatchConfigTest(TrainFlagsTestCase):
  def test_names_and_defaults_are_the_same(self):
    defaults = {name: FLAGS[name].default for name in self.names}
    of_methods = dict.fromkeys(methods.option_names())
    self.assertEqual(
      defaults, fields.defaults_of(config.TrainConfig) | of_methods
    )
    self.assertEqual(self.parse(), config.TrainConfig())

  def test_config_refuses_what_a_flag_refuses(self):
    num_bounds = 0
    for name in self.names:
      parser = FLAGS[name].parser
      method = (methods.having(name) or ("nct",))[0]
      for bound, step in (("lower_bound", -1), ("upper_bound", 1)):
        limit = getattr(parser, bound, None)
        if limit is None:
          continue
        num_bounds += 1
        outside = limit + step
        with self.assertRaises(ValueError, msg=f"--{name}={outside}"):
          parser.parse(outside)
        with self.assertRaisesRegex(errors.InvalidInputError, f"`{name}`"):
          config.TrainConfig.from_flags(method=method, **{name: outside})
    self.assertGreater(num_bounds, 30)

  def test_a_flag_refuses_a_bound_that_is_open(self):
    num_bounds = 0
    for section in config.TrainConfig.sections():
      for name, option in section.options.items():
        for bound, is_open in (
          (option.low, option.low_open),
          (option.high, option.high_open),
        ):
          if bound is None:
            continue
          num_bounds += is_open
          if is_open:
            with self.assertRaisesRegex(ValueError, "is not a number"):
              FLAGS[name].parser.parse(str(bound))
          else:
            FLAGS[name].parser.parse(str(bound))
    self.assertGreater(num_bounds, 8)

  def test_config_and_flag_know_the_same_choices(self):
    num_enums = 0
    for name in self.names:
      flag = FLAGS[name]
      if not isinstance(flag, absl_flags.EnumFlag):
        continue
      num_enums += 1
      method = {"method": (methods.having(name) or ("nct",))[0]}
      with self.assertRaisesRegex(
        errors.InvalidInputError, ", ".join(flag.parser.enum_values)
      ):
        config.TrainConfig.from_flags(**{**method, name: "none such"})
    self.assertGreaterEqual(num_enums, 13)


class FlagfileTest(TrainFlagsTestCase):
  def changed(self):
    return config.TrainConfig.from_flags(
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
    ("standard", config.TrainConfig(method="standard")),
    (
      "bootstrap",
      config.TrainConfig(
        method="bootstrap", method_options={"bootstrap_beta": 0.7}
      ),
    ),
  )
  def test_round_trip(self, original):
    again = config.TrainConfig.from_flagfile(original.to_flagfile())
    self.assertEqual(again, original)

  def test_round_trip_of_a_changed_config(self):
    original = self.changed()
    again = config.TrainConfig.from_flagfile(original.to_flagfile())
    self.assertEqual(again, original)

  def test_flags_read_what_the_config_writes(self):
    parsed = self.parse(*self.changed().to_flagfile().splitlines())
    self.assertEqual(parsed, self.changed())
    self.assertEqual(self.parse(*self.changed().to_flags()), self.changed())

  def test_only_what_differs_from_the_defaults_is_a_flag(self):
    self.assertEqual(
      self.changed().to_flags(),
      [
        "--dataset=fake",
        "--noise_type=pair_flip",
        "--noise_rate=0.2",
        "--final_bn=True",
        "--alpha_rampup_epochs=7",
        "--target_variability_exclude_true=False",
        "--num_epochs=50",
        "--lr_decay_epochs=20,40",
      ],
    )

  def test_lists_have_commas(self):
    parsed = self.parse(
      "--lr_decay_epochs=60, 120",
      "--strategy=multi_worker",
      "--workers=a:1,b:2",
      "--worker_index=1",
    )
    self.assertEqual(parsed.lr_decay_epochs, (60, 120))
    self.assertEqual(parsed.workers, ("a:1", "b:2"))
    self.assertEqual(self.parse("--lr_decay_epochs=").lr_decay_epochs, ())

  def test_the_options_of_the_method_stand_after_it(self):
    lines = config.TrainConfig().to_flagfile().splitlines()
    first = lines.index("--method=nct")
    self.assertEqual(
      lines[first + 1 : first + 9],
      [
        "--temperature=4.0",
        "--alpha_max=0.9",
        "--alpha_steepness=0.65",
        "--target_variability_min=0.0",
        "--target_variability_max=0.5",
        "--target_variability_warmup_epochs=1",
        "--target_variability_exclude_true=True",
        "--num_epochs=200",
      ],
    )
    others = [line for line in lines if line not in lines[first : first + 8]]
    standard = config.TrainConfig(method="standard").to_flagfile().splitlines()
    self.assertEqual(
      standard, [*others[:first], "--method=standard"] + others[first:]
    )

  def test_folders_are_no_part_of_a_run(self):
    one = config.TrainConfig(
      workdir="a", export_dir="b", overwrite=True, cache="disk", cache_dir="c"
    )
    self.assertEqual(one.to_flagfile(), config.TrainConfig().to_flagfile())

  def test_what_makes_no_difference_is_no_circumstance_of_a_run(self):
    one = config.TrainConfig(
      data_dir="a", keep_checkpoints=7, strategy="mirrored", num_virtual_cpus=2
    )
    self.assertNotEqual(one, config.TrainConfig())
    self.assertEqual(one.without_circumstances(), config.TrainConfig())
    other = self.changed()
    self.assertEqual(other.without_circumstances(), other)

  @parameterized.named_parameters(
    ("unknown", "--colour=red\n", "'--colour=red'"),
    ("no_value", "--width\n", "'--width'"),
    ("no_number", "--width=wide\n", "width cannot be read"),
    ("no_truth", "--final_bn=yes\n", "final_bn cannot be read: must be True"),
  )
  def test_refuses(self, text, message):
    with self.assertRaisesRegex(errors.InvalidInputError, message):
      config.TrainConfig.from_flagfile(text)

  def test_an_earlier_versions_options_of_another_method_are_passed_over(self):
    text = config.TrainConfig().to_flagfile()
    text = text.replace("--method=nct", "--method=standard")
    with self.assertNoLogs("nct_tf"):
      read = config.TrainConfig.from_flagfile(text)
    self.assertEqual(read, config.TrainConfig(method="standard"))
    text = text.replace("variability_max=0.5", "variability_max=0.3")
    text = text.replace("temperature=4.0", "temperature=2.0")
    with self.assertLogs("nct_tf") as logs:
      read = config.TrainConfig.from_flagfile(text)
    self.assertEqual(read, config.TrainConfig(method="standard"))
    self.assertLen(logs.output, 1)
    self.assertRegex(
      logs.output[0],
      "method standard does not have it: --temperature=2.0 "
      "--target_variability_max=0.3$",
    )


class AutoTest(TrainFlagsTestCase):
  NAMES = (
    "image_size",
    "augmentation",
    "network",
    "width",
    "target_variability_max",
    "num_epochs",
    "batch_size",
  )

  def test_auto_is_what_is_not_given(self):
    own = config.TrainConfig(dataset="folder:x")
    self.assertCountEqual(own.automatic_options, self.NAMES)
    given = self.parse(
      "--dataset=folder:x", *(f"--{name}=auto" for name in self.NAMES)
    )
    self.assertEqual(given, own)
    self.assertEqual(own.to_flags(), ["--dataset=folder:x"])
    # It takes back what stands before it, as in a flag file.
    taken_back = self.parse(
      "--dataset=cifar10", "--num_epochs=3", "--num_epochs=auto"
    )
    self.assertEqual(taken_back.num_epochs, 200)

  def test_what_is_given_is_not_chosen(self):
    own = self.parse("--dataset=npz:x", "--num_epochs=3", "--width=8")
    self.assertCountEqual(
      own.automatic_options, {*self.NAMES} - {"num_epochs", "width"}
    )
    self.assertContainsSubset(["--num_epochs=3", "--width=8"], own.to_flags())

  def test_images_as_they_are_need_no_choice(self):
    chosen = self.parse(
      "--dataset=csv:x",
      "--method=standard",
      "--augmentation=none",
      "--network=mlp",
      "--width=8",
      "--num_epochs=2",
      "--batch_size=4",
    )
    self.assertIsNone(chosen.image_size)
    self.assertEmpty(chosen.automatic_options)

  def test_only_what_may_be_auto_takes_it(self):
    with self.assertRaisesRegex(absl_flags.Error, "--seed=auto"):
      self.parse("--seed=auto")

  def test_public_data_get_the_papers_values(self):
    for dataset in ("cifar10", "digits", "fake", "tiny_imagenet"):
      public = config.TrainConfig(dataset=dataset)
      self.assertEmpty(public.automatic_options)
      self.assertEqual(
        (public.network, public.width, public.image_size),
        ("preact_resnet18", 64, None),
      )
      self.assertEqual((public.num_epochs, public.batch_size), (200, 128))
      self.assertEqual(public.augmentation, "crop_flip")
      self.assertEqual(public.method_options.target_variability_max, 0.5)
      self.assertNotIn("--num_epochs=200", public.to_flags())

  def test_the_papers_values_are_the_users_where_given_for_own_images(self):
    own = self.parse("--dataset=folder:x", "--num_epochs=200")
    self.assertIn("--num_epochs=200", own.to_flags())
    again = config.TrainConfig.from_flagfile(own.to_flagfile())
    self.assertEqual(again, own)


class MethodOptionsTest(parameterized.TestCase):
  def test_may_be_given_in_three_ways(self):
    options = methods.get_options("bootstrap")(bootstrap_beta=0.8)
    one, *others = (
      config.TrainConfig(method="bootstrap", method_options=options),
      config.TrainConfig(
        method="bootstrap", method_options={"bootstrap_beta": 0.8}
      ),
      config.TrainConfig.from_flags(
        method="bootstrap", bootstrap_beta=0.8, temperature=None
      ),
    )
    self.assertEqual(one.method_options.bootstrap_beta, 0.8)
    self.assertEqual(one.method_options.bootstrap_type, "soft")
    self.assertEqual({one, *others}, {one})

  def test_are_the_methods_defaults_if_not_given(self):
    for name in methods.names():
      wanted = methods.get_options(name)
      made = config.TrainConfig(method=name)
      self.assertEqual(made.method_options, wanted(**fields.papers_of(wanted)))
      own = config.TrainConfig(method=name, dataset="folder:x")
      self.assertEqual(own.method_options, wanted())

  @parameterized.named_parameters(
    (
      "another_methods",
      {"method": "standard", "temperature": 2.0},
      "^Argument `temperature` belongs to the method nct. Received: "
      "method=standard$",
    ),
    ("range", {"temperature": 0.0}, r"`temperature` must be in \(0, inf\)"),
    (
      "choice",
      {"method": "bootstrap", "bootstrap_type": "firm"},
      "`bootstrap_type` must be one of soft, hard",
    ),
    ("method", {"method": "magic"}, "`method` must be one of nct, standard"),
  )
  def test_refuses(self, values, message):
    with self.assertRaisesRegex(errors.InvalidInputError, message):
      config.TrainConfig.from_flags(**values)

  @parameterized.named_parameters(
    ("of_no_method", {"colour": 1}, "`colour` belongs to no method"),
    (
      "of_another_method",
      methods.get_options("standard")(),
      "of the class NCT where `method` is nct. Received: Standard",
    ),
  )
  def test_refuses_options(self, options, message):
    with self.assertRaisesRegex(errors.InvalidInputError, message):
      config.TrainConfig(method_options=options)

  def test_replace_keeps_what_it_does_not_change(self):
    first = config.TrainConfig.from_flags(temperature=2.0, width=8)
    second = first.replace(alpha_max=0.5, num_epochs=7)
    self.assertEqual(
      second,
      config.TrainConfig.from_flags(
        temperature=2.0, width=8, alpha_max=0.5, num_epochs=7
      ),
    )
    self.assertEqual(
      second.replace(alpha_max=None).method_options.alpha_max, 0.9
    )

  def test_replacing_the_method_keeps_none_of_the_old_ones_options(self):
    first = config.TrainConfig.from_flags(temperature=2.0, width=8)
    standard = first.replace(method="standard")
    self.assertEqual(standard, config.TrainConfig(method="standard", width=8))
    self.assertEqual(
      standard.replace(method="nct"), config.TrainConfig(width=8)
    )


class CombinationsTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("rate_without_noise", {"noise_rate": 0.5}, "noise_rate"),
    (
      "pair_flip",
      {"noise_type": "pair_flip", "noise_rate": 0.5},
      "below 0.5 for pair_flip",
    ),
    (
      "asymmetric_half",
      {"noise_type": "asymmetric", "noise_rate": 0.5},
      "below 0.5 for asymmetric",
    ),
    ("no_rate", {"noise_type": "asymmetric"}, "`noise_rate` must be above 0"),
    ("matrix_alone", {"noise_matrix": "t"}, "belongs to noise_type=asymmetric"),
    (
      "map_of_other_noise",
      {"noise_type": "pair_flip", "noise_rate": 0.4, "noise_map": "mnist"},
      "`noise_map` belongs to noise_type=asymmetric",
    ),
    (
      "matrix_and_rate",
      {"noise_type": "asymmetric", "noise_matrix": "t", "noise_rate": 0.2},
      "must not be given with `noise_matrix`.*noise_rate=0.2",
    ),
    (
      "matrix_and_count",
      {"noise_type": "asymmetric", "noise_matrix": "t", "noise_count": "exact"},
      "`noise_count` must be bernoulli with `noise_matrix`",
    ),
    (
      "count_of_images",
      {
        "noise_type": "instance_dependent",
        "noise_rate": 0.2,
        "noise_count": "exact",
      },
      "`noise_count` must be bernoulli for instance_dependent",
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
    (
      "nesterov",
      {"optimizer": "adam", "nesterov": True},
      "`nesterov` belongs to the optimizer sgd. .*optimizer=adam$",
    ),
    ("no_momentum", {"nesterov": True, "momentum": 0.0}, "above 0 with nest"),
    (
      "final_momentum",
      {"final_momentum": 0.1},
      "`final_momentum` belongs to the optimizer adam",
    ),
    (
      "final_momentum_of_no_decay",
      {"optimizer": "adam", "final_momentum": 0.1, "lr_decay_epochs": ()},
      "`lr_decay_epochs` must have an epoch with final_momentum",
    ),
    (
      "final_momentum_of_cosine",
      {"optimizer": "adam", "final_momentum": 0.1, "lr_schedule": "cosine"},
      "`final_momentum` belongs to lr_schedule=step or linear or time",
    ),
    (
      "decay_epochs_of_cosine",
      {"lr_schedule": "cosine", "lr_decay_epochs": (1, 2)},
      "`lr_decay_epochs` belongs to .*lr_decay_epochs=1,2, lr_schedule=cosine",
    ),
    (
      "factor_of_linear",
      {"lr_schedule": "linear", "lr_decay_factor": 0.2},
      "`lr_decay_factor` belongs to lr_schedule=step or time or exponential",
    ),
    (
      "several_of_linear",
      {"lr_schedule": "linear", "lr_decay_epochs": (1, 2)},
      "`lr_decay_epochs` must be one epoch .*lr_decay_epochs=1,2",
    ),
    ("min", {"lr_min": 0.1}, "`lr_min` belongs to lr_schedule=cosine"),
    (
      "min_above",
      {"lr_schedule": "cosine", "lr_min": 0.1},
      r"`lr_min` must be in \[0, 0.02\]",
    ),
    ("restarts", {"lr_restart_epochs": 2}, "`lr_restart_epochs` belongs to"),
    ("no_time", {"lr_schedule": "time"}, "`lr_time_decay` must be given"),
    ("time", {"lr_time_decay": 1.0}, "belongs to lr_schedule=time"),
    ("fold_alone", {"fold": 1}, "`num_folds` and `fold` belong together"),
    (
      "folds_and_fraction",
      {"num_folds": 3, "fold": 0, "validation_fraction": 0.1},
      "`validation_fraction` must be 0 with `num_folds`",
    ),
    (
      "worker_of_no_cluster",
      {"workers": ("a:1",), "worker_index": 0},
      "belong to --strategy=multi_worker",
    ),
  )
  def test_refuses(self, arguments, message):
    with self.assertRaisesRegex(errors.InvalidInputError, message):
      config.TrainConfig.from_flags(**arguments)

  @parameterized.parameters("learning_rate", "alpha_steepness", "weight_decay")
  def test_refuses_infinity(self, name):
    with self.assertRaisesRegex(errors.InvalidInputError, f"{name}=inf"):
      config.TrainConfig.from_flags(**{name: float("inf")})

  def test_one_epoch_has_the_whole_learning_rate(self):
    one = config.TrainConfig(num_epochs=1)
    self.assertEqual(one.decay_epochs(1), ())

  def test_derived_values(self):
    ninety = config.TrainConfig(num_epochs=50)
    self.assertEqual(ninety.decay_epochs(50), (45,))

  @parameterized.named_parameters(
    ("step", "step", {"lr_decay_epochs": (1, 3)}, [1, 0.1, 0.1, 0.01]),
    ("linear", "linear", {"lr_decay_epochs": (2,)}, [1, 1, 1, 0.5]),
    ("at_ninety_percent", "linear", {}, [1, 1, 1, 1]),
    ("cosine", "cosine", {"lr_min": 0.5}, [1, 0.926777, 0.75, 0.573223]),
    ("restarts", "cosine", {"lr_restart_epochs": 2}, [1, 0.5, 1, 0.5]),
    ("time", "time", {"lr_time_decay": 1.0}, [1, 0.5, 1 / 3, 0.025]),
    ("each", "exponential", {"lr_decay_factor": 0.5}, [1, 0.5, 0.25, 0.125]),
  )
  def test_learning_rates(self, name, options, expected):
    one = config.TrainConfig(
      num_epochs=9, learning_rate=1.0, lr_schedule=name, **options
    )
    self.assertEqual(config.TrainConfig.from_flagfile(one.to_flagfile()), one)
    actual = [one.learning_rate_at(epoch, 4) for epoch in range(4)]
    for rate, other in zip(actual, expected, strict=True):
      self.assertAlmostEqual(rate, other, places=6)

  def test_refuses_a_decay_that_no_training_between_restarts_reaches(self):
    one = config.TrainConfig(num_epochs=10, lr_decay_epochs=(6,))
    one.check_decay_epochs(7)
    with self.assertRaisesRegex(
      errors.InvalidInputError, r"`lr_decay_epochs` must be in \[0, 5\).*=6"
    ):
      one.check_decay_epochs(5)

  def test_momentum_changes_with_the_rate(self):
    one = config.TrainConfig(
      optimizer="adam", final_momentum=0.1, lr_decay_epochs=(2,)
    )
    actual = [one.momentum_at(epoch, 4) for epoch in range(4)]
    self.assertEqual(actual, [0.9, 0.9, 0.1, 0.1])
    self.assertEqual(config.TrainConfig().momentum_at(199, 200), 0.9)

  def test_a_flag_file_from_before_there_were_schedules(self):
    original = config.TrainConfig(lr_decay_epochs=(60, 120))
    lines = original.to_flagfile().splitlines(keepends=True)
    new = ("--lr_schedule", "--lr_min", "--nesterov")
    kept = [line for line in lines if not line.startswith(new)]
    self.assertLen(kept, len(lines) - len(new))
    self.assertEqual(config.TrainConfig.from_flagfile("".join(kept)), original)


class HelpTest(absltest.TestCase):
  def test_says_what_must_be_given(self):
    required = {"workdir": "required"}
    text = option_flags.describe(script_flags.Evaluate, required=required)
    self.assertIn("--workdir: Folder of the finished run. (required)\n", text)
    self.assertEqual(text.count("required"), 1)

  def test_an_empty_default_is_left_out(self):
    text = option_flags.describe(script_flags.Reproduce)
    self.assertIn("(a comma separated list)", text)
    self.assertNotIn("default: )", text)


class ScriptOptionsTest(parameterized.TestCase):
  @parameterized.named_parameters(
    (
      "no_folder",
      script_flags.Compare,
      {"workdirs": ()},
      "at least one folder",
    ),
    ("empty_name", script_flags.Compare, {"workdirs": ("a", "")}, "empty name"),
    ("figure", script_flags.Compare, {"figure": "a.pdf"}, "must end in .png"),
    ("output", script_flags.Plot, {"output": "a.pdf"}, "must end in .png"),
    ("no_seed", script_flags.Plot, {"seeds": ()}, "at least one seed"),
    ("seed_twice", script_flags.Plot, {"seeds": (0, 1, 0)}, "0,1,0"),
    (
      "figure_of_other_data",
      script_flags.Reproduce,
      {"figure": 1, "dataset": "npz:x.npz"},
      "belong to table and published",
    ),
    ("bad_seed", script_flags.Reproduce, {"seeds": (0, -1)}, "=-1"),
    ("unknown_method", script_flags.Tune, {"methods": ("x",)}, "`methods`.*x"),
    (
      "two_servers",
      script_flags.Predict,
      {"rest_url": "x", "grpc_address": "y"},
      r"Exactly one of \(export_dir, rest_url, grpc_address\).*rest_url, grpc",
    ),
  )
  def test_refuses(self, group, values, message):
    with self.assertRaisesRegex(errors.InvalidInputError, message):
      group(**values)


if __name__ == "__main__":
  absltest.main()
