"""Runs as a whole: what they leave, and what they refuse.

`make test-long` has a residual network repeat itself, and replicas train.
"""

import dataclasses
import functools
import json
import os
import pathlib
import shutil
import signal
import tempfile
from unittest import mock

from absl.testing import absltest, parameterized
import keras
import numpy as np
import tensorflow as tf

from nct_tf import (
  config as config_lib,
  datasets,
  errors,
  label_noise,
  networks,
)
from nct_tf.audit import run_audit
from nct_tf.evaluation import evaluation
from nct_tf.input_pipeline import run_data
from nct_tf.system import addons
from nct_tf.training import fitting, measuring, run
from nct_tf.workdir import checkpoints, layout, restoring, result as result_lib
from tests.support import long_tests, tiny_run, virtual_devices

CONFIG = config_lib.TrainConfig.from_flags(
  dataset="digits",
  num_train_examples=200,
  augmentation="crop_flip",
  noise_type="symmetric_inclusive",
  noise_rate=0.5,
  network="mlp",
  width=8,
  target_variability_min=0.3,
  num_epochs=2,
  batch_size=64,
)
RESULT_KEYS = (
  "method",
  "dataset",
  "noise_type",
  "noise_rate",
  "actual_noise_rate",
  "num_epochs",
  "best_accuracy",
  "last_accuracy",
  "last10_accuracy",
  "network1_accuracy",
  "network2_accuracy",
  "train_accuracy_clean",
  "train_accuracy_noisy",
  "num_parameters",
  "examples_per_second",
  "seconds",
  "tensorflow",
  "keras",
)
TIMES = ("seconds", "cpu_seconds", "examples_per_second")
# For what is not about the networks: one of them, and no more to trace.
CHEAP = {
  "method": "standard",
  "augmentation": "none",
  "monitor_every_epochs": 0,
}


def setUpModule():
  global _folder
  _folder = tempfile.TemporaryDirectory()


def tearDownModule():
  trained.cache_clear()
  _folder.cleanup()


@functools.cache
def trained(**changes):
  """Returns the `Workdir` and the result of a run that is only read."""
  folder = pathlib.Path(tempfile.mkdtemp(dir=_folder.name))
  config = CONFIG.replace(workdir=str(folder / "run"), **changes)
  result = run.train_and_evaluate(config)
  return layout.Workdir(config.workdir), result


def exported(**changes):
  """As `trained`, of a run that has exported, too; and where to."""
  export_dir = pathlib.Path(_folder.name, "-".join(["exports", *changes]))
  return *trained(export_dir=str(export_dir), **changes), export_dir


def usual():
  """As `trained`, of CONFIG as it is."""
  return exported()[:2]


