r"""Classifies images by an exported model, here or on a running TF Serving.

Example:
  python -m scripts.predict --export_dir=exports/digits --images=pictures/
  python -m scripts.predict --rest_url=http://localhost:8501 \
    --model_name=digits --images='pictures/*.png' --format=csv

disagreement is the Kullback-Leibler divergence between the predictions of the
two networks, in nats: where it is high, the image is unlike those that they
were trained on. Images that cannot be read are named with the reason, and the
exit code is 2 then.
"""

import sys

from absl import flags

from flags import export_dir_flags, predict_flags, version_flags
from scripts import cli

FLAG_MODULES = (predict_flags, export_dir_flags, version_flags)


def main():
  from nct_tf.serving.clients import image_files, prediction_formats

  # Names of files are bytes, and come out as they were.
  sys.stdout.reconfigure(errors="surrogateescape")
  paths = image_files.find(predict_flags.IMAGES.value)
  rows = image_files.classify(_create_client(), paths)
  prediction_formats.write(rows, predict_flags.FORMAT.value, sys.stdout)


def _create_client():
  options = (
    predict_flags.MODEL_NAME.value,
    version_flags.VERSION.value or predict_flags.VERSION_LABEL.value,
    predict_flags.TIMEOUT_SECONDS.value,
    predict_flags.NUM_RETRIES.value,
  )
  if predict_flags.REST_URL.value is not None:
    from nct_tf.serving.clients import rest_client

    return rest_client.RestClient(predict_flags.REST_URL.value, *options)
  with cli.silence():
    from nct_tf.serving.clients import grpc_client, local_client

  if predict_flags.GRPC_ADDRESS.value is not None:
    return grpc_client.GrpcClient(predict_flags.GRPC_ADDRESS.value, *options)
  return local_client.LocalClient(
    export_dir_flags.EXPORT_DIR.value, version_flags.VERSION.value
  )


if __name__ == "__main__":
  flags.mark_flags_as_mutual_exclusive(
    ["export_dir", "rest_url", "grpc_address"], required=True
  )
  flags.mark_flags_as_mutual_exclusive(["version", "version_label"])
  flags.mark_flags_as_mutual_exclusive(["export_dir", "version_label"])
  cli.run(main, *FLAG_MODULES, required=["images"])
