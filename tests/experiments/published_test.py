"""The settings that other methods were published with."""

import dataclasses
import functools
import math
import os
import pathlib
import tempfile

from absl.testing import absltest, parameterized

from nct_tf import config, datasets, errors
from nct_tf.experiments import pages, reproduction, tables
from nct_tf.input_pipeline import batching, noisy_dataset
from nct_tf.methods import building
from nct_tf.system import interruption
from nct_tf.training import loop as loop_lib
from nct_tf.workdir import layout
from tests.support import long_tests

_BATCH_SIZE = 4
# Network and image's side -> the sum of its layers' trainable weights.
_NUM_PARAMETERS = {
  ("cnn9", 28): 4_432_266,
  ("cnn9", 32): 4_434_570,
  ("lenet5", 28): 61_706,
  ("lenet5", 32): 62_006,
  ("mlp", 28): 203_530,
  ("npc_cnn", 28): 10_040_074,
}


def cells():
  """Returns dict from table and name to each `Cell` that is published."""
  return {
    (name, cell.name): cell
    for name in tables.available_published()
    for cell in tables.load_published(name).cells.values()
  }


class PublishedTest(parameterized.TestCase):
  def test_a_cell_has_the_published_settings(self):
    table = tables.load_published("jocor")
    cell = table.cells["mnist_asym40"]
    self.assertEqual(
      cell.config(2),
      config.TrainConfig.from_flags(
        dataset="mnist",
        augmentation="none",
        noise_type="asymmetric",
        noise_map="mnist",
        noise_rate=0.4,
        network="mlp",
        hidden_widths=(256,),
        method="jocor",
        jocor_lambda=0.1,
        forget_rate="0.2",
        num_epochs=200,
        batch_size=128,
        optimizer="adam",
        learning_rate=0.001,
        weight_decay=0.0,
        lr_schedule="linear",
        lr_decay_epochs=(80,),
        final_momentum=0.1,
        seed=2,
      ),
    )
    self.assertEqual(cell.paper, {"last10": [95.24]})
    self.assertEqual(cell.accuracy, "network1")
    self.assertEqual(table.folder, "published/jocor")

  def test_table_has_measured_beside_published(self):
    table = tables.load_published("jocor")
    names = ["mnist_sym20", "mnist_asym40"]
    chosen = tables.on_dataset(table.choose(names), "npz:mnist.npz")
    folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    for seed, accuracy in enumerate((0.97, 0.98)):
      run = layout.Workdir(folder / table.folder / names[0] / f"seed{seed}")
      run.path.mkdir(parents=True)
      flags = chosen[0].config(seed).to_flagfile()
      run.flags_file.write_text(flags)
      run.history_file.write_text(
        f"epoch,val_accuracy_1,val_ensemble_accuracy\n0,{accuracy},0.5\n"
      )
      run.write_result({"best_selected_on": "test", "train_accuracy_noisy": 0})
    found = reproduction.Results(str(folder)).of_cells(chosen, (0, 1, 2))
    text = pages.format_table(table, chosen, found, (0, 1, 2))
    link = os.path.relpath(folder / table.folder / names[0])
    self.assertIn("**JoCoR, as published. Percent, mean ± ", text)
    self.assertIn("\n\n**Source.** Wei et al.", text)
    self.assertRegex(
      text,
      r"MNIST, symmetric, 20 % \| +published \| +MNIST, asymmetric, 40 % \| "
      r"+published \|",
    )
    self.assertRegex(
      text,
      r"\| Wei et al. 2020, MLP \(uses the true noise rate; published figures "
      r"are quoted, not checked\) \| Avg. of last 10 \| +"
      rf"\[97.5 ± 0.7 \(2\)\]\({link}/\) \| +98.06 \| +\| +95.24 \|",
    )

  def test_what_is_not_there_is_refused(self):
    with self.assertRaisesRegex(errors.InvalidInputError, "`published`.*jocor"):
      tables.load_published("nct")
    all_cells = list(tables.load_published("mixup").cells.values())
    with self.assertRaisesRegex(
      errors.InvalidInputError, "`dataset`.*cells of cifar10, cifar100"
    ):
      tables.on_dataset(all_cells, "npz:x.npz")


def graphs():
  """Returns a cell for each graph that TensorFlow builds, by its name."""
  kinds = {}
  for place, cell in cells().items():
    run = cell.config(0)
    data = run.dataset.removeprefix("fashion_")
    kind = (run.method, run.network, data, run.clip_norm)
    kinds.setdefault(kind, ("_".join(place), cell))
  return list(kinds.values())


@long_tests.only
class AllPublishedTest(parameterized.TestCase):
  def test_cells_are_what_their_names_say(self):
    for (table_name, name), cell in cells().items():
      run = cell.config(0)
      shape = tables.data_shapes()[run.dataset]
      noise = name.removeprefix(f"{run.dataset}_").split("_")[0]
      kind = noise.rstrip("0123456789")
      rate = float(noise.removeprefix(kind) or 0) / 100
      message = f"{table_name} {name}"
      self.assertEqual(run.noise_rate, rate, message)
      self.assertTrue(
        run.noise_type.startswith(
          {
            "clean": "none",
            "idn": "instance_dependent",
            "sym": "symmetric_",
          }.get(kind, kind)
        ),
        message,
      )
      if kind == "asym":  # So that it may stand in a file as well.
        self.assertEqual(run.noise_map, run.dataset, message)
      self.assertIn(cell.accuracy, tables.ACCURACIES)
      measures = tables.load_published(table_name).measures
      self.assertTrue(set(cell.paper) <= set(measures), message)
      self.assertTrue(set(measures) <= set(tables.MEASURES))
      self.assertIn(shape["num_classes"], (10, 100, 200))
      elsewhere = cell.on("npz:x.npz").config(0)
      self.assertEqual(elsewhere.replace(dataset=run.dataset), run, message)

  @parameterized.named_parameters(*graphs())
  def test_trains_two_steps(self, cell):
    preset = cell.config(0)
    shape = tables.data_shapes()[preset.dataset]
    side, _, channels = shape["image_shape"]
    num_classes = shape["num_classes"]
    run = dataclasses.replace(preset, batch_size=_BATCH_SIZE)
    dataset = datasets.load(
      "fake",
      num_train_examples=10 * num_classes,
      num_test_examples=num_classes,
      height=side,
      num_channels=channels,
      num_classes=num_classes,
    )
    noisy = noisy_dataset.prepare(dataset)
    model = building.create_compiled(
      run,
      dataset.image_shape,
      num_classes,
      len(noisy.train),
      **building.no_noise(num_classes),
    )
    for network in model.networks:
      if num_classes == 10 and (run.network, side) in _NUM_PARAMETERS:
        sizes = [
          math.prod(weight.shape) for weight in network.trainable_weights
        ]
        self.assertEqual(sum(sizes), _NUM_PARAMETERS[run.network, side])
    loop = loop_lib.TrainingLoop(model, interruption.Interruption())
    pipeline = batching.Batching.of_run(run, dataset.moments)
    batches = loop.iterate(functools.partial(pipeline.train, noisy.train))
    for _ in range(2):
      loss = loop.train_steps(batches)
    self.assertTrue(math.isfinite(loss), loss)


if __name__ == "__main__":
  absltest.main()
