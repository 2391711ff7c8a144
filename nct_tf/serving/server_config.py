"""Configuration files for TF Serving, beside the versions of a model."""

import json
import logging
import os
import pathlib
import re

from nct_tf.system import files

_logger = logging.getLogger(__name__)

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
  return _absolute(base).name


def batch_sizes(base):
  """Returns the sizes of a batch that the server makes: ascending ints.

  They are those of the batching file, where there is one that names any.
  """
  try:
    text = _blank_comments(_read(base / BATCHING_FILE))
  except FileNotFoundError:
    return list(BATCH_SIZES)
  sizes = re.findall(r"allowed_batch_sizes\s*:\s*\[?([\d,\s]+)", text)
  sizes += re.findall(r"max_batch_size\s*:?\s*\{\s*value\s*:\s*(\d+)", text)
  found = {int(number) for part in sizes for number in re.findall(r"\d+", part)}
  return sorted(found) or list(BATCH_SIZES)


def write(base, versions):
  """Writes what is not there yet, and sets the labels in `models.config`.

  A file that is there is yours: nothing but the numbers of the two labels is
  changed, in the entry of this folder alone.

  Args:
    base: `pathlib.Path` of the folder of all versions.
    versions: sequence of int, the versions that will stand.
  """
  models = base / MODELS_FILE
  if models.exists():
    text = _read(models)
  else:
    text = _MODELS.format(
      name=_quote(model_name(base)),
      base_path=_quote(str(_absolute(base))),
      version=max(versions),
    )
  files.write_atomically(models, _set_labels(text, base, versions))
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


def _read(path):
  return path.read_text(encoding="utf-8")


def _absolute(base):
  # Not resolved: who serves a link means its name.
  return pathlib.Path(os.path.abspath(base))


def _quote(text):
  # What JSON escapes, the text format of protocol buffers escapes alike.
  return json.dumps(text, ensure_ascii=False)


def _blank_comments(text):
  """Returns a text of equal length without its comments."""
  return re.sub(
    r"""("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|#[^\n]*""",
    lambda match: match[1] or " " * len(match[0]),
    text,
  )


def _set_labels(text, base, versions):
  """Returns a `models.config` whose labels name versions that stand."""
  plain = _blank_comments(text)
  entry = _find_entry(plain, base)
  if entry is None:
    _logger.warning(
      "%s has no entry for %s: its labels were left as they are",
      base / MODELS_FILE,
      _absolute(base),
    )
    return text
  begin, end = entry
  labels = list(
    re.finditer(r"version_labels\s*:?\s*\{[^{}]*\}", plain[begin:end])
  )
  for label in reversed(labels):  # From the end, as numbers differ in length.
    key = re.search(r"key\s*:\s*[\"'](stable|canary)[\"']", label[0])
    number = re.search(r"value\s*:\s*(\d+)", label[0])
    if key and number:
      at = begin + label.start()
      text = (
        text[: at + number.start(1)]
        + str(_move_label(key[1], int(number[1]), versions))
        + text[at + number.end(1) :]
      )
  return text


def _find_entry(plain, base):
  """Returns where a folder's entry begins and ends in text without comments."""
  paths = {_quote(str(path)) for path in (_absolute(base), base.resolve())}
  for match in re.finditer(r"\bconfig\s*:?\s*\{", plain):
    depth, end = 1, match.end()
    while depth and end < len(plain):
      depth += {"{": 1, "}": -1}.get(plain[end], 0)
      end += 1
    path = re.search(
      r"base_path\s*:\s*[\"'](.*)[\"']", plain[match.start() : end]
    )
    if path and f'"{path[1]}"' in paths:
      return match.start(), end
  return None


def _move_label(label, version, versions):
  if label == "canary":
    return max(versions)
  if version in versions:
    return version
  _logger.warning(
    "The label %s moves from version %d, which is removed, to %d",
    label,
    version,
    min(versions),
  )
  return min(versions)
