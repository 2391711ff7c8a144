r"""Chooses the largest target variability rate on held-out noisy labels.

Takes the flags of scripts.train, and trains once for each value; the test split
takes no part in the choice.

Example:
  python -m scripts.tune --dataset=digits --network=simple_cnn --width=16 \
    --augmentation=none --noise_type=symmetric_inclusive --noise_rate=0.5 \
    --num_epochs=50 --validation_fraction=0.2 --workdir=runs/tuning
"""

from flags import cache_flags, config_flags, tune_flags, workdir_flags
from scripts import cli

FLAG_MODULES = (*config_flags.MODULES, cache_flags, workdir_flags)

_OPTION = "target_variability_max"


def main():
  with cli.silence():
    from nct_tf.experiments import tuning
    from nct_tf.training import run

  config = run.TrainConfig(**cli.flag_values(*FLAG_MODULES))
  values = [float(value) for value in tune_flags.VALUES.value]
  scores = tuning.tune(config, _OPTION, values)
  print(tuning.format_tuning(_OPTION, scores))


if __name__ == "__main__":
  cli.run(main, *FLAG_MODULES, tune_flags, required=["workdir"])
