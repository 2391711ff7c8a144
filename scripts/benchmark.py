"""Times training, what is served, and training on several devices.

Examples:
  python -m scripts.benchmark --network=preact_resnet18 --batch_size=64
  python -m scripts.benchmark --suite=serving --network=preact_resnet18
  python -m scripts.benchmark --suite=scaling --strategy=mirrored

The images are random ones, of --fake_image_size. The flags are those of
scripts.train; what has no bearing on the times is passed over.
"""

import json

from flags import (
  benchmark_flags,
  data_flags,
  method_flags,
  network_flags,
  runtime_flags,
  training_flags,
)
from scripts import cli

CONFIG_FLAGS = (
  data_flags,
  network_flags,
  method_flags,
  training_flags,
  runtime_flags,
)


def main():
  with cli.silence():
    from nct_tf import (
      benchmarking,
      config,
      scaling_benchmarking,
      serving_benchmarking,
      tables,
    )

  benchmark, format_table = {
    "training": (benchmarking.benchmark, tables.format_benchmark),
    "serving": (
      serving_benchmarking.benchmark,
      tables.format_serving_benchmark,
    ),
    "scaling": (
      scaling_benchmarking.benchmark,
      tables.format_scaling_benchmark,
    ),
  }[benchmark_flags.SUITE.value]
  measured = benchmark(
    config.TrainConfig(**cli.flag_values(*CONFIG_FLAGS)),
    benchmark_flags.NUM_STEPS.value,
  )
  print(format_table(measured))
  print(json.dumps(measured))


if __name__ == "__main__":
  cli.run(main, benchmark_flags, *CONFIG_FLAGS)
