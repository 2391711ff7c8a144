r"""Trains an image classifier on labels that cannot be trusted.

Example:
  python -m scripts.train --dataset=digits --network=simple_cnn --width=16 \
    --augmentation=none --noise_type=symmetric_inclusive --noise_rate=0.5 \
    --num_epochs=50 --workdir=runs/digits

On a GPU these flags matter, all under "run" but --batch_size:
--mixed_precision=auto (bfloat16 where the card has units for it),
--batch_size (128 or more), --jit_compile (on there by itself),
--strategy=mirrored (all GPUs), and --deterministic (the same bits each time).
The log tells what is used, before training begins.
"""

from flags import script_flags
from nct_tf import config as config_lib
from nct_tf.system import xla_cache
from scripts import cli, next_steps


def main(config, check):
  if check.check_data:  # To import what measures takes seconds.
    print(
      f"Reads {config.dataset}, then measures some seconds of training on it",
      flush=True,
    )
  # TensorFlow, which comes with the next imports, looks at it once.
  xla_cache.enable(config.jit_compile, config.cache_dir)
  with cli.silence():
    from nct_tf.audit import data_check
    from nct_tf.training import run
    from nct_tf.workdir import result as result_lib

  if check.check_data:
    print(data_check.format_check(data_check.check(config, print)))
    next_steps.after_check(config)
    return
  result = run.train_and_evaluate(config)
  if result is not None:  # Only the chief has one.
    print(result_lib.format_results([result], [config.workdir]))
    print(f"Everything is in {config.workdir}")
    next_steps.after_training(config)


if __name__ == "__main__":
  cli.run(
    main,
    config_lib.TrainConfig,
    script_flags.Check,
    required=["workdir"],
    unless="check_data",
  )