class RunTestCase(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(
      self.enter_context(tempfile.TemporaryDirectory())
    )

  def run_in(self, name, **changes):
    config = CONFIG.replace(workdir=str(self.folder / name), **changes)
    result = run.train_and_evaluate(config)
    return layout.Workdir(config.workdir), result

  def copy(self, name, **changes):
    """Returns the `Workdir` of a copy of a run, if not told otherwise usual."""
    directory, _ = trained(**changes) if changes else usual()
    shutil.copytree(directory.path, self.folder / name)
    return layout.Workdir(self.folder / name)

  def history(self, directory):
    history = directory.read_history()
    return {k: v.tolist() for k, v in history.items() if k not in TIMES}


class FilesTest(RunTestCase):
  @parameterized.parameters("nct", "standard")
  def test_leaves_everything_behind(self, method):
    directory, result = usual() if method == "nct" else trained(method=method)
    self.assertEqual(directory.read_result(), result)
    self.assertEqual(
      sorted(path.name for path in directory.path.iterdir()),
      [
        ".lock",
        "checkpoints",
        "data.npz",
        "flags.txt",
        "history.csv",
        "label_scores.npy",
        "memorisation.png",
        "noise.npz",
        "result.json",
        "tensorboard",
        "warmup_images.npy",
      ],
    )
    self.assertContainsSubset(RESULT_KEYS, result)
    self.assertEqual(result["method"], method)
    self.assertEqual(result["network2_accuracy"] is None, method == "standard")
    num_networks = 1 if method == "standard" else 2
    network = networks.create("mlp", (8, 8, 1), 10, 8)
    self.assertEqual(
      result["num_parameters"], num_networks * network.count_params()
    )
    self.assertTrue(list(directory.tensorboard_dir.rglob("events*")))
    self.assertEqual(directory.read_config().to_flagfile(), CONFIG_TEXT[method])

  def rarely_monitored(self):
    """As `trained`, with examples held out."""
    return trained(
      validation_fraction=0.25, num_epochs=4, monitor_every_epochs=2
    )

  def test_noise_file_tells_which_label_became_which(self):
    directory, result = self.rarely_monitored()
    with np.load(directory.noise_file) as noise:
      arrays = dict(noise)
    self.assertEqual(arrays["is_validation"].sum(), 50)
    dataset = run_data.load_dataset(CONFIG)
    np.testing.assert_array_equal(
      dataset.train_labels[arrays["index"]], arrays["true_label"]
    )
    self.assertEqual(
      result["actual_noise_rate"],
      np.mean(arrays["given_label"] != arrays["true_label"]),
    )
    is_validation = arrays.pop("is_validation")
    self.assertEqual(result["noise_sha256"], label_noise.fingerprint(**arrays))
    self.assertLen(is_validation, 200)

  def test_history_has_the_logged_keys(self):
    directory, _ = usual()
    history = self.history(directory)
    for name in ("loss", "cross_entropy_1", "mimicry_2", "accuracy_1"):
      self.assertIn(name, history)
      self.assertIn(f"val_{name}", history)
    for name in ("ensemble_accuracy", "agreement"):
      self.assertIn(f"val_{name}", history)
    for part in ("clean", "noisy"):
      self.assertIn(f"train_accuracy_{part}", history)
      self.assertIn(f"train_loss_{part}", history)
    self.assertEqual("val_cohen_kappa" in history, addons.available())
    self.assertEqual(history["learning_rate"][0], 0.02)
    self.assertAlmostEqual(history["alpha"][0], 0.469841, places=5)
    self.assertEqual(history["target_variability_rate"], [0.3, 0.3])

  def test_monitor_can_be_rare_or_off(self):
    directory, result = self.rarely_monitored()
    measured = np.isfinite(self.history(directory)["train_loss_noisy"])
    self.assertEqual(measured.tolist(), [True, False, True, True])
    self.assertIsNotNone(result["train_accuracy_noisy"])
    directory = tiny_run.shared(monitor_every_epochs=0)
    result = directory.read_result()
    self.assertNotIn("train_loss_noisy", self.history(directory))
    self.assertFalse(directory.memorisation_file.exists())
    self.assertIsNone(result["train_accuracy_noisy"])

  def test_held_out_data_leave_the_test_split_alone(self):
    directory, result = self.rarely_monitored()
    history = self.history(directory)
    self.assertEqual(
      result["last_accuracy"], history["test_ensemble_accuracy"][-1]
    )
    # 360 test examples, but 50 noisy ones held out.
    tested = history["test_ensemble_accuracy"][-1] * 360
    validated = history["val_ensemble_accuracy"][-1] * 50
    self.assertAlmostEqual(tested, round(tested), places=3)
    self.assertAlmostEqual(validated, round(validated), places=3)

  @parameterized.parameters(
    {}, *long_tests.also({"crop_size": 6, "augmentation": "resized_crop_flip"})
  )
  def test_evaluates_and_exports_what_was_trained(self, **changes):
    directory, result, export_dir = exported(**changes)
    evaluated = evaluation.evaluate_run(directory)
    self.assertAlmostEqual(
      evaluated["ensemble_accuracy"], result["last_accuracy"], places=5
    )
    loaded = tf.saved_model.load(str(export_dir / "1"))
    images = run_data.load_dataset(CONFIG).test_images
    served = loaded.signatures["serving_default"](tf.constant(images))
    labels = run_data.load_dataset(CONFIG).test_labels
    self.assertAlmostEqual(
      np.mean(served["probabilities"].numpy().argmax(1) == labels),
      result["last_accuracy"],
      places=5,
    )


CONFIG_TEXT = {
  method: CONFIG.replace(method=method).to_flagfile()
  for method in ("nct", "standard")
}


class OwnValidationTest(RunTestCase):
  """A dataset that brings validation examples: here, a part of its tests."""

  def setUp(self):
    super().setUp()
    digits = run_data.load_dataset(CONFIG)
    dataset = dataclasses.replace(
      digits,
      validation_images=digits.test_images[:60],
      validation_labels=digits.test_labels[:60],
    )
    self.enter_context(
      mock.patch.object(datasets, "load", return_value=dataset)
    )

  def test_it_is_validated_on_and_is_no_part_of_what_is_trained_on(self):
    directory, result = self.run_in("run", **CHEAP)
    self.assertEqual(result["best_selected_on"], "validation")
    history = self.history(directory)
    for name, num_examples in (("val", 60), ("test", 360)):
      hits = history[f"{name}_ensemble_accuracy"][-1] * num_examples
      self.assertAlmostEqual(hits, round(hits), places=3)
    self.assertEqual(
      result["last_accuracy"], history["test_ensemble_accuracy"][-1]
    )
    with np.load(directory.noise_file) as noise:
      self.assertLen(noise["index"], 200)
      self.assertFalse(noise["is_validation"].any())
      self.assertEqual(
        result["actual_noise_rate"],
        np.mean(noise["given_label"] != noise["true_label"]),
      )
    # It has learned little in so few epochs.
    audited = run_audit.audit_run(directory, num_folds=0, force=True)
    self.assertLen(audited.index, 200)

  def test_held_out_examples_take_its_place(self):
    directory, result = self.run_in(
      "run", validation_fraction=0.25, num_epochs=1, **CHEAP
    )
    self.assertEqual(result["best_selected_on"], "validation")
    with np.load(directory.noise_file) as noise:
      self.assertEqual(noise["is_validation"].sum(), 50)


class ExtraTestsTest(RunTestCase):
  def stop_while_testing(self, **changes):
    extra_tests = measuring.Measuring.extra_tests

    def stop_and_test(self):
      os.kill(os.getpid(), signal.SIGTERM)
      return extra_tests(self)

    stop = mock.patch.object(measuring.Measuring, "extra_tests", stop_and_test)
    with stop, self.assertRaises(errors.TrainingInterrupted):
      self.run_in("run", **changes)

  def test_top5_and_extra_tests_are_those_of_the_predictions(self):
    digits = run_data.load_dataset(CONFIG)
    other = dataclasses.replace(
      digits,
      extra_tests={"some": (digits.test_images[:70], digits.test_labels[:70])},
    )
    with mock.patch.object(datasets, "load", return_value=other):
      # A run that is stopped while it tests goes on.
      options = {"ema_decay": 0.5, "monitor_every_epochs": 0}
      self.stop_while_testing(**options)
      directory, result = self.run_in("run", **options)
      scores = evaluation.evaluate_run(directory)
    self.assertLen(self.history(directory)["loss"], CONFIG.num_epochs)
    model, _, _ = restoring.restore(directory)
    inputs = (digits.test_images / 255 - result["mean"]) / result["std"]
    probabilities = model.predict(inputs.astype(np.float32), verbose=0)
    ranks = np.argsort(-probabilities, axis=1)
    hits = ranks == digits.test_labels[:, None]
    self.assertAlmostEqual(
      result["top5_accuracy"], hits[:, :5].sum(1).mean(), places=5
    )
    history = self.history(directory)
    self.assertEqual(
      result["top5_accuracy"], history["val_ensemble_top5_accuracy"][-1]
    )
    self.assertEqual(set(result["extra_tests"]), {"some"})
    self.assertEqual(
      set(result["extra_tests"]["some"]), {"accuracy", "top5_accuracy"}
    )
    for name, num_classes in (("accuracy", 1), ("top5_accuracy", 5)):
      self.assertAlmostEqual(
        result["extra_tests"]["some"][name],
        hits[:70, :num_classes].sum(1).mean(),
        places=5,
      )
    self.assertNotIn("some", "".join(history))
    self.assertAlmostEqual(scores["top5_accuracy"], result["top5_accuracy"])
    for name, figure in {
      "num_examples": 70,
      "ensemble_accuracy": hits[:70, :1].sum(1).mean(),
      "top5_accuracy": hits[:70, :5].sum(1).mean(),
    }.items():
      self.assertAlmostEqual(scores["extra_tests"]["some"][name], figure)
    self.assertRegex(
      evaluation.format_evaluation(scores), r"some  +70  +\d+\.\d %"
    )

  def test_five_classes_have_no_top5(self):
    directory, result = self.run_in(
      "run",
      dataset="fake",
      fake_num_classes=5,
      fake_image_size=8,
      num_epochs=1,
      num_train_examples=None,
      **CHEAP,
    )
    self.assertIsNone(result["top5_accuracy"])
    self.assertEqual(result["extra_tests"], {})
    self.assertNotIn("val_ensemble_top5_accuracy", self.history(directory))


class OwnTestLabelsTest(RunTestCase):
  def setUp(self):
    super().setUp()
    digits = run_data.load_dataset(CONFIG)
    images = np.concatenate([digits.train_images[:200], digits.test_images])
    labels = np.concatenate([digits.train_labels[:200], digits.test_labels])
    split = np.where(np.arange(len(labels)) < 200, "train", "test")
    np.savez(self.folder / "own.npz", images=images, labels=labels, split=split)
    self.labels = digits.test_labels.copy()
    self.decisions = self.folder / "decisions.csv"
    self.options = {
      "dataset": f"npz:{self.folder / 'own.npz'}",
      "num_train_examples": None,
      "noise_type": "none",
      "noise_rate": 0.0,
      "method": "standard",
      "num_epochs": 1,
      "augmentation": "none",
    }

  def decide(self, *rows):
    self.decisions.write_text("\n".join(["id,decision,label", *rows, ""]))

  def test_decided_and_undecided_labels_are_told_apart(self):
    self.decide(
      "7,drop,", "test/207,drop,", "test/200,relabel,9", "test/201,keep,"
    )
    self.labels[0] = 9
    stays = np.arange(360) != 7
    is_decided = np.arange(360) < 2
    directory, result = self.run_in(
      "run", label_decisions=str(self.decisions), **self.options
    )
    self.assertEqual(result["test_labels"], "given")
    self.assertEqual(result["num_test_examples"], 359)
    self.assertEqual(result["num_train_examples"], 199)
    self.assertIsNone(result["train_accuracy_noisy"])
    hits = self.hits(directory)
    self.assertAlmostEqual(
      result["last_accuracy"], hits[stays].mean(), places=5
    )
    scores = evaluation.evaluate_run(directory)
    for name, mask in (
      ("decided", is_decided),
      ("undecided", ~is_decided & stays),
    ):
      for part, key in (
        (result["test_parts"][name], "accuracy"),
        (scores["test_parts"][name], "ensemble_accuracy"),
      ):
        self.assertEqual(part["num_examples"], mask.sum())
        self.assertAlmostEqual(part[key], hits[mask].mean(), places=5)
    text = evaluation.format_evaluation(scores)
    self.assertIn("on the test split's given labels", text)
    self.assertRegex(text, r"\ndecided +2 .*\nundecided +357 ")
    # Later decisions about test labels count in a later evaluation.
    self.decide("7,drop,", *(f"test/{200 + n},keep," for n in range(360)))
    scores = evaluation.evaluate_run(directory)
    self.assertEqual(scores["test_labels"], "decided")
    self.assertEqual(set(scores["test_parts"]), {"decided"})
    self.assertEqual(scores["num_examples"], 360)
    other = self.folder / "other.csv"
    self.decisions.rename(other)
    with self.assertRaisesRegex(errors.InvalidInputError, "cannot be read"):
      evaluation.evaluate_run(directory)
    self.assertEqual(
      evaluation.evaluate_run(directory, label_decisions=str(other)),
      {**scores, "label_decisions": str(other)},
    )

  def hits(self, directory):
    """Returns bool array [360], which test labels the ensemble names."""
    model, _, result = restoring.restore(directory)
    images = run_data.load_dataset(CONFIG).test_images
    inputs = (images / 255 - result["mean"]) / result["std"]
    logits = model.predict(inputs.astype(np.float32), verbose=0)
    return logits.argmax(axis=1) == self.labels


class SubsetTest(RunTestCase):
  OPTIONS = {"sampling": "balanced_subset", "num_examples_per_epoch": 50}

  def test_an_epoch_has_so_many_examples(self):
    with mock.patch.object(
      fitting.callbacks, "Timer", wraps=fitting.callbacks.Timer
    ) as timer:
      self.run_in("run", **self.OPTIONS, **CHEAP, batch_size=20, num_epochs=1)
    self.assertEqual(timer.call_args.args[0], 50)

  def test_number_and_sampling_belong_together(self):
    for name, value in self.OPTIONS.items():
      with self.assertRaisesRegex(
        errors.InvalidInputError, "`num_examples_per_epoch` belongs to"
      ):
        self.run_in("run", **{name: value})

  def test_refuses_a_batch_larger_than_an_epoch(self):
    with self.assertRaisesRegex(
      errors.InvalidInputError, "`batch_size` must be at most 50"
    ):
      self.run_in("run", **self.OPTIONS, batch_size=60)


class CropTest(RunTestCase):
  def test_refuses_a_crop_larger_than_the_images(self):
    with self.assertRaisesRegex(
      errors.InvalidInputError, "`crop_size` must be at most 8.*: crop_size=9"
    ):
      self.run_in("run", crop_size=9)
    self.assertEmpty(list(self.folder.iterdir()))


class RepeatabilityTest(RunTestCase):
  def test_equal_seeds_give_equal_bits(self):
    self.check_equal_bits(usual()[0], self.run_in("again")[0])

  @long_tests.only
  @parameterized.parameters("simple_cnn", "preact_resnet10")
  def test_equal_seeds_give_equal_bits_of(self, network):
    runs = (
      self.run_in(name, network=network, width=4)[0]
      for name in ("first", "second")
    )
    self.check_equal_bits(*runs)

  def check_equal_bits(self, first, second):
    self.assertEqual(self.history(first), self.history(second))
    one, two = (
      restoring.restore(directory)[0].get_weights()
      for directory in (first, second)
    )
    for a, b in zip(one, two, strict=True):
      np.testing.assert_array_equal(a, b)

  def test_another_seed_gives_another_history(self):
    directory = tiny_run.shared()
    other = tiny_run.train(self.folder / "other", seed=1)
    self.assertNotEqual(self.history(directory), self.history(other))

  def test_restored_model_gives_the_last_accuracy(self):
    directory, result = usual()
    model, config, _ = restoring.restore(directory)
    dataset = run_data.load_dataset(config)
    images = (dataset.test_images / 255 - result["mean"]) / result["std"]
    probabilities = model.predict(images.astype(np.float32), verbose=0)
    self.assertAlmostEqual(
      np.mean(probabilities.argmax(1) == dataset.test_labels),
      result["last_accuracy"],
      places=5,
    )

  @long_tests.only
  def test_mirrored_gives_what_one_device_gives(self):
    one, _ = usual()
    two, _ = self.run_in(
      "two",
      strategy="mirrored",
      num_virtual_cpus=2,
      export_dir=str(self.folder / "exports"),
    )
    self.assertTrue((self.folder / "exports" / "1").exists())
    for name, values in self.history(one).items():
      np.testing.assert_allclose(
        self.history(two)[name], values, atol=1e-5, err_msg=name
      )

  @parameterized.parameters(
    (34, 200, f"of the {virtual_devices.NUM_DEVICES} replicas. Received: 34"),
    (68, 205, "last batch of 205 training examples at least one for each"),
  )
  def test_batches_that_replicas_cannot_share(self, batch_size, n, message):
    with self.assertRaisesRegex(errors.InvalidInputError, message):
      self.run_in(
        "run",
        strategy="mirrored",
        batch_size=batch_size,
        num_train_examples=n,
      )

  @long_tests.only
  def test_mirrored_batch_norm_and_uneven_parts(self):
    directory, result = self.run_in(
      "run",
      strategy="mirrored",
      num_virtual_cpus=2,
      network="simple_cnn",
      width=4,
      num_epochs=1,
      monitor_every_epochs=0,
      validation_fraction=0.105,  # 21 examples.
    )
    self.assertGreater(result["best_accuracy"], 0.0)
    scores = evaluation.evaluate_run(directory)
    self.assertAlmostEqual(
      scores["ensemble_accuracy"], result["last_accuracy"], places=5
    )


class VariantsTest(RunTestCase):
  EASY = {
    "num_train_examples": 1000,
    "augmentation": "none",
    "noise_type": "none",
    "noise_rate": 0.0,
    "target_variability_min": 0.0,
    "width": 64,
    "num_epochs": 4,
    "batch_size": 20,
    "learning_rate": 0.01,
  }

  # What does not touch each other is tried together.
  @parameterized.named_parameters(
    (
      "bfloat16_and_authors_targets",
      {"mixed_precision": "bfloat16", "target_variability_exclude_true": False},
    ),
    *long_tests.also(
      (
        "adamw_and_no_mimicry",
        {"optimizer": "adamw", "learning_rate": 1e-3, "alpha_max": 0.0},
      ),
      ("lamb", {"optimizer": "lamb", "learning_rate": 1e-2}),
      (
        "decoupled_and_no_target_variability",
        {"decoupled_weight_decay": True, "target_variability_max": 0.0},
      ),
    ),
  )
  def test_trains(self, changes):
    directory, result = self.run_in("run", **(self.EASY | changes))
    self.assertGreater(result["best_accuracy"], 0.5)
    # The data are clean.
    self.assertEqual(result["actual_noise_rate"], 0.0)
    self.assertIsNone(result["train_accuracy_noisy"])
    self.assertEqual(keras.mixed_precision.global_policy().name, "float32")
    model, _, _ = restoring.restore(directory)
    self.assertEqual(model.network1.get_weights()[0].dtype, np.float32)

  @long_tests.only
  def test_trains_with_addons(self):
    if not addons.available():
      self.skipTest("needs tensorflow-addons")
    _, result = self.run_in("sgdw", **(self.EASY | {"optimizer": "sgdw"}))
    self.assertGreater(result["best_accuracy"], 0.5)

  @long_tests.only
  def test_trains_on_what_addons_cut_out(self):
    if not addons.available():
      self.skipTest("needs tensorflow-addons")
    directory, _ = usual()
    other, _ = self.run_in("cutout", augmentation="crop_flip_cutout")
    self.assertNotEqual(self.history(directory), self.history(other))


class RefusalsTest(RunTestCase):
  @parameterized.named_parameters(
    ("batch", {"batch_size": 201}, "`batch_size` must be at most 200"),
    (
      "image_size",
      {"network": "simple_cnn", "image_size": 3},
      "simple_cnn needs images of at least 4x4",
    ),
    ("examples", {"num_train_examples": 2000}, "at most 1437"),
    ("validation", {"validation_fraction": 0.01}, "validation_fraction"),
    ("dataset", {"dataset": "no_such_dataset"}, "'no_such_dataset' is unknown"),
  )
  def test_nothing_is_written_for_bad_input(self, changes, message):
    with self.assertRaisesRegex(errors.InvalidInputError, message):
      self.run_in("run", **changes)
    self.assertFalse((self.folder / "run").exists())

  def test_needs_a_workdir(self):
    with self.assertRaisesRegex(errors.InvalidInputError, "`workdir`"):
      run.train_and_evaluate(CONFIG)

  def test_an_export_dir_that_is_a_file_is_refused_before_training(self):
    (self.folder / "file").write_text("mine")
    with self.assertRaisesRegex(errors.InvalidInputError, "Nothing can be"):
      self.run_in("run", export_dir=str(self.folder / "file"))
    self.assertFalse((self.folder / "run").exists())

  def test_files_of_others_are_not_deleted(self):
    checkpoints = self.folder / "run" / "checkpoints"
    checkpoints.mkdir(parents=True)
    (checkpoints / "mine").write_text("")
    with self.assertRaisesRegex(
      errors.InvalidInputError, "holds checkpoints, though no run"
    ):
      self.run_in("run")
    self.assertTrue((checkpoints / "mine").exists())

  def test_a_foreign_flag_file(self):
    (self.folder / "run").mkdir()
    (self.folder / "run" / "flags.txt").write_text("hello\n--width=3\n")
    with self.assertRaisesRegex(
      errors.InvalidInputError, "another run's.*width is 3 there and 8 here"
    ):
      self.run_in("run")

  def test_a_run_of_an_earlier_version_is_known_again(self):
    directory = self.copy("run", method="standard")
    result = directory.read_result()
    text = directory.flags_file.read_text()
    # Which wrote the options of NCT for any method.
    directory.flags_file.write_text(
      text.replace(
        "--method=standard\n", "--method=standard\n--temperature=4.0\n"
      )
    )
    _, again = self.run_in("run", method="standard")
    self.assertEqual(again, result)
    with self.assertRaisesRegex(
      errors.InvalidInputError, r"\(method is standard there and nct here\)"
    ):
      self.run_in("run", method="nct")

  def test_a_workdir_that_is_a_file(self):
    (self.folder / "run").write_text("mine")
    with self.assertRaisesRegex(
      errors.InvalidInputError, "cannot be written to"
    ):
      self.run_in("run")
    self.assertEqual((self.folder / "run").read_text(), "mine")

  def test_another_runs_workdir_is_refused_unless_overwritten(self):
    directory = self.copy("run")
    (directory.path / "notes.txt").write_text("mine")
    with self.assertRaisesRegex(
      errors.InvalidInputError,
      r"another run's configuration \(width is 8 there and 9 here; "
      r"lr_decay_epochs is not set there and 1 here\).*--overwrite",
    ):
      self.run_in("run", width=9, lr_decay_epochs=(1,))
    _, result = self.run_in("run", width=9, overwrite=True, **CHEAP)
    self.assertEqual(result["width"], 9)
    self.assertEqual(directory.read_config().width, 9)
    self.assertEqual((directory.path / "notes.txt").read_text(), "mine")

  def test_divergence_keeps_the_last_good_checkpoint(self):
    with self.assertRaisesRegex(
      errors.TrainingDivergedError,
      r"became (nan|inf) in epoch \d+, step \d+: try a lower --learning_rate",
    ):
      # Each step makes every weight -2 times as large.
      self.run_in(
        "run",
        **CHEAP,
        momentum=0.0,
        learning_rate=1e-3,
        weight_decay=3e3,
        lr_decay_epochs=(),
        num_epochs=30,
      )
    directory = layout.Workdir(self.folder / "run")
    path = checkpoints.Checkpoints(directory.checkpoints_dir).last()
    checkpoint = tf.train.load_checkpoint(checkpoints.prefix(path))
    kernels = [
      checkpoint.get_tensor(name)
      for name, shape in checkpoint.get_variable_to_shape_map().items()
      if len(shape) == 2 and name.startswith("network")
    ]
    self.assertNotEmpty(kernels)
    for kernel in kernels:
      self.assertTrue(np.isfinite(kernel).all())
    with self.assertRaisesRegex(
      errors.InvalidInputError, "its run has not finished"
    ):
      restoring.restore(directory)

  def test_a_damaged_checkpoint_is_named(self):
    directory = self.copy("run")
    (data,) = directory.checkpoints_dir.glob("ckpt-2/*.data*")
    data.write_bytes(data.read_bytes()[:100])
    with self.assertRaisesRegex(
      errors.InvalidInputError, "Checkpoint .*ckpt-2 cannot be read"
    ):
      restoring.restore(directory)

  def test_restore_without_a_run(self):
    with self.assertRaisesRegex(
      errors.InvalidInputError, "no flags.txt: there is no run"
    ):
      restoring.restore(layout.Workdir(self.folder))


class SummaryTest(absltest.TestCase):
  def test_best_last_and_mean_of_the_last_ten(self):
    accuracy = np.linspace(0.0, 0.9, 20)
    accuracy[4] = 0.95
    summary = result_lib.summarize_history(
      {
        "val_ensemble_accuracy": accuracy,
        "val_accuracy_1": accuracy - 0.1,
        "seconds": np.full(20, 2.0),
        "examples_per_second": np.array([1.0] + [100.0] * 19),
      },
      num_epochs=20,
    )
    self.assertEqual(summary["best_accuracy"], 0.95)
    self.assertEqual(summary["best_epoch"], 4)
    self.assertEqual(summary["best_selected_on"], "test")
    self.assertEqual(summary["last_accuracy"], 0.9)
    self.assertAlmostEqual(summary["last10_accuracy"], accuracy[10:].mean())
    self.assertAlmostEqual(summary["network1_accuracy"], 0.8)
    self.assertIsNone(summary["network2_accuracy"])
    self.assertEqual(summary["num_epochs_trained"], 20)
    self.assertFalse(summary["stopped_early"])
    self.assertEqual(summary["seconds"], 40.0)
    self.assertEqual(summary["examples_per_second"], 100.0)
    json.dumps(summary)

  def test_the_best_epoch_is_chosen_on_held_out_labels(self):
    summary = result_lib.summarize_history(
      {
        "val_ensemble_accuracy": np.array([0.3, 0.5, 0.4]),
        "test_ensemble_accuracy": np.array([0.6, 0.7, 0.8]),
        "test_accuracy_1": np.zeros(3),
        "seconds": np.ones(3),
        "examples_per_second": np.ones(3),
      },
      num_epochs=4,
    )
    self.assertEqual(summary["num_epochs_trained"], 3)
    self.assertTrue(summary["stopped_early"])
    self.assertEqual(summary["best_epoch"], 1)
    self.assertEqual(summary["best_accuracy"], 0.7)
    self.assertEqual(summary["best_selected_on"], "validation")


if __name__ == "__main__":
  absltest.main()
