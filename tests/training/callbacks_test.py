import pathlib
import tempfile

from absl.testing import absltest, parameterized
import keras
import numpy as np

from nct_tf import errors
from nct_tf.methods import nct, standard
from nct_tf.training import callbacks, epoch_schedules, state as state_lib
from nct_tf.workdir import checkpoints, curves, history as history_lib


def linear_model(learning_rate=0.1):
  network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
  model = standard.StandardModel(network)
  model.compile(
    # To make a graph would take longer than the few steps.
    optimizer=keras.optimizers.SGD(learning_rate),
    run_eagerly=True,
  )
  return model


FEATURES = np.eye(3, dtype=np.float32)[np.arange(12) % 3]
LABELS = (np.arange(12) % 3 == 0).astype(np.int32)


def fit(model, *extra, num_epochs=3, features=FEATURES, **options):
  return model.fit(
    features,
    LABELS,
    batch_size=4,
    epochs=num_epochs,
    callbacks=list(extra),
    verbose=0,
    **options,
  )


class EpochScheduleTest(absltest.TestCase):
  def test_assigns_before_and_logs_after_each_epoch(self):
    assigned = []
    schedule = epoch_schedules.EpochSchedule(
      "rate", lambda e: e / 10, assigned.append
    )
    history = fit(linear_model(), schedule).history
    self.assertEqual(assigned, [0.0, 0.1, 0.2])
    self.assertEqual(history["rate"], [0.0, 0.1, 0.2])


class ConcurrentSchedulesTest(absltest.TestCase):
  def test_fit_sets_and_logs_both(self):
    networks = [
      keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
      for _ in range(2)
    ]
    model = nct.ConcurrentModel(*networks)
    model.compile(optimizer="sgd", jit_compile=False)
    chosen = epoch_schedules.concurrent_schedules(model, 10, 0.3)
    history = fit(model, *chosen, num_epochs=10).history
    # As in the paper's equations, with a ramp-up of nine epochs.
    self.assertAlmostEqual(history["alpha"][0], 0.9 * np.exp(-0.65))
    self.assertAlmostEqual(history["alpha"][9], 0.9)
    rates = history["target_variability_rate"]
    self.assertEqual(rates[:3], [0, 0, 0])
    self.assertAlmostEqual(rates[9], 0.3 * np.log(8) / np.log(9))
    self.assertAlmostEqual(float(model.alpha), history["alpha"][9], places=6)
    self.assertAlmostEqual(
      float(model.target_variability_rate), rates[9], places=6
    )


class EvaluationTest(absltest.TestCase):
  def test_measures_every_n_epochs_and_the_last(self):
    values = iter(range(9))
    measured = []
    fit(
      linear_model(),
      callbacks.Evaluation(
        lambda: {"accuracy": next(values), "loss": 0.0},
        {"accuracy": "mine"}.get,
        is_last=lambda epoch: epoch == 5,
        every_epochs=3,
      ),
      keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: measured.append(logs.get("mine"))
      ),
      num_epochs=6,
    )
    self.assertEqual(measured, [0, None, None, 1, None, 2])


class NanGuardTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    folder = self.enter_context(tempfile.TemporaryDirectory())
    self.guard = callbacks.NanGuard(checkpoints.Checkpoints(folder))

  def test_names_epoch_and_step(self):
    features = FEATURES.copy()
    features[5] = np.nan
    with self.assertRaisesRegex(
      errors.TrainingDivergedError,
      "nan in epoch 1, step [123]: .*learning_rate",
    ):
      fit(linear_model(), self.guard, features=features)

  def test_looks_at_what_the_last_step_did(self):
    model = linear_model()
    poison = keras.callbacks.LambdaCallback(
      on_epoch_begin=lambda epoch, logs: None,
      on_train_batch_end=lambda batch, logs: (
        batch == 2
        and model.set_weights([w * np.nan for w in model.get_weights()])
      ),
    )
    with self.assertRaisesRegex(
      errors.TrainingDivergedError, "validation after epoch 1"
    ):
      fit(model, self.guard, poison, validation_data=(FEATURES, LABELS))


class FilesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    folder = self.enter_context(tempfile.TemporaryDirectory())
    self.folder = pathlib.Path(folder)

  def write_history(self, *rows):
    history = history_lib.History(self.folder / "history.csv")
    drawn = curves.Curves(self.folder / "tensorboard", history.rows)
    writer = callbacks.HistoryWriter(history, drawn)
    for epoch, row in enumerate(rows):
      writer.on_epoch_end(epoch, row)
    drawn.close()
    return history

  def test_history_has_a_row_an_epoch_as_it_ends(self):
    history = self.write_history({"loss": 1.0}, {"loss": 0.5})
    self.assertEqual(
      history.path.read_text().splitlines(), ["epoch,loss", "0,1.0", "1,0.5"]
    )

  def test_history_leaves_empty_what_an_epoch_did_not_measure(self):
    history = self.write_history({"loss": 1.0, "extra": 2.0}, {"loss": 0.5})
    self.assertEqual(
      history.path.read_text().splitlines(),
      ["epoch,extra,loss", "0,2.0,1.0", "1,,0.5"],
    )

  def test_timer_counts_on(self):
    model = linear_model()
    state = state_lib.TrainingState(model)
    state.seconds = 100.0
    logged = fit(
      model, callbacks.Timer(len(FEATURES), state), num_epochs=2
    ).history
    self.assertGreater(logged["seconds"][0], 100)
    self.assertLess(logged["seconds"][1], 100)
    self.assertLess(logged["examples_per_second"][0], len(FEATURES) / 100)
    self.assertEqual(state.seconds, 0.0)

  @parameterized.parameters(
    # The best epoch stays, also between those that are due.
    ((0.1, 0.9, 0.2, 0.3, 0.4), 2, 2, ["ckpt-2", "ckpt-4", "ckpt-5"]),
    ((0.1, 0.2, 0.9, 0.3, 0.4), 2, 1, ["ckpt-3", "ckpt-5"]),
    ((0.9, 0.9, 0.2, 0.3, 0.4), 9, 1, ["ckpt-1", "ckpt-5"]),
    ((0.1, 0.2, 0.3, 0.4, 0.5), 1, 3, ["ckpt-3", "ckpt-4", "ckpt-5"]),
  )
  def test_checkpoints_that_stay(self, accuracies, every, kept, names):
    model = linear_model()
    directory = checkpoints.Checkpoints(self.folder / "checkpoints")
    history = history_lib.History(self.folder / "history.csv")
    checkpointing = callbacks.Checkpointing(
      state_lib.TrainingState(model),
      directory,
      history,
      is_last=lambda epoch: epoch == 4,
      every_epochs=every,
      num_kept=kept,
    )
    for epoch, accuracy in enumerate(accuracies):
      history.add({"epoch": epoch, "val_ensemble_accuracy": accuracy})
      checkpointing.on_epoch_end(epoch)
    self.assertEqual([path.name for path in directory.find().values()], names)


if __name__ == "__main__":
  absltest.main()
