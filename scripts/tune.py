r"""Chooses among methods and values of options, on held-out noisy labels.

Takes the flags of scripts.train, and trains once for each combination of
--methods and --sweep. The test split has no influence on the choice.

Examples:
  python -m scripts.tune --dataset=folder:pictures \
    --methods=standard,nct,elr,co_teaching --jobs=2 --workdir=runs/tuning
  python -m scripts.tune --dataset=digits --augmentation=none \
    --noise_type=symmetric_inclusive --noise_rate=0.5 --num_epochs=50 \
    --network=simple_cnn --width=16 \
    --sweep=target_variability_max=0,0.3,0.5 --workdir=runs/tuning
"""

import os
import pathlib
import sys

from flags import script_flags
from nct_tf import config as config_lib
from nct_tf.system import files
from scripts import cli, next_steps


def main(config, options):
  with cli.silence():
    from nct_tf.experiments import choice as choice_lib, tuning

  candidates = tuning.resolve(config, options.methods, options.sweep or ())
  choice = tuning.tune(candidates, options.halving, options.jobs)
  text = choice_lib.format_choice(choice)
  print(text)
  path = pathlib.Path(config.workdir, "tuning.txt")
  files.write_atomically(path, text + "\n")
  print(f"As text: {path}")
  best = tuning.with_best(config, choice)
  if options.train_best:
    _become_training(best)
  else:
    # Even if it is the default: it was chosen.
    method = f"--method={best.method}"
    others = [flag for flag in best.to_flags() if flag != method]
    next_steps.say("train", method, *others)


def _become_training(config):
  """Replaces this process by one that trains.

  TensorFlow has computed here; in a new program, everything works as always.
  """
  sys.stdout.flush()
  command = [sys.executable, "-m", "scripts.train", *config.to_flags()]
  os.execv(command[0], command)


if __name__ == "__main__":
  cli.run(
    main,
    config_lib.TrainConfig,
    script_flags.Tune,
    required=["workdir"],
    without=["export_dir"],
  )
