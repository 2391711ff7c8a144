r"""Measures training, what is served, several devices, and label audits.

Examples:
  python -m scripts.benchmark --network=preact_resnet18 --batch_size=64
  python -m scripts.benchmark --suite=serving --network=preact_resnet18
  python -m scripts.benchmark --suite=scaling --strategy=mirrored
  python -m scripts.benchmark --suite=audit --dataset=fashion_mnist \
    --noise_type=symmetric_exclusive --noise_rate=0.2

The images are random ones of --fake_image_size. Only --suite=audit uses those
of --dataset; it trains six times, and needs cleanlab. The flags are those of
scripts.train; those that do not affect the times are ignored.
"""

import json

from flags import script_flags
from nct_tf import config as config_lib
from scripts import cli

# Nothing is written, and the images are in memory.
_WITHOUT = ("workdir", "export_dir", "cache", "cache_dir")


def main(config, options):
  with cli.silence():
    from nct_tf.benchmarks import audit, scaling, serving, training_steps

  suite = {
    "training": training_steps,
    "serving": serving,
    "scaling": scaling,
    "audit": audit,
  }[options.suite]
  measured = suite.benchmark(config, options.num_steps)
  print(suite.format_benchmark(measured))
  print(json.dumps(measured))


if __name__ == "__main__":
  cli.run(
    main, config_lib.TrainConfig, script_flags.Benchmark, without=_WITHOUT
  )
