"""Has image files classified, one batch after another.

A model decodes JPEG and PNG alone, and turns nothing. So the client decodes all
others, as training does, and sends their pixels.
"""

from nct_tf import errors
from nct_tf.pictures import decoding, pixels
from nct_tf.serving.clients import refusals

# A request ends at whichever is reached first.
_MAX_BATCH_SIZE = 64
_MAX_BATCH_BYTES = 2**24

_REQUIRED = ("class_id", "class_name", "score")


def classify(client, paths):
  """Has files classified; holds no more than one batch of them in memory.

  Args:
    client: with a method `predict`, see `LocalClient`.
    paths: iterable of str, of files of any format that Pillow reads.

  Yields:
    for each path, in order, a dict with `path` and either `class_id` (int),
    `class_name` (str), `score` (float) and `disagreement` (float, in nats;
    None of a model of one network), or `error` (str), what is wrong with it:
    for a file that cannot be decoded, what training says of it.

  Raises:
    ServerError: if the server stops to answer.
  """
  batch, num_bytes = [], 0
  for path in paths:
    contents = _read(path)
    batch.append((path, contents))
    num_bytes += len(contents) if isinstance(contents, bytes) else 0
    if len(batch) == _MAX_BATCH_SIZE or num_bytes >= _MAX_BATCH_BYTES:
      yield from _classify_batch(client, batch)
      batch, num_bytes = [], 0
  yield from _classify_batch(client, batch)


def _read(path):
  """Returns what to send of a file, bytes, or, as str, why it is unreadable."""
  try:
    contents = decoding.read(path)
    return contents if decoding.is_plain(contents) else _to_pixels(contents)
  except decoding.UnreadableError as error:
    return str(error)


def _to_pixels(contents):
  """Returns a PNG of the pixels of a file."""
  return pixels.to_png(decoding.decode_bytes(contents))


def _classify_batch(client, batch):
  images = [contents for _, contents in batch if isinstance(contents, bytes)]
  answers = iter(_ask(client, images))
  for path, contents in batch:
    if isinstance(contents, bytes):
      yield {"path": path, **next(answers)}
    else:
      yield {"path": path, "error": contents}


def _ask(client, images):
  """Returns a dict for each image: its class, or what is wrong with it."""
  if not images:
    return []
  try:
    answer = client.predict(images)
  except refusals.RefusedError as error:
    if len(images) == 1:
      return [_ask_pixels(client, images[0], error)]
    # One bad image spoils a request: it is looked for by halves.
    half = len(images) // 2
    return _ask(client, images[:half]) + _ask(client, images[half:])
  return _rows(answer, len(images))


def _ask_pixels(client, image, refusal):
  """Returns a dict for an image whose file the model refused."""
  try:
    image = _to_pixels(image)
  except decoding.UnreadableError as error:
    return {"error": str(error)}
  try:
    (row,) = _rows(client.predict([image]), 1)
  except refusals.RefusedError:
    return {"error": str(refusal)}
  return row


def _rows(answer, num_images):
  """Returns a dict for each image of an answer that may be of any model."""
  columns = {name: answer.get(name) for name in _REQUIRED}
  for name, values in columns.items():
    if not isinstance(values, list) or len(values) != num_images:
      raise errors.ServerError(
        f"The model does not answer with a {name} for each image: it is none "
        "that nct_tf exported"
      )
  # A model of one network has none.
  disagreement = answer.get("disagreement", [None] * num_images)
  return [
    {
      "class_id": class_id,
      "class_name": name.decode() if isinstance(name, bytes) else name,
      "score": score,
      "disagreement": difference,
    }
    for class_id, name, score, difference in zip(
      *columns.values(), disagreement, strict=True
    )
  ]
