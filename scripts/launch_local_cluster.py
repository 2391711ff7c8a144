r"""Tries multi-worker training out on this machine, without a cluster.

Starts --num_workers processes of scripts.train and passes its flags on to them.
If one dies, all are started again.

Example:
  python -m scripts.launch_local_cluster --num_workers=2 --dataset=digits \
    --network=simple_cnn --width=16 --augmentation=none --workdir=runs/cluster
"""

import sys

from flags import option_flags, script_flags
from nct_tf import config as config_lib, errors
from nct_tf.system import local_cluster
from scripts import cli

# The flags that this script gives to each worker.
_OWN = ("strategy", "workers", "worker_index")


def main(cluster):
  for argument in sys.argv[1:]:
    name = argument.lstrip("-").partition("=")[0]
    if name in _OWN and argument.startswith("-"):
      raise errors.InvalidInputError(
        f"--{name} is given to each worker from here. Received: {argument}"
      )
  # Once, and not by each worker in turn.
  option_flags.read(config_lib.TrainConfig, _OWN).check_alike_for_all()
  given = option_flags.given(config_lib.TrainConfig, without=_OWN)
  command = [sys.executable, "-m", "scripts.train"]
  # A restart must not delete the run that it goes on with.
  again = [text for name, text in given.items() if name != "overwrite"]
  sys.exit(
    local_cluster.run(
      [*command, *given.values()],
      cluster.num_workers,
      cluster.max_restarts,
      restart_command=[*command, *again],
    )
  )


if __name__ == "__main__":
  cli.run(
    main,
    script_flags.Cluster,
    passed_on=[config_lib.TrainConfig],
    required=["workdir"],
  )
