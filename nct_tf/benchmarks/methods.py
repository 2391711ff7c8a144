"""What a training step of each method costs, beside one of plain training."""

import contextlib

import numpy as np

from nct_tf import methods as methods_lib, units
from nct_tf.benchmarks import bare_step, device as device_lib, training_steps
from nct_tf.reporting import text_tables

# So many methods are timed at once, beside the baseline: each is a process that
# holds its networks, and its batch's activations.
_GROUP_SIZE = 5


def benchmark(config, num_steps, methods=()):
  """Measures methods against one network that is trained plainly.

  Each is a process of its own, as in `training_steps`. Some methods at a time
  make a step each in turn, and the baseline's process takes part in each turn.
  A method has its default options, but for the config's own method, and what it
  schedules has the values of the config's last epoch.

  Args:
    config: a `TrainConfig`; its dataset is replaced by `fake`. What a method
      remembers is of `fake_num_train_examples`; there are images for one batch
      only, so that they may be many.
    num_steps: int, how many steps, or groups of them, of each are timed.
    methods: names of the methods; none for all.

  Returns:
    dict ready for JSON: that of `training_steps.describe` but for `method`;
    `num_examples` and `num_classes`; `device`, see `device.describe`; `rows`, a
    list of dicts, of the baseline and of each method: `name`, `num_networks`,
    `uses_xla`, `step_seconds` (a median), `ratio`, the median over steps of its
    time over the baseline's; `network_ratio`, that over its networks;
    `memory_bytes`, see `BareStep.describe`, and `memory_ratio`, that over the
    baseline's.

  Raises:
    InvalidInputError: if the config's strategy is not `default`.
  """
  training_steps.check_strategy(config)
  config = bare_step.of_random_images(config)
  config, device = training_steps.describe_device(config)
  baseline = training_steps.BASELINE
  others = [name for name in methods or methods_lib.names() if name != baseline]
  rows = []
  with _start(config, baseline) as worker:
    for first in range(0, len(others), _GROUP_SIZE):
      with contextlib.ExitStack() as stack:
        contenders = {baseline: worker} | {
          name: stack.enter_context(_start(config, name))
          for name in others[first : first + _GROUP_SIZE]
        }
        described, seconds = training_steps.measure(contenders, num_steps)
      of_group = _summarize(described, seconds)
      rows += of_group[1:] if rows else of_group
  described = training_steps.describe(
    config, training_steps.image_shape(config), num_steps
  )
  del described["method"]
  return {
    **described,
    "num_examples": _num_examples(config),
    "num_classes": config.fake_num_classes,
    "device": device,
    "rows": rows,
  }


def _num_examples(config):
  return max(config.fake_num_train_examples, config.batch_size)


def _start(config, method):
  """Returns a `workers.Worker` of a method, with images for one batch."""
  num_images = max(config.batch_size, config.fake_num_classes)
  return bare_step.start(
    config.replace(method=method, fake_num_train_examples=num_images),
    num_examples=_num_examples(config),
  )


def _summarize(described, seconds):
  """Returns the `rows` of contenders, the first of which is the baseline."""
  rows = []
  for index, (name, row) in enumerate(described.items()):
    ratio = float(np.median(seconds[:, index] / seconds[:, 0]))
    memory = row["memory_bytes"]
    rows.append(
      {
        "name": name,
        "num_networks": row["num_networks"],
        "uses_xla": row["uses_xla"],
        "step_seconds": float(np.median(seconds[:, index])),
        "ratio": ratio,
        "network_ratio": ratio / row["num_networks"],
        "memory_bytes": memory,
        "memory_ratio": memory / (rows[0] if rows else row)["memory_bytes"],
      }
    )
  return rows


def format_benchmark(benchmark):
  """Returns a table of what `benchmark` measured.

  Args:
    benchmark: its dict.
  """
  rows = [
    (
      row["name"],
      row["num_networks"],
      training_steps.format_step_seconds(row["step_seconds"]),
      f"{row['ratio']:.3f}",
      f"{row['network_ratio']:.3f}",
      units.num_bytes(row["memory_bytes"]),
      f"{row['memory_ratio']:.2f}",
    )
    for row in benchmark["rows"]
  ]
  baseline = training_steps.BASELINE
  header = ("method", "networks", "a step", f"/ {baseline}", "of a network")
  header += ("peak memory", f"memory / {baseline}")
  return "\n".join(
    [
      device_lib.format_device(benchmark["device"]),
      training_steps.format_steps(benchmark, "batch"),
      f"{benchmark['num_examples']:,} examples of {benchmark['num_classes']} "
      "classes",
      text_tables.format_table(rows, header),
    ]
  )
