import csv
import pathlib
import tempfile

from absl.testing import absltest, parameterized
import keras
import numpy as np
import tensorflow as tf

from nct_tf import callbacks, errors, standard_model


def linear_model(learning_rate=0.1):
  network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
  model = standard_model.StandardModel(network)
  model.compile(
    optimizer=keras.optimizers.SGD(learning_rate), jit_compile=False
  )
  return model


FEATURES = np.eye(3, dtype=np.float32)[np.arange(12) % 3]
LABELS = (np.arange(12) % 3 == 0).astype(np.int32)


def fit(model, *extra, num_epochs=3, features=FEATURES):
  return model.fit(
    features,
    LABELS,
    batch_size=4,
    epochs=num_epochs,
    validation_data=(features, LABELS),
    callbacks=list(extra),
    verbose=0,
  )


class EpochScheduleTest(absltest.TestCase):
  def test_assigns_before_and_logs_after_each_epoch(self):
    assigned = []
    schedule = callbacks.EpochSchedule(
      "rate", lambda e: e / 10, assigned.append
    )
    history = fit(linear_model(), schedule).history
    self.assertEqual(assigned, [0.0, 0.1, 0.2])
    self.assertEqual(history["rate"], [0.0, 0.1, 0.2])


class EvaluationTest(absltest.TestCase):
  def test_measures_every_n_epochs_and_the_last(self):
    dataset = tf.data.Dataset.from_tensors((FEATURES, LABELS))
    logged = {}
    fit(
      linear_model(),
      callbacks.Evaluation(
        dataset,
        {"ensemble_accuracy": "mine"}.get,
        num_epochs=6,
        every_epochs=3,
      ),
      keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: logged.update(
          {epoch: (logs.get("mine"), logs["val_ensemble_accuracy"])}
        )
      ),
      num_epochs=6,
    )
    for epoch, (mine, expected) in logged.items():
      self.assertEqual(mine, expected if epoch in (0, 3, 5) else None)


class NanGuardTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    folder = self.enter_context(tempfile.TemporaryDirectory())
    manager = tf.train.CheckpointManager(
      tf.train.Checkpoint(), folder, max_to_keep=1
    )
    self.guard = callbacks.NanGuard(manager)

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
      fit(model, self.guard, poison)


class FilesTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    folder = self.enter_context(tempfile.TemporaryDirectory())
    self.folder = pathlib.Path(folder)

  def test_history_has_a_row_an_epoch_as_it_ends(self):
    path = self.folder / "history.csv"
    lengths = []
    history = fit(
      linear_model(),
      callbacks.Timer(len(FEATURES)),
      callbacks.HistoryWriter(path),
      keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: lengths.append(
          len(path.read_text().splitlines())
        )
      ),
    ).history
    self.assertEqual(lengths, [2, 3, 4])
    rows = list(csv.DictReader(path.read_text().splitlines()))
    self.assertEqual([row["epoch"] for row in rows], ["0", "1", "2"])
    for name, values in history.items():
      self.assertEqual([float(row[name]) for row in rows], values)
    self.assertGreater(float(rows[0]["examples_per_second"]), 0)

  def test_history_leaves_empty_what_an_epoch_did_not_measure(self):
    writer = callbacks.HistoryWriter(self.folder / "history.csv")
    writer.on_epoch_end(0, {"loss": 1.0, "extra": 2.0})
    writer.on_epoch_end(1, {"loss": 0.5})
    self.assertEqual(
      (self.folder / "history.csv").read_text().splitlines(),
      ["epoch,extra,loss", "0,2.0,1.0", "1,,0.5"],
    )

  def test_checkpoints_every_n_epochs_and_the_last(self):
    model = linear_model()
    num_epochs_done = tf.Variable(0, dtype=tf.int64)
    checkpoint = tf.train.Checkpoint(model=model, done=num_epochs_done)
    manager = tf.train.CheckpointManager(
      checkpoint, str(self.folder), max_to_keep=9
    )
    fit(
      model,
      callbacks.EpochCheckpoint(
        manager, num_epochs_done, num_epochs=5, every_epochs=2
      ),
      num_epochs=5,
    )
    self.assertEqual(
      [path.rsplit("-", 1)[1] for path in manager.checkpoints],
      ["2", "4", "5"],
    )
    checkpoint.restore(manager.checkpoints[1])
    self.assertEqual(int(num_epochs_done), 4)


if __name__ == "__main__":
  absltest.main()
