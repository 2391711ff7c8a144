"""The page of a label audit: suspects to look at, decide on and save.

It is opened from the disk, without a server or a network: `index.html`, and in
`page/` its style, its script and its data. Thumbnails are the caller's.
"""

import dataclasses
import hashlib
import json
import math
import pathlib
import re
import urllib.parse

import jinja2
import numpy as np

from nct_tf import errors
from nct_tf.audit import label_audit
from nct_tf.system import files

FILE = "index.html"
MAX_SUSPECTS = 10_000
MAX_MATRIX_CLASSES = 100

_SOURCE = pathlib.Path(__file__).parent / "page_files"
_COPIED = ("page.css", "page.js")

_NUM_BINS = 50
# Of the slider; for each position the data hold how many examples it flags.
_NUM_STEPS = 1000

_SUSPECT_KEYS = (
  "id",
  "given",
  "suggested",
  "given_probability",
  "suggested_probability",
  "disagreement",
  "score",
  "rank",
  "split",
  "thumbnail",
)


@dataclasses.dataclass(frozen=True)
class PageData:
  """What the page shows.

  Attributes:
    title: str, the run's name.
    command: str, what trains with the decisions.
    noise_rate: float, the estimated share of wrong labels.
    noise_rate_low: float, the lower end of its interval.
    noise_rate_high: float, the upper end.
    warnings: tuple of str, what to know before believing the rest.
    class_names: tuple of str, all different.
    suspects: sequence of dicts, the most suspicious first, at most
      `MAX_SUSPECTS`: `id` (str, of one example alone), `given` and `suggested`
      (class indices), `given_probability`, `suggested_probability`,
      `disagreement` (float or None), `score` (higher is more suspicious),
      `rank` (int, from 1), `split` (str; the page names other ones than
      `train`) and `thumbnail` (str, a path below the folder).
    scores: array of floats in [0, 1], of all examples in any order. The page
      gets 50 bins and 1,001 counts of it, however many there are.
    threshold: float in [0, `label_audit.ABOVE_ALL`], where the slider stands at
      first. Flagged are scores that reach it.
    transition: [C][C] floats; the share of the examples of a true class (row)
      that were given a label (column). NaN stands for an unknown one.
    transition_low: [C][C], the lower ends of its intervals.
    transition_high: [C][C], the upper ends.
  """

  title: str
  command: str
  noise_rate: float
  noise_rate_low: float
  noise_rate_high: float
  warnings: tuple
  class_names: tuple
  suspects: list
  scores: np.ndarray
  threshold: float
  transition: np.ndarray
  transition_low: np.ndarray
  transition_high: np.ndarray

  @property
  def num_examples(self):
    """int, how many examples were audited."""
    return len(self.scores)


def write(folder, page_data):
  """Writes the page; `index.html` comes last, when all it needs is there.

  Args:
    folder: `pathlib.Path`, made if need be.
    page_data: `PageData`.

  Raises:
    errors.InvalidInputError: if the data do not fit together.
  """
  _check(page_data)
  page = folder / "page"
  page.mkdir(parents=True, exist_ok=True)
  for name in _COPIED:
    text = (_SOURCE / name).read_text(encoding="utf-8")
    files.write_atomically(page / name, text)
  classes = matrix_classes(page_data.transition)
  files.write_atomically(page / "data.js", _format_data(page_data, classes))
  files.write_atomically(folder / FILE, _format_page(page_data, len(classes)))


def matrix_classes(transition):
  """Returns the classes that the page's matrix has, an integer array.

  Of more than `MAX_MATRIX_CLASSES`, they are those of the most frequent
  mistakes.

  Args:
    transition: float array [num_classes, num_classes].
  """
  num_classes = len(transition)
  if num_classes <= MAX_MATRIX_CLASSES:
    return np.arange(num_classes)
  mistakes = transition * ~np.eye(num_classes, dtype=bool)
  most_frequent = np.argsort(-mistakes, axis=None, kind="stable")
  pairs = np.array(np.unravel_index(most_frequent, mistakes.shape)).T
  chosen = dict.fromkeys(pairs[:num_classes].ravel().tolist())
  return np.array(sorted(list(chosen)[:MAX_MATRIX_CLASSES]))


