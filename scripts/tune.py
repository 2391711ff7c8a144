r"""Chooses the largest target variability rate on held-out noisy labels.

Takes the flags of scripts.train, and trains once for each value. The test split
has no influence on the choice.

Example:
  python -m scripts.tune --dataset=digits --network=simple_cnn --width=16 \
    --augmentation=none --noise_type=symmetric_inclusive --noise_rate=0.5 \
    --num_epochs=50 --validation_fraction=0.2 --workdir=runs/tuning
"""

from flags import script_flags
from nct_tf import config as config_lib
from scripts import cli, next_steps

_OPTION = "target_variability_max"


def main(config, options):
  with cli.silence():
    from nct_tf.experiments import tuning

  values = options.target_variability_values
  config = tuning.resolve(config, _OPTION, values)
  scores = tuning.tune(config, _OPTION, values)
  print(tuning.format_tuning(_OPTION, scores))
  best = tuning.with_best(config, _OPTION, scores)
  next_steps.say("train", *best.to_flags())


if __name__ == "__main__":
  cli.run(
    main,
    config_lib.TrainConfig,
    script_flags.Tune,
    required=["workdir"],
    without=["export_dir"],
  )
