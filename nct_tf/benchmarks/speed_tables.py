"""Prints the tables of README.md and docs/speed.md, from JSON files.

Usage: python -m nct_tf.benchmarks.speed_tables FILE...

The files are those of `scripts.benchmark --output`, with `--compare=torch` and
with `--suite=training`, as `tools/speed.sh` makes them.
"""

import json
import pathlib
import sys

from nct_tf import units
from nct_tf.benchmarks import device as device_lib, training_steps
from nct_tf.reporting import text_tables


def main(paths):
  """Prints the tables of some JSON files."""
  measured = [json.loads(pathlib.Path(path).read_text()) for path in paths]
  steps = [each for each in measured if "rows" in each]
  trainings = [each for each in measured if "evaluation_share" in each]
  # Whatever else a machine did made it slower.
  device = max(
    (each["device"] for each in measured),
    key=lambda device: device["matmul_flops_per_second"]["float32"],
  )
  print(f"{device_lib.format_device(device)}.\n")
  for title, (rows, header), alignments in (
    ("README.md", _summary(steps, trainings), "ll"),
    ("docs/speed.md: steps", _steps(steps), "lll"),
    ("docs/speed.md: whole trainings", _trainings(trainings), "ll"),
  ):
    if rows:
      table = text_tables.format_markdown(rows, header, alignments)
      print(f"{title}\n\n{table}\n")


def _summary(steps, trainings):
  """Returns rows and header of README's table."""
  ratios = {_kind(each): each["ratio"] for each in trainings}
  rows = []
  for each in steps:
    own, _, *others = each["rows"]
    rows.append(
      (
        *_kind(each),
        training_steps.format_step_seconds(own["step_seconds"]),
        f"{own['images_per_second']:,.0f}",
        f"{each['ratio']:.2f}",
        _ratio(max((row["ratio"] for row in others), default=None)),
        _ratio(ratios.get(_kind(each))),
      )
    )
  header = ("TensorFlow", "precision", "a step", "images/s")
  header += ("time over two networks alone", "time over PyTorch")
  return rows, (*header, "whole training")


def _steps(steps):
  rows = [
    (
      *_kind(each),
      row["name"],
      training_steps.format_step_seconds(row["step_seconds"]),
      f"{row['images_per_second']:,.0f}",
      f"{units.operations(row['flops_per_second'])}/s",
      text_tables.percent(row["peak_fraction"]),
      units.seconds(row["first_step_seconds"]),
      units.num_bytes(row["memory_bytes"]),
      _ratio(row["ratio"]),
    )
    for each in steps
    for row in each["rows"]
  ]
  header = ("TensorFlow", "precision", "step of", "a step", "images/s")
  header += ("arithmetic", "of the peak", "first step", "peak memory")
  return rows, (*header, "nct / it")


def _trainings(trainings):
  rows = [
    (
      *_kind(each),
      f"{each['images_per_second']:,.0f}",
      f"{each['bare_images_per_second']:,.0f}",
      _ratio(each["ratio"]),
      text_tables.percent(each["evaluation_share"]),
      units.seconds(each["first_step_seconds"]),
      units.seconds(each["warm_first_step_seconds"]),
    )
    for each in trainings
  ]
  header = ("TensorFlow", "precision", "images/s", "the bare step's")
  header += ("ratio", "evaluations", "start to first step", "warm")
  return rows, header


def _kind(measured):
  precision = measured["mixed_precision"]
  return (
    measured["tensorflow"],
    "float32" if precision == "none" else precision,
  )


def _ratio(value):
  return "-" if value is None else f"{value:.2f}"


if __name__ == "__main__":
  main(sys.argv[1:])
