"""What cells of published tables would cost on this machine."""

import dataclasses

from nct_tf import datasets, units
from nct_tf.experiments import tables
from nct_tf.input_pipeline import noisy_dataset
from nct_tf.options import training as training_options
from nct_tf.reporting import text_tables
from nct_tf.system import child_process
from nct_tf.training import cost

_NUM_EXAMPLES = 256  # Random images; steps take as long as with others.


def estimate(cells, num_seeds):
  """Measures some seconds of training for each kind of run.

  The dataset need not be there: random images of its size take its place. So
  the times leave out the disk and decoding.

  Args:
    cells: sequence of `tables.Cell`.
    num_seeds: int, the runs of a cell.

  Returns:
    list of dicts, one for all cells of equal cost. `cells` is a list of their
    names; `image_bytes` is the size of all decoded images, which are held in
    memory besides or on the disk; `all_hours` is the time of all their runs.
    The other keys are those of `cost.estimate`, for one run.
  """
  kinds = {}
  for cell in cells:
    kinds.setdefault(_cost_config(cell), []).append(cell)
  arguments = [(config, same, num_seeds) for config, same in kinds.items()]
  # Each in a process of its own, as a process' peak of memory never falls.
  return child_process.run_each(_estimate, arguments)


def _cost_config(cell):
  """Returns a `TrainConfig` that is equal for cells of equal cost."""
  config = cell.config(0, pretrained_weights=None)
  return dataclasses.replace(
    config,
    noise_type="none",
    noise_rate=0.0,
    noise_map=None,
    noise_count=None,
    method_options=config.method_options.of_equal_cost(),
    learning_rate=1e-6,  # Of random images a network learns nothing.
    **training_options.CONSTANT_RATES,
  )


def _estimate(config, cells, num_seeds):
  shape = tables.data_shapes()[config.dataset]
  num_train, num_evaluated = count_examples(config, shape)
  height, width, channels = shape["image_shape"]
  dataset = datasets.load(
    "fake",
    num_train_examples=max(_NUM_EXAMPLES, 2 * config.batch_size),
    num_test_examples=_NUM_EXAMPLES,
    height=height,
    num_channels=channels,
    num_classes=shape["num_classes"],
  )
  estimated = cost.estimate(
    config,
    dataset,
    noisy_dataset.prepare(dataset),
    num_train=num_train,
    num_evaluated=num_evaluated,
  )
  num_images = shape["num_train_examples"] + shape["num_test_examples"]
  return {
    **estimated,
    "image_bytes": num_images * height * width * channels,
    "cells": [cell.name for cell in cells],
    "all_hours": estimated["hours"] * num_seeds * len(cells),
  }


def count_examples(config, shape):
  """Returns how many examples are trained on, and evaluated: a pair of int.

  Args:
    config: a `TrainConfig`.
    shape: dict, of `tables.data_shapes`.
  """
  num_train = config.num_train_examples or shape["num_train_examples"]
  num_test = config.num_test_examples or shape["num_test_examples"]
  num_held_out = round(config.validation_fraction * num_train)
  return num_train - num_held_out, num_test + num_held_out


def format_costs(costs):
  """Returns a table of what `estimate` measured.

  Args:
    costs: list of dicts of `estimate`.
  """
  rows = [
    (
      ", ".join(cost["cells"]),
      f"{cost['num_parameters']:,}",
      units.num_bytes(cost["memory_bytes"]),
      units.num_bytes(cost["image_bytes"]),
      units.operations(cost["epoch_flops"]),
      units.seconds(cost["step_seconds"]),
      units.seconds(3600 * cost["hours"]),
      units.seconds(3600 * cost["all_hours"]),
    )
    for cost in costs
  ]
  header = ("cells", "parameters", "memory", "images", "an epoch", "a step")
  header += ("a run", "all runs")
  return text_tables.format_table(rows, header)
