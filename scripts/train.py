r"""Trains an image classifier on labels that cannot be trusted.

Example:
  python -m scripts.train --dataset=digits --network=simple_cnn --width=16 \
    --augmentation=none --noise_type=symmetric_inclusive --noise_rate=0.5 \
    --num_epochs=50 --workdir=runs/digits
"""

from flags import (
  cache_flags,
  check_flags,
  config_flags,
  export_dir_flags,
  workdir_flags,
)
from scripts import cli

FLAG_MODULES = (
  *config_flags.MODULES,
  cache_flags,
  workdir_flags,
  export_dir_flags,
)


def main():
  with cli.silence():
    from nct_tf.audit import data_check
    from nct_tf.training import run
    from nct_tf.workdir import result as result_lib

  config = run.TrainConfig(**cli.flag_values(*FLAG_MODULES))
  if check_flags.CHECK_DATA.value:
    print(data_check.format_check(data_check.check(config, print)))
    return
  result = run.train_and_evaluate(config)
  if result is not None:  # Of the chief.
    print(result_lib.format_results([result], [config.workdir]))
    print(f"Everything is in {config.workdir}")


if __name__ == "__main__":
  cli.run(
    main,
    *FLAG_MODULES,
    check_flags,
    required=["workdir"],
    unless=lambda: check_flags.CHECK_DATA.value,
  )
