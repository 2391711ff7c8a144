"""The ensemble as a SavedModel that TF Serving loads."""

import contextlib
import io
import logging
import pathlib

import keras
import numpy as np

from nct_tf import errors, preprocessing
from nct_tf.serving import (
  model_card,
  server_config,
  serving_api,
  session as session_lib,
  signatures,
  version_folders,
  warmup,
)
from nct_tf.system import files, tensorflow_files
from nct_tf.workdir import restoring

_logger = logging.getLogger(__name__)

# Between the graph in Keras and the exported one.
_MAX_DIFFERENCE = 1e-3


def export_run(
  directory, export_dir, checkpoint="last", use_ema=None, **options
):
  """Publishes the model of a finished run as `export_dir/<version>/`.

  Args:
    directory: a `Workdir`.
    export_dir: str, the folder of all versions.
    checkpoint: str, see `restoring.restore`.
    use_ema: bool, see there.
    **options: of `export`.

  Returns:
    the path of the new version.

  Raises:
    InvalidInputError: if there is no finished run, if the version exists, or
      if nothing can be written.
  """
  model, config, result = restoring.restore(directory, checkpoint, use_ema)
  images = directory.read_warmup_images()
  return export(model, config, result, images, export_dir, **options)


def export(
  model,
  config,
  result,
  images,
  export_dir,
  version=None,
  keep=None,
  members=False,
  top_k=5,
):
  """Publishes a model as `export_dir/<version>/`.

  The version is tried out first, and then appears there whole or not at all.
  TF Serving's configuration files are written beside the versions.

  Args:
    model: a `Classifier` in float32, outside of any strategy.
    config: the `TrainConfig` it was trained by.
    result: dict, of `result.json`.
    images: uint8 array [num_images, height, width, channels], to try the
      version with.
    export_dir: str, the folder of all versions.
    version: int, at least 1; None for the next that is free.
    keep: int, at least 1; how many versions stay: this one, and the highest of
      the others. None for all.
    members: bool, whether to offer each network alone, too.
    top_k: int, at least 1, see `signatures.create`.

  Returns:
    the path of the new version.

  Raises:
    InvalidInputError: if the version exists, or if nothing can be written.
  """
  _check_options(model, result, version, keep, members, top_k)
  check_writable(export_dir)
  base = pathlib.Path(export_dir)
  name = server_config.model_name(base)

  def write(path, version):
    write_saved_model(model, result, path, top_k, members)
    _write_texts(path, config, result, name, version)
    sizes = server_config.batch_sizes(base)
    _warm_up(path, _try_out(path, model, result, images, sizes), name)

  with _explain(export_dir), version_folders.lock(base):
    version = version_folders.publish(base, write, version)
    _tidy(base, version, keep)
  _logger.info("Exported version %d to %s", version, base / str(version))
  return base / str(version)


def _check_options(model, result, version, keep, members, top_k):
  for argument, value, high in (
    ("version", version, version_folders.MAX_VERSION),
    ("keep", keep, float("inf")),
    ("top_k", top_k, float("inf")),
  ):
    if value is not None:
      errors.check_range(argument, value, 1, high)
  if members and len(model.networks) == 1:
    raise errors.InvalidInputError(
      f"Argument `members` needs two networks, and the method "
      f"{result['method']} has one, which serving_default is"
    )


def check_writable(export_dir):
  """Makes the folder; raises `InvalidInputError` if nothing can go there."""
  with _explain(export_dir):
    files.make_writable(export_dir)


@contextlib.contextmanager
def _explain(export_dir):
  try:
    with tensorflow_files.os_errors():
      yield
  except OSError as error:
    raise errors.InvalidInputError(
      f"Nothing can be exported to {export_dir}: {error.strerror or error}"
    ) from error


def write_saved_model(model, result, path, top_k=5, members=False):
  """Writes a SavedModel with the signatures of `signatures.create` alone.

  Args:
    model: a `Classifier`.
    result: dict with the `image_shape`, `class_names`, `mean` and `std` of
      `result.json`, and its `crop_size` and `resizing`, where it has them.
    path: `pathlib.Path` of a folder that is not there yet.
    top_k: int, see `signatures.create`.
    members: bool, see there.
  """
  # What `tf.saved_model.save` writes of a Keras 3 model can be loaded in Python
  # alone. The archive does not track the networks, or it would write each
  # variable twice; it writes the variables that the signatures use anyway.
  archive = keras.export.ExportArchive()
  functions = signatures.create(model, result, top_k, members)
  for name, (function, spec) in functions.items():
    archive.add_endpoint(name, function, input_signature=[spec])
  with contextlib.redirect_stdout(io.StringIO()):  # It prints a report.
    archive.write_out(str(path))


def _write_texts(path, config, result, name, version):
  # A line a class, whatever their names are.
  names = [label.replace("\n", "\\n") for label in result["class_names"]]
  labels = "".join(f"{name}\n" for name in names)
  (path / "assets").mkdir(exist_ok=True)
  (path / "assets" / "labels.txt").write_text(labels, encoding="utf-8")
  (path / model_card.FILE).write_text(
    model_card.format_card(config, result, name, version), encoding="utf-8"
  )


def _try_out(path, model, result, images, batch_sizes):
  """Sends the SavedModel all requests of its warm-up.

  A server refuses to load a version that answers one of them by an error. So
  such a version must not be published.

  Returns:
    the requests.
  """
  inputs = preprocessing.prepare(
    images, result["mean"], result["std"], result.get("crop_size")
  )
  expected = model(inputs, training=False).numpy()
  with session_lib.SavedModelSession(path) as session:
    requests = warmup.create_requests(session.signatures, images, batch_sizes)
    for name, _, value in requests:
      session.run(name, value)
    answer = session.run("serving_default", images)["probabilities"]
  if not np.allclose(answer, expected, atol=_MAX_DIFFERENCE):
    raise RuntimeError(
      f"The SavedModel answers otherwise than the model, by up to "
      f"{np.abs(answer - expected).max()}"
    )
  return requests


def _warm_up(path, requests, name):
  if serving_api.available():
    warmup.write(path, requests, name)
  else:
    _logger.warning(
      "No warm-up requests are written: they need tensorflow-serving-api "
      "(pip install -e '.[serving]')"
    )


def _tidy(base, version, keep):
  """Sets the labels for a new version, and removes versions beyond `keep`."""
  versions = version_folders.find(base)
  others = sorted(set(versions) - {version})
  doomed = others[: -(keep - 1) or None] if keep else []
  # The labels must never name a version that is gone.
  server_config.write(base, sorted(set(versions) - set(doomed)))
  for number in doomed:
    version_folders.remove(versions[number])
    _logger.info("Removed version %d", number)
