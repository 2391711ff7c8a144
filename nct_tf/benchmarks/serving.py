"""Times the answers of an exported model, and those of one network alone."""

import pathlib
import tempfile
import time

import numpy as np
import tensorflow as tf

from nct_tf import datasets
from nct_tf.benchmarks import bare_step
from nct_tf.methods import building
from nct_tf.reporting import text_tables
from nct_tf.serving import exporting, session as session_lib, warmup

BATCH_SIZES = (1, 8, 64)

_NUM_WARMUP_REQUESTS = 3
_ALONE = "serving_network1"


def benchmark(config, num_requests):
  """Measures each signature of an export, beside one network alone.

  The weights and the images are random. In each round, the signatures are
  asked one after another. So whatever else the machine does slows all alike.

  Args:
    config: a `TrainConfig`, of which the network and the `fake_...` matter.
    num_requests: int, how many of each signature and batch size are timed.

  Returns:
    dict ready for JSON. `latencies` is a list of dicts: `batch_size`,
    `signature`, `p50_seconds`, `p99_seconds`, `images_per_second` (of the
    median) and `ratio`, the median over the rounds of the time over that of
    one network alone. `decoding_share` is a dict from the batch size to the
    share of `serving_bytes` that `serving_default` does not take.
  """
  config = bare_step.of_random_images(config)
  dataset = datasets.load("fake", **config.fake_options)
  model = building.create(config, dataset.image_shape, dataset.num_classes)
  mean, std = dataset.moments
  result = {
    "image_shape": dataset.image_shape,
    "crop_size": config.crop_size,
    "class_names": dataset.class_names,
    "mean": mean,
    "std": std,
  }
  with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder, "1")
    exporting.write_saved_model(model, result, path, members=True)
    with session_lib.SavedModelSession(path) as session:
      seconds = {
        size: _seconds(session, dataset.train_images, size, num_requests)
        for size in BATCH_SIZES
      }
  return {
    "network": config.network,
    "width": config.width,
    "image_shape": list(dataset.image_shape),
    "num_requests": num_requests,
    "latencies": [
      _describe(size, signature, values, by_signature[_ALONE])
      for size, by_signature in seconds.items()
      for signature, values in by_signature.items()
    ],
    "decoding_share": {
      size: _decoding_share(by_signature)
      for size, by_signature in seconds.items()
    },
    "tensorflow": tf.__version__,
  }


def _seconds(session, images, batch_size, num_requests):
  """Returns dict from signature to float array [num_requests], in seconds."""
  requests = {
    signature: value
    for signature, _, value in warmup.create_requests(
      session.signatures, images, [batch_size]
    )
  }
  rounds = [
    [_time(session, *request) for request in requests.items()]
    for _ in range(_NUM_WARMUP_REQUESTS + num_requests)
  ]
  times = np.transpose(rounds[_NUM_WARMUP_REQUESTS:])
  return dict(zip(requests, times, strict=True))


def _time(session, signature, value):
  begin = time.perf_counter()
  session.run(signature, value)
  return time.perf_counter() - begin


def _describe(batch_size, signature, seconds, seconds_alone):
  median, high = np.percentile(seconds, [50, 99])
  return {
    "batch_size": batch_size,
    "signature": signature,
    "p50_seconds": float(median),
    "p99_seconds": float(high),
    "images_per_second": float(batch_size / median),
    "ratio": float(np.median(seconds / seconds_alone)),
  }


def _decoding_share(seconds):
  if "serving_bytes" not in seconds:
    return None
  decoded = seconds["serving_bytes"]
  return float(np.median(1 - seconds["serving_default"] / decoded))


def format_benchmark(benchmark):
  """Returns a table of what `benchmark` measured.

  Args:
    benchmark: its dict.
  """
  rows = [
    (
      latency["signature"],
      latency["batch_size"],
      f"{1000 * latency['p50_seconds']:.2f} ms",
      f"{1000 * latency['p99_seconds']:.2f} ms",
      f"{latency['images_per_second']:,.0f}",
      f"{latency['ratio']:.2f}",
    )
    for latency in benchmark["latencies"]
  ]
  header = ("signature", "batch", "p50", "p99", "images/s", "x one network")
  shares = ", ".join(
    f"{text_tables.percent(share)} at batch {size}"
    for size, share in benchmark["decoding_share"].items()
  )
  size = "x".join(map(str, benchmark["image_shape"]))
  return "\n".join(
    [
      f"{benchmark['network']}, width {benchmark['width']}, images of {size}",
      text_tables.format_table(rows, header),
      f"decoding's share of serving_bytes: {shares}",
    ]
  )
