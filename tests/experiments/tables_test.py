from absl.testing import absltest, parameterized

from nct_tf import config, errors
from nct_tf.experiments import tables

_ALL = [
  (f"{scale}_{number}", number, scale)
  for scale in tables.SCALES
  for number in tables.available(scale)
]
_RATES = {"sym0": 0.0, "sym20": 0.2, "sym50": 0.5, "pair45": 0.45}


class ExperimentTablesTest(parameterized.TestCase):
  def test_all_tables_of_the_paper_are_there(self):
    self.assertEqual(tables.available("paper"), ("1", "2", "3", "4", "5", "6"))
    self.assertEqual(
      tables.available("cpu"), ("1", "5", "6", "methods", "methods_augmented")
    )
    self.assertEqual(tables.available("gpu"), ("methods",))

  def test_cell_has_the_papers_settings(self):
    cell = tables.load("1").cells["cifar100_sym20"]
    self.assertEqual(
      cell.config(3),
      config.TrainConfig.from_flags(
        dataset="cifar100",
        augmentation="crop_flip",
        noise_type="symmetric_inclusive",
        noise_rate=0.2,
        network="preact_resnet18",
        width=64,
        method="nct",
        temperature=4.0,
        alpha_max=0.9,
        alpha_steepness=0.65,
        alpha_rampup_epochs=None,
        target_variability_min=0.0,
        target_variability_max=0.7,
        target_variability_warmup_epochs=1,
        num_epochs=200,
        batch_size=128,
        learning_rate=0.02,
        momentum=0.9,
        weight_decay=1e-5,
        lr_decay_epochs=(180,),
        lr_decay_factor=0.1,
        seed=3,
      ),
    )
    self.assertIsNone(cell.config(0).method_options.alpha_rampup_epochs)
    self.assertEqual(cell.paper, {"best": [74.4, 0.2], "last": [74.1, 0.1]})

  @parameterized.named_parameters(*_ALL)
  def test_cells_are_what_their_names_say(self, number, scale):
    table = tables.load(number, scale)
    shapes = tables.data_shapes()
    self.assertTrue(set(table.measures) <= set(tables.MEASURES))
    for name, cell in table.cells.items():
      run = cell.config(0)
      self.assertIn(run.dataset, shapes)
      for part, rate in _RATES.items():
        if part in name.split("_"):
          self.assertEqual(run.noise_rate, rate, name)
      self.assertEqual(run.noise_type == "pair_flip", "pair45" in name, name)
      self.assertEqual(run.method == "standard", name.endswith("standard"))
      self.assertIn(cell.accuracy, tables.ACCURACIES)
      self.assertTrue(set(cell.paper) <= set(table.measures), name)

  def test_ablations_take_one_thing_away_each(self):
    for scale in ("paper", "cpu"):
      cells = tables.load("6", scale).cells
      full, no_ensemble, no_tv, no_tv_db = (
        cells[f"sym50{name}"]
        for name in ("", "_no_ensemble", "_no_tv", "_no_tv_db")
      )
      self.assertEqual(no_ensemble.config(0), full.config(0))
      self.assertEqual(no_ensemble.accuracy, "network1")
      without, without_both = (
        cell.config(0).method_options for cell in (no_tv, no_tv_db)
      )
      self.assertEqual(without.target_variability_max, 0)
      self.assertEqual(without_both.target_variability_max, 0)
      self.assertEqual(without_both.alpha_rampup_epochs, 0)

  def test_sweep_covers_the_papers_values(self):
    for scale in ("paper", "cpu"):
      cells = tables.load("5", scale).cells
      for noise in ("sym20", "sym50"):
        self.assertEqual(
          [
            cell.config(0).method_options.target_variability_max
            for name, cell in cells.items()
            if name.startswith(noise)
          ],
          [0.0, 0.1, 0.3, 0.5, 0.7, 0.9],
        )

  def test_a_table_may_be_another_one_but_for_a_flag(self):
    cells = tables.load("methods", "cpu").cells
    augmented = tables.load("methods_augmented", "cpu").cells
    self.assertEqual(list(cells), list(augmented))
    for name, cell in cells.items():
      self.assertEqual(
        augmented[name].config(0),
        cell.config(0).replace(augmentation="crop_flip"),
      )

  def test_unknown_names_are_refused(self):
    with self.assertRaisesRegex(errors.InvalidInputError, "`cell`.*sym99"):
      tables.load("1", "cpu").choose(["sym99"])
    with self.assertRaisesRegex(errors.InvalidInputError, "`table`.*1, 5, 6"):
      tables.load("2", "cpu")


if __name__ == "__main__":
  absltest.main()
