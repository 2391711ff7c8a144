"""The model card of an export: what people should know before they use it."""

import textwrap

import tensorflow as tf

from nct_tf import label_noise, methods
from nct_tf.reporting import text_tables
from nct_tf.serving import signatures
from nct_tf.workdir import result as result_lib

FILE = "MODEL_CARD.md"

_CARD = """\
# {name}, version {version}

An image classifier that was trained on labels that cannot be trusted, by nct_tf
{nct_tf}.

## Data

| | |
|---|---|
| dataset | {dataset} |
| training examples | {num_train_examples} |
| images | {height} x {width} pixels, {channels} |
| classes | {num_classes}: {class_names} |
| label noise | {noise} |

## Method

{method}

| | |
|---|---|
| network | {network}, width {network_width} |
| parameters | {num_parameters:,} in all |
| epochs | {epochs}; the weights are those of the last |
| seed | {seed}, of the noise {noise_seed} |

The whole configuration, as a flag file:

```
{flags}```

## Scores

On {test_split}, unless said otherwise.

| | accuracy |
|---|---|
{scores}

The best epoch was chosen on {best_selected_on}.

## Limits

{advice}
* It knows the classes above and no others; whatever it is shown, it names one
  of them.
{disagreement}\
* Pictures are resized to {resizing}.
{encoded}\
{given_labels}\
* It was measured on one test split, in one run. Measure it on your own data
  before you rely on it.

## Versions

| | |
|---|---|
| nct_tf | {nct_tf} |
| git commit | {git_commit} |
| trained with | TensorFlow {tensorflow}, Keras {keras} |
| exported with | TensorFlow {exported_tensorflow} |

Serve it with a TF Serving at least as new as the TensorFlow that exported it.
"""

_DISAGREEMENT = """\
* A high `disagreement` of the two networks is a warning of an image unlike
  those that they were trained on, and no proof.
"""

_ENCODED = """\
* `serving_bytes` and `classify` make the same pixels of JPEGs and PNGs as
  training did, and lay transparency on white. But they do not turn a picture as
  its EXIF data say, give a JPEG of CMYK other colors, and refuse all other
  formats. A client has to decode those itself and send a PNG of the upright
  pixels, as `scripts.predict` does.
"""

_MAX_NAMED_CLASSES = 20


def format_card(config, result, name, version):
  """Returns the model card of a run, in Markdown.

  Args:
    config: the run's `TrainConfig`.
    result: dict of its `result.json`.
    name: str, under which the model is served.
    version: int.
  """
  height, width, channels = result["image_shape"]
  method = methods.get_options(result["method"])
  return _CARD.format(
    **{
      **result,
      "name": name,
      "version": version,
      "height": height,
      "width": width,
      "channels": {1: "gray", 3: "RGB"}.get(channels, f"{channels} channels"),
      "num_classes": len(result["class_names"]),
      "class_names": _list(result["class_names"]),
      "noise": _noise(result),
      "method": _method(method, result),
      "epochs": result_lib.describe_epochs(result),
      "network_width": result["width"],
      "flags": config.to_flagfile(),
      "scores": _scores(result, method.NUM_NETWORKS),
      "resizing": _resizing(result),
      "encoded": _ENCODED if channels in signatures.DECODABLE_CHANNELS else "",
      "best_selected_on": {
        "test": "the test split itself, so its accuracy is optimistic",
        "validation": "validation examples apart from the test split",
      }[result["best_selected_on"]],
      "test_split": result_lib.name_test_split(result),
      "given_labels": _given_labels(result),
      "advice": _wrap(method.ADVICE, "* "),
      "disagreement": _DISAGREEMENT if method.NUM_NETWORKS > 1 else "",
      "git_commit": result["git_commit"] or "unknown",
      "exported_tensorflow": tf.__version__,
    }
  )


def _given_labels(result):
  """Returns a limit of accuracies on labels that may be wrong, if they are."""
  if result.get("test_labels") != "given":
    return ""
  return _wrap(result_lib.GIVEN_LABELS, "* ") + "\n"


def _method(method, result):
  """Returns what a method's options class says of it, as a paragraph."""
  title = method.TITLE
  if method.REFERENCE:
    title += f" ({method.REFERENCE})"
  text = f"{title}. {method.SUMMARY}"
  for uses in result_lib.describe_uses(result):
    text += f" It {uses}."
  return _wrap(text)


def _wrap(text, bullet=""):
  return textwrap.fill(
    text,
    80,
    initial_indent=bullet,
    subsequent_indent=" " * len(bullet),
    break_long_words=False,
    break_on_hyphens=False,
  )


def _list(names):
  text = ", ".join(names[:_MAX_NAMED_CLASSES])
  text = text.replace("|", "\\|").replace("\n", "\\n")  # Of a table.
  return text + (", ..." if len(names) > _MAX_NAMED_CLASSES else "")


def _resizing(result):
  height, width, _ = result["image_shape"]
  if result.get("resizing") == "cover":
    text = f"cover {height} x {width} pixels, of which the middle is taken"
  else:
    text = f"{height} x {width} pixels, whatever their shape"
  if result.get("crop_size"):
    size = result["crop_size"]
    text += f"; the networks see the {size} x {size} pixels in the middle"
  return text


def _is_noise_unknown(result):
  return result["noise_type"] == "none" and not result["actual_noise_rate"]


def _noise(result):
  actual_rate = result["actual_noise_rate"]
  kind = result["noise_type"]
  if _is_noise_unknown(result):
    return "none was added; what was there is unknown"
  if kind == "none":
    kind = "that of the dataset"
  elif kind not in label_noise.HUMAN:
    kind += f", nominal rate {text_tables.percent(result['noise_rate'])}"
  return f"{kind}; {text_tables.percent(actual_rate)} of the labels are wrong"


def _scores(result, num_networks):
  kind = "given" if _is_noise_unknown(result) else "right"
  named = {
    "last epoch": "last_accuracy",
    "mean of the last ten epochs": "last10_accuracy",
    "best epoch": "best_accuracy",
    **{
      f"network {number} alone": f"network{number}_accuracy"
      for number in range(1, num_networks + 1)
    },
    f"{kind} training labels that are reproduced": "train_accuracy_clean",
    "wrong training labels that are reproduced": "train_accuracy_noisy",
  }
  scores = {
    label: result[key]
    for label, key in named.items()
    if result[key] is not None
  }
  for part, own in result.get("test_parts", {}).items():
    scores[f"{part} test labels ({own['num_examples']})"] = own["accuracy"]
  return "\n".join(
    f"| {label} | {text_tables.percent(value)} |"
    for label, value in scores.items()
  )
