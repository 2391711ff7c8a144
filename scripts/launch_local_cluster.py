r"""Tries multi-worker training out on this machine, without a cluster.

Starts --num_workers processes of scripts.train, with all flags of which it is
called, and starts them again when one dies.

Example:
  python -m scripts.launch_local_cluster --num_workers=2 --dataset=digits \
    --network=simple_cnn --width=16 --augmentation=none --workdir=runs/cluster
"""

import sys

from flags import option_flags, script_flags
from nct_tf import config as config_lib, errors
from nct_tf.platform import local_cluster
from scripts import cli

# What each worker gets from here.
_OWN = ("strategy", "workers", "worker_index")


def main(cluster):
  for argument in sys.argv[1:]:
    name = argument.lstrip("-").partition("=")[0]
    if name in _OWN and argument.startswith("-"):
      raise errors.InvalidInputError(
        f"--{name} is given to each worker from here. Received: {argument}"
      )
  given = option_flags.given(config_lib.TrainConfig, without=_OWN)
  command = [sys.executable, "-m", "scripts.train"]
  # Who goes on must not delete what there is to go on from.
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
