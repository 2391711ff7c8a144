r"""Tries multi-worker training out on this machine, without a cluster.

Starts --num_workers processes of scripts.train, with all flags of which it is
called, and starts them again when one dies.

Example:
  python -m scripts.launch_local_cluster --num_workers=2 --dataset=digits \
    --network=simple_cnn --width=16 --augmentation=none --workdir=runs/cluster
"""

import sys

from absl import flags

from flags import cluster_flags
from nct_tf import errors
from nct_tf.platform import local_cluster
from scripts import cli, train

FLAG_MODULES = (cluster_flags, *train.FLAG_MODULES)

# What each worker gets from here.
_OWN = ("strategy", "workers", "worker_index")


def main():
  for argument in sys.argv[1:]:
    name = argument.lstrip("-").partition("=")[0]
    if name in _OWN and argument.startswith("-"):
      raise errors.InvalidInputError(
        f"--{name} is given to each worker from here. Received: {argument}"
      )
  given = {
    flag.name: flag.serialize()
    for module in train.FLAG_MODULES
    for flag in flags.FLAGS.get_flags_for_module(module.__name__)
    if flag.present and flag.value is not None and flag.name not in _OWN
  }
  command = [sys.executable, "-m", "scripts.train"]
  # Who goes on must not delete what there is to go on from.
  again = [text for name, text in given.items() if name != "overwrite"]
  sys.exit(
    local_cluster.run(
      [*command, *given.values()],
      cluster_flags.NUM_WORKERS.value,
      cluster_flags.MAX_RESTARTS.value,
      restart_command=[*command, *again],
    )
  )


if __name__ == "__main__":
  cli.run(main, *FLAG_MODULES, required=["workdir"])
