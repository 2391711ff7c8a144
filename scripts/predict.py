r"""Classifies images by an exported model, here or on a running TF Serving.

Example:
  python -m scripts.predict --export_dir=exports/digits --images=pictures/
  python -m scripts.predict --rest_url=http://localhost:8501 \
    --model_name=digits --images='pictures/*.png' --format=csv

disagreement is the Kullback-Leibler divergence between the predictions of the
two networks, in nats. A high value means that the networks contradict each
other; do not trust the prediction. Images are read as in training. Those that
cannot be read are named with the reason, and the exit code is 2.
"""

import sys

from flags import script_flags
from scripts import cli


def main(options):
  from nct_tf.serving.clients import (
    image_files,
    image_search,
    prediction_formats,
  )

  # File names are bytes; they are printed unchanged.
  sys.stdout.reconfigure(errors="surrogateescape")
  found = image_search.find(options.images)
  rows = image_files.classify(_create_client(options), found)
  try:
    prediction_formats.write(rows, options.format, sys.stdout)
  finally:
    if others := found.describe_others():
      print(others, file=sys.stderr)


def _create_client(options):
  asked = (
    options.model_name,
    options.version or options.version_label,
    options.timeout_seconds,
    options.num_retries,
  )
  if options.rest_url is not None:
    from nct_tf.serving.clients import rest_client

    return rest_client.RestClient(options.rest_url, *asked)
  with cli.silence():
    from nct_tf.serving.clients import grpc_client, local_client

  if options.grpc_address is not None:
    return grpc_client.GrpcClient(options.grpc_address, *asked)
  return local_client.LocalClient(options.export_dir, options.version)


if __name__ == "__main__":
  cli.run(main, script_flags.Predict, required=["images"])
