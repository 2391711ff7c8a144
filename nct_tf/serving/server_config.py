"""Configuration files for TF Serving, beside the versions of a model."""

import json
import os
import pathlib
import re

from nct_tf import files

# Sizes to which the server pads a batch: each is warmed up.
BATCH_SIZES = (1, 4, 16, 64)

MODELS_FILE = "models.config"
BATCHING_FILE = "batching_parameters.txt"
MONITORING_FILE = "monitoring.config"

_MODELS = """\
# What to serve: every version that stands in the folder.
# Clients may ask for a label in place of a version. An export sets canary to
# the newest version; stable moves by your hand alone, unless its version is
# removed.
model_config_list {{
  config {{
    name: {name}
    base_path: {base_path}
    model_platform: "tensorflow"
    model_version_policy {{ all {{}} }}
    version_labels {{ key: "stable" value: {version} }}
    version_labels {{ key: "canary" value: {version} }}
  }}
}}
"""

_BATCHING = """\
# For --enable_batching. Larger requests than max_batch_size are refused; a
# batch is padded to the next of allowed_batch_sizes, each of which is warm.
max_batch_size {{ value: {max_batch_size} }}
batch_timeout_micros {{ value: 1000 }}
max_enqueued_batches {{ value: 1000 }}
# The cores of the server.
num_batch_threads {{ value: {num_threads} }}
{allowed_batch_sizes}
"""

_MONITORING = """\
# Prometheus reads it from the REST port.
prometheus_config {
  enable: true
  path: "/monitoring/prometheus/metrics"
}
"""


def model_name(base):
  """Returns the name under which the model in a folder is served."""
  return pathlib.Path(base).resolve().name


def write(base, versions):
  """Writes what is not there yet, and sets the labels in `models.config`.

  A file that is there is yours: nothing but the numbers of the two labels is
  changed.

  Args:
    base: `pathlib.Path` of the folder of all versions.
    versions: sequence of int, the versions that will stand.
  """
  models = base / MODELS_FILE
  if models.exists():
    text = models.read_text(encoding="utf-8")
  else:
    text = _MODELS.format(
      name=_quote(model_name(base)),
      base_path=_quote(str(base.resolve())),
      version=max(versions),
    )
  files.write_atomically(models, _set_labels(text, versions))
  batching = _BATCHING.format(
    max_batch_size=max(BATCH_SIZES),
    num_threads=os.cpu_count(),
    allowed_batch_sizes="\n".join(
      f"allowed_batch_sizes: {size}" for size in BATCH_SIZES
    ),
  )
  for name, content in (
    (BATCHING_FILE, batching),
    (MONITORING_FILE, _MONITORING),
  ):
    if not (base / name).exists():
      files.write_atomically(base / name, content)


def _quote(text):
  # What JSON escapes, the text format of protocol buffers escapes alike.
  return json.dumps(text, ensure_ascii=False)


def _set_labels(text, versions):
  def number(match):
    label, version = match["label"], int(match["version"])
    if label == "canary":
      version = max(versions)
    elif version not in versions:
      version = min(versions)
    return f"{match['before']}{version}"

  return re.sub(
    r'(?P<before>key:\s*"(?P<label>stable|canary)"\s*value:\s*)'
    r"(?P<version>\d+)",
    number,
    text,
  )
