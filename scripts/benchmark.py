r"""Measures training, what is served, several devices, and label audits.

Examples:
  python -m scripts.benchmark --network=preact_resnet18 --batch_size=64
  python -m scripts.benchmark --suite=serving --network=preact_resnet18
  python -m scripts.benchmark --suite=scaling --strategy=mirrored
  python -m scripts.benchmark --suite=audit --dataset=fashion_mnist \
    --noise_type=symmetric_exclusive --noise_rate=0.2

The images are random ones, of --fake_image_size, but those of --suite=audit,
which trains six times, and needs cleanlab. The flags are those of
scripts.train; what has no bearing on the times is passed over.
"""

import json

from flags import benchmark_flags, config_flags
from scripts import cli


def main():
  with cli.silence():
    from nct_tf import config
    from nct_tf.benchmarks import audit, scaling, serving, training_steps

  suite = {
    "training": training_steps,
    "serving": serving,
    "scaling": scaling,
    "audit": audit,
  }[benchmark_flags.SUITE.value]
  measured = suite.benchmark(
    config.TrainConfig(**cli.flag_values(*config_flags.MODULES)),
    benchmark_flags.NUM_STEPS.value,
  )
  print(suite.format_benchmark(measured))
  print(json.dumps(measured))


if __name__ == "__main__":
  cli.run(main, benchmark_flags, *config_flags.MODULES)
