"""What is chosen for one's own pictures."""

import contextlib
import pathlib
import tempfile
from unittest import mock

from absl.testing import absltest, parameterized
import numpy as np

from nct_tf import config as config_lib, errors
from nct_tf.system import devices
from nct_tf.training import automatic, cost, run
from nct_tf.workdir import layout
from tests.support import tiny_run

_NAMES = (
  "image_size",
  "augmentation",
  "network",
  "width",
  "target_variability_max",
  "num_epochs",
  "batch_size",
)


def pictures(num_images, size):
  """Returns pictures of two classes, one of which is bright on the left."""
  rng = np.random.default_rng(0)
  labels = np.arange(num_images) % 2
  shape = [num_images, size, size, 3]
  images = rng.integers(100, size=shape, dtype=np.uint8)
  images[labels == 0, :, : size // 2] += 100
  return images, labels


class AutomaticTestCase(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    folder = self.enter_context(tempfile.TemporaryDirectory())
    self.folder = pathlib.Path(folder)

  def own(self, num_images=60, size=8, images=None, **options):
    """Returns the `TrainConfig` of pictures of one's own."""
    own_images, labels = pictures(num_images, size)
    images = own_images if images is None else images
    file = self.folder / f"{num_images}_{size}.npz"
    np.savez(file, images=images, labels=labels)
    return config_lib.TrainConfig.from_flags(dataset=f"npz:{file}", **options)

  @contextlib.contextmanager
  def nothing_is_chosen(self):
    with mock.patch.object(automatic, "choose") as choose:
      yield
    choose.assert_not_called()


class ChoiceTest(AutomaticTestCase):
  """The rules, on machines whose speed is known: what is measured is said."""

  def choose(self, *args, seconds=lambda config: 0.01, **options):
    """Chooses where an epoch takes as long as `seconds` says of a config."""
    self.measured = []

    def estimate(config, dataset, _, num_train, **__):
      self.measured.append((config.network, config.width))
      self.num_train = num_train
      self.assertEqual(dataset.image_shape[0], config.image_size)
      self.last_epoch = config.num_epochs
      return {"epoch_seconds": seconds(config)}

    with mock.patch.object(cost, "estimate", estimate):
      choice = automatic.choose(self.own(*args, **options))
    self.assertEmpty(choice.config.automatic_options)
    return choice

  def test_what_fits_small_pictures(self):
    choice = self.choose(100)
    chosen = choice.config
    self.assertEqual((chosen.network, chosen.width), ("simple_cnn", 32))
    self.assertEqual(chosen.augmentation, "none")
    self.assertEqual(chosen.image_size, 8)
    self.assertEqual(chosen.batch_size, 32)
    self.assertEqual(chosen.num_epochs, 100)
    self.assertEqual(chosen.method_options.target_variability_max, 0.1)
    self.assertLen(self.measured, 1)
    self.assertAlmostEqual(choice.train_seconds, 1)
    self.assertAlmostEqual(choice.audit_seconds, 2)

  def test_choice_and_price_are_told(self):
    choice = self.choose(100)
    lines = choice.describe().splitlines()
    self.assertEqual(
      lines[0],
      "Chosen for 80 training images of 8x8 pixels (3 channels) and 2 classes:",
    )
    told = [line.split("=")[0].strip() for line in lines[1:-1]]
    self.assertCountEqual(told, [f"--{name}" for name in _NAMES])
    for line in lines[1:-1]:
      self.assertRegex(line, r"^  --\w+=\S+  +\w.*\w")
    self.assertRegex(
      lines[-1],
      r"^  Training will take about 1.0 s, its audit 2.0 s "
      r"\(--time_budget_minutes=10\)$",
    )

  def test_what_is_given_stays(self):
    choice = self.choose(
      network="mlp",
      width=4,
      num_epochs=3,
      batch_size=16,
      target_variability_max=0.3,
    )
    self.assertCountEqual(choice.reasons, ["image_size", "augmentation"])
    chosen = choice.config
    self.assertEqual((chosen.network, chosen.width), ("mlp", 4))
    self.assertEqual((chosen.num_epochs, chosen.batch_size), (3, 16))
    self.assertEqual(chosen.method_options.target_variability_max, 0.3)

  def test_few_images(self):
    choice = self.choose(8, 24, method="standard")
    # No batch is larger than the training split.
    self.assertEqual(choice.config.batch_size, 6)
    self.assertEqual(choice.config.augmentation, "none")
    self.assertRegex(choice.reasons["augmentation"], "^too few images")
    # The method makes no labels random.
    self.assertNotIn("target_variability_max", choice.reasons)

  @parameterized.parameters((2500, 32, 32), (12_500, 20, 128))
  def test_more_images(self, num_images, num_epochs, batch_size):
    chosen = self.choose(num_images, 4, method="standard").config
    self.assertEqual(chosen.num_epochs, num_epochs)
    self.assertEqual(chosen.batch_size, batch_size)

  def test_large_images_are_resized_and_those_with_sides_not_mirrored(self):
    choice = self.choose(60, 40, method="standard")
    self.assertEqual(choice.config.image_size, 32)
    self.assertEqual(choice.config.augmentation, "none")
    self.assertRegex(choice.reasons["image_size"], "^of 40, ")
    self.assertRegex(choice.reasons["augmentation"], "are where they belong$")

  def test_noise_may_be_mirrored(self):
    rng = np.random.default_rng(0)
    noise = rng.integers(256, size=[100, 24, 24, 1], dtype=np.uint8)
    choice = self.choose(100, 24, images=noise)
    self.assertIn("24x24 pixels (grey)", choice.facts)
    self.assertEqual(choice.config.augmentation, "crop_flip")
    self.assertRegex(choice.reasons["augmentation"], "as good as the other$")

  def test_dots_have_no_neighbourhoods(self):
    self.assertEqual(self.choose(60, 3).config.network, "mlp")

  def test_what_is_far_too_slow_is_passed_over(self):
    # Of ten minutes, three trainings of 100 epochs leave 2 s for an epoch.
    choice = self.choose(100, 32, seconds=lambda config: config.width)
    self.assertEqual(choice.config.width, 16)
    self.assertEqual(choice.config.image_size, 16)
    self.assertEqual(self.measured, [("simple_cnn", 32), ("simple_cnn", 16)])
    self.assertEqual(
      choice.reasons["network"], "the first choice would take too long"
    )

  def test_the_last_epoch_of_the_training_is_measured(self):
    self.choose(100, method="mlnt")
    self.assertEqual(self.last_epoch, 100)
    self.choose(100, method="mlnt", num_epochs=7)
    self.assertEqual(self.last_epoch, 7)

  def test_an_epoch_may_be_a_part_of_the_examples(self):
    choice = self.choose(
      100, sampling="balanced_subset", num_examples_per_epoch=20
    )
    self.assertEqual(choice.config.batch_size, 20)
    self.assertEqual(self.num_train, 80)

  def test_the_epochs_fill_the_time(self):
    choice = self.choose(100, seconds=lambda config: 10)
    self.assertEqual(choice.config.num_epochs, 20)
    self.assertRegex(choice.reasons["num_epochs"], "time for; 100 were better")
    self.assertEqual((choice.train_seconds, choice.audit_seconds), (200, 400))

  def test_a_training_comes_before_an_audit_by_folds(self):
    choice = self.choose(100, seconds=lambda config: 30)
    self.assertEqual(choice.config.num_epochs, 20)
    self.assertEqual((choice.train_seconds, choice.audit_seconds), (600, None))
    self.assertIn("its audit has no time to train again", choice.describe())
    # There is no less than one epoch, and no fewer than are asked for.
    for options, num_epochs in (({}, 1), ({"num_epochs": 7}, 7)):
      choice = self.choose(
        100, seconds=lambda config: 2, time_budget_minutes=0.01, **options
      )
      self.assertEqual(choice.config.num_epochs, num_epochs)
      self.assertIsNone(choice.audit_seconds)

  @parameterized.parameters(("incv", 8), ("d2l", 9), ("pencil", 3), ("nct", 1))
  def test_there_are_as_many_epochs_as_the_method_needs(self, method, fewest):
    choice = self.choose(
      100, method=method, seconds=lambda _: 60, time_budget_minutes=0.5
    )
    self.assertEqual(choice.config.num_epochs, fewest)
    self.assertEqual(
      choice.reasons["num_epochs"],
      f"the fewest that {method} can do; there is time for 0",
    )
    # That is what it will take, though there is less time.
    self.assertEqual(choice.train_seconds, 60 * fewest)

  def test_folds_need_time_for_as_many_epochs_as_the_method_needs(self):
    for seconds, num_epochs in ((14, 14), (15, 40)):
      choice = self.choose(
        100, method="incv", incv_iterations=7, seconds=lambda _, s=seconds: s
      )
      self.assertEqual(choice.config.num_epochs, num_epochs)
      self.assertEqual(choice.audit_seconds is None, seconds == 15)

  def test_a_method_may_need_more_epochs_than_there_would_be(self):
    options = {"method": "mlnt", "mlnt_plain_epochs": 40}
    choice = self.choose(2500, 4, seconds=lambda _: 0.1, **options)
    self.assertEqual(choice.config.num_epochs, 41)
    self.assertEqual(
      choice.reasons["num_epochs"], "the fewest that mlnt can do"
    )
    self.assertEqual(self.last_epoch, 41)

  def test_workers_cannot_choose_each_for_itself(self):
    config = self.own(
      strategy="multi_worker",
      workers=("localhost:1",),
      worker_index=0,
      num_epochs=1,
    )
    with self.assertRaisesRegex(
      errors.InvalidInputError, "network, .* must be given.*Received: auto$"
    ):
      automatic.choose(config)


class PrecisionTest(parameterized.TestCase):
  """`--mixed_precision=auto`."""

  def resolve(self, workdir, **changes):
    config = tiny_run.tiny_config(
      mixed_precision="auto", workdir=str(workdir.path), **changes
    )
    return automatic.resolve(config, workdir).mixed_precision

  def test_a_run_keeps_what_it_began_with_on_another_device(self):
    folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    here = self.resolve(layout.Workdir(folder / "new"))
    self.assertEqual(here, devices.choose_precision("auto"))
    elsewhere = "none" if here == "bfloat16" else "bfloat16"
    began = tiny_run.copy(folder / "began")
    flags = began.flags_file.read_text()
    self.assertIn("--mixed_precision=none\n", flags)
    began.flags_file.write_text(
      flags.replace("precision=none", f"precision={elsewhere}")
    )
    self.assertEqual(self.resolve(began), elsewhere)
    self.assertEqual(self.resolve(began, overwrite=True), here)

  def test_what_was_chosen_is_recorded(self):
    folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    directory = tiny_run.train(
      folder / "run", method="standard", mixed_precision="auto"
    )
    self.assertEqual(
      directory.read_config().mixed_precision, devices.choose_precision("auto")
    )

  def test_workers_cannot_choose_each_for_itself(self):
    with self.assertRaisesRegex(
      errors.InvalidInputError, "`mixed_precision` must be given with"
    ):
      tiny_run.tiny_config(mixed_precision="auto", strategy="multi_worker")


class ResolveTest(AutomaticTestCase):
  def test_what_is_complete_is_left_alone(self):
    config = config_lib.TrainConfig(dataset="digits")
    with self.nothing_is_chosen():
      self.assertIs(automatic.resolve(config), config)

  def test_a_run_records_what_was_chosen_and_goes_on_with_it(self):
    config = self.own(
      network="mlp", time_budget_minutes=1e-6, workdir=str(self.folder / "run")
    )
    self.enter_context(mock.patch.object(automatic, "_SECONDS", 0.05))
    with self.assertLogs("nct_tf") as logs:
      result = run.train_and_evaluate(config)
    self.assertIn("Chosen for 48 training images", "\n".join(logs.output))
    directory = layout.Workdir(config.workdir)
    recorded = directory.flags_file.read_text().splitlines()
    self.assertContainsSubset(
      ["--network=mlp", "--num_epochs=1", "--batch_size=32"], recorded
    )
    for name in _NAMES:
      self.assertIn(f"--{name}=", " ".join(recorded))
    with self.nothing_is_chosen():
      # It is finished, and then it is not.
      self.assertEqual(run.train_and_evaluate(config), result)
      directory.result_file.unlink()
      resolved = automatic.resolve(config, directory)
      self.assertEqual(directory.find_run(resolved), "unfinished")
      again = run.train_and_evaluate(config)
      self.assertEqual(again["last_accuracy"], result["last_accuracy"])
      self.assertEqual(directory.flags_file.read_text().splitlines(), recorded)
      # Another run is refused, as ever.
      with self.assertRaisesRegex(
        errors.InvalidInputError, r"\(seed is 0 there and 1 here\)"
      ):
        run.train_and_evaluate(config.replace(seed=1))


if __name__ == "__main__":
  absltest.main()
