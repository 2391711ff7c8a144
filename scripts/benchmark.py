r"""Measures training, what is served, several devices, and label audits.

Examples:
  python -m scripts.benchmark --network=preact_resnet18 --batch_size=64
  python -m scripts.benchmark --compare=torch --mixed_precision=bfloat16
  python -m scripts.benchmark --suite=training --dataset=fake \
    --fake_num_train_examples=60000 --mixed_precision=bfloat16
  python -m scripts.benchmark --suite=serving --network=preact_resnet18
  python -m scripts.benchmark --suite=scaling --strategy=mirrored
  python -m scripts.benchmark --suite=methods --methods=elr,co_teaching
  python -m scripts.benchmark --suite=audit --dataset=fashion_mnist \
    --noise_type=symmetric_exclusive --noise_rate=0.2

The images are random, but for --suite=training, which trains twice for a few
epochs, and audit, which trains six times and needs cleanlab. The flags are
those of scripts.train; those that do not affect the times are ignored.
"""

import functools
import json
import pathlib
import sys

from flags import script_flags
from nct_tf import config as config_lib, errors
from nct_tf.system import files
from scripts import cli

# Nothing is written, and the images are in memory.
_WITHOUT = ("workdir", "export_dir", "cache", "cache_dir")
_TRAIN = (sys.executable, "-m", "scripts.train")


def main(config, options):
  output = options.output and pathlib.Path(options.output)
  if output and (output.is_dir() or not output.parent.is_dir()):
    raise errors.InvalidInputError(  # And not after hours.
      "Argument `output` must be a file in a folder that is there. Received: "
      f"output={output}"
    )
  with cli.silence():
    from nct_tf.benchmarks import (
      audit,
      end_to_end,
      methods,
      scaling,
      serving,
      training_steps,
    )

  suite = {
    "steps": training_steps,
    "training": end_to_end,
    "serving": serving,
    "scaling": scaling,
    "methods": methods,
    "audit": audit,
  }[options.suite]
  benchmark = suite.benchmark
  if options.suite == "training":
    benchmark = functools.partial(benchmark, train_command=_TRAIN)
  elif options.suite == "methods":
    benchmark = functools.partial(benchmark, methods=options.methods)
  elif options.compare:
    benchmark = functools.partial(
      benchmark, compare=options.compare, torch_python=options.torch_python
    )
  measured = benchmark(config, options.num_steps)
  print(suite.format_benchmark(measured))
  if output:
    files.write_atomically(output, json.dumps(measured, indent=2) + "\n")
  else:
    print(json.dumps(measured))


if __name__ == "__main__":
  cli.run(
    main, config_lib.TrainConfig, script_flags.Benchmark, without=_WITHOUT
  )