def _check(page_data):
  """Raises `InvalidInputError` for data of which no page can be made."""
  names = page_data.class_names
  ids = [suspect["id"] for suspect in page_data.suspects]
  errors.check_range("threshold", page_data.threshold, 0, label_audit.ABOVE_ALL)
  if len(ids) > MAX_SUSPECTS:
    raise errors.InvalidInputError(
      f"A page holds at most {MAX_SUSPECTS} suspects. Received: {len(ids)}"
    )
  # Decisions name pictures by their ids and classes by their names.
  for what, values in (("ids", ids), ("class names", names)):
    if len(set(values)) != len(values):
      raise errors.InvalidInputError(f"The {what} must all be different.")
    for value in values:
      if re.search("[\ud800-\udfff]", value):
        raise errors.InvalidInputError(
          f"The {what} must be valid Unicode. Received: {value!a}"
        )
  for suspect in page_data.suspects:
    _check_thumbnail(suspect["thumbnail"])
    errors.check_range("score", suspect["score"], 0, 1)
    for key in ("given", "suggested"):
      if suspect[key] not in range(len(names)):
        raise errors.InvalidInputError(
          f"`{key}` must be one of {len(names)} classes. "
          f"Received: {suspect[key]} for {suspect['id']!a}"
        )
  scores = np.asarray(page_data.scores)
  if not np.all((scores >= 0) & (scores <= 1)):  # NaN is neither.
    raise errors.InvalidInputError("Scores must be numbers in [0, 1].")
  for name in ("transition", "transition_low", "transition_high"):
    shape = np.shape(getattr(page_data, name))
    if shape != (len(names), len(names)):
      raise errors.InvalidInputError(
        f"`{name}` must be of {len(names)}x{len(names)} classes. "
        f"Received: {shape}"
      )


def _check_thumbnail(path):
  parts = pathlib.PurePosixPath(path).parts
  if not parts or parts[0] == "/" or ".." in parts:
    raise errors.InvalidInputError(
      f"A thumbnail must be a path below the page's folder. Received: {path!a}"
    )


def _format_data(page_data, classes):
  """Returns a script that assigns what the page's script reads."""
  class_names = list(page_data.class_names)
  part = np.ix_(classes, classes)
  values = {
    "fingerprint": _fingerprint(page_data),
    "numExamples": page_data.num_examples,
    "classNames": class_names,
    "suspects": {
      _camel_case(key): [
        _plain(suspect[key], key) for suspect in page_data.suspects
      ]
      for key in _SUSPECT_KEYS
    },
    **_summarize_scores(page_data),
    "matrixClasses": classes.tolist(),
    "transition": _matrix(page_data.transition[part]),
    "transitionLow": _matrix(page_data.transition_low[part]),
    "transitionHigh": _matrix(page_data.transition_high[part]),
  }
  text = json.dumps(values, allow_nan=False, separators=(",", ":"))
  # Within a string of JSON, which alone can hold them, these mean the same.
  for character in "<>&":
    text = text.replace(character, f"\\u{ord(character):04x}")
  return f"window.auditData = {text};\n"


def _summarize_scores(page_data):
  """Returns a histogram, and for each position of the slider what it flags.

  The positions are equally far apart, but for the initial threshold, which
  stands between them where it belongs; so all counts are exact.
  """
  scores = np.sort(np.asarray(page_data.scores, np.float64))
  counts, edges = np.histogram(scores, bins=_NUM_BINS, range=(0, 1))
  initial = float(page_data.threshold)
  steps = np.arange(_NUM_STEPS + 1) / _NUM_STEPS
  thresholds = np.unique(np.append(steps, initial))
  num_flagged = len(scores) - np.searchsorted(scores, thresholds)
  return {
    "histogramCounts": counts.tolist(),
    "histogramEdges": [round(edge, 6) for edge in edges.tolist()],
    "thresholds": thresholds.tolist(),
    "numFlagged": num_flagged.tolist(),
    "initialPosition": int(np.searchsorted(thresholds, initial)),
  }


def _fingerprint(page_data):
  """Returns what tells audits apart: the same pictures, the same decisions."""
  pictures = sorted(
    (suspect["id"], int(suspect["given"])) for suspect in page_data.suspects
  )
  content = [
    page_data.title,
    page_data.num_examples,
    list(page_data.class_names),
    pictures,
  ]
  return hashlib.sha256(json.dumps(content).encode("utf-8")).hexdigest()[:32]


def _camel_case(key):
  first, *others = key.split("_")
  return first + "".join(word.capitalize() for word in others)


def _plain(value, key):
  """Returns a value of a suspect as JSON knows it."""
  if key in ("id", "split"):
    return value
  if key == "thumbnail":
    # A first part with a colon would be taken for a scheme.
    return urllib.parse.quote(f"./{value}", safe="/")
  if key in ("given", "suggested", "rank"):
    return int(value)
  return _number(value)


def _number(value):
  """Returns a float, or None for what is not there or no number."""
  if value is None or not math.isfinite(value):
    return None
  return float(value)


def _matrix(rows):
  return [
    [None if not math.isfinite(value) else round(value, 6) for value in row]
    for row in np.asarray(rows, np.float64).tolist()
  ]


def _format_page(page_data, num_matrix_classes):
  environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_SOURCE),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
  )
  environment.filters["percent"] = lambda x: f"{100 * x:.1f}"
  environment.filters["thousands"] = lambda x: f"{x:,}"
  template = environment.get_template("index.html.jinja")
  text = template.render(
    page=page_data,
    num_matrix_classes=num_matrix_classes,
  )
  # What is no Unicode, as parts of paths may be, is shown and not used.
  return text.encode("utf-8", "replace").decode("utf-8")
